/* Any payload under a rule for a field and one for a pattern: what comes out, decoded again, shows neither. */
#include "fuzz.h"

#include "base/limits.h"
#include "engine/redact.h"
#include "registry.h"

#include <stdlib.h>
#include <string.h>

static const struct redact_rule rules[] = {{REDACT_FIELD, "s"}, {REDACT_REGEX, "4[12]"}};

static bool is_hidden(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    (void)context;
    (void)raw;
    if (kind != FIELD_STRING || !bytes_equal_text(text, "[redacted]"))
        abort();
    return true;
}

static void check_decoded(const struct decoder_ops *d, struct bytes payload)
{
    struct arena arena;
    struct field_tree tree;
    struct field_path path;
    struct err_info err;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    field_tree_init(&tree, &arena, payload);
    if (!d->decode(payload, NULL, &tree) && !field_path_parse(&path, BYTES_LITERAL("s"), &arena, &err))
        field_find(&tree, &path, is_hidden, NULL);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err_info err;
    struct redaction *compiled = redaction_new(rules, 2, registry.decoders, &err);
    struct redactor *r = compiled ? redactor_new(compiled) : NULL;
    struct message m = {.payload = bytes_of(data, size)};
    if (!r)
        abort();
    struct bytes out = redactor_apply(r, &m)->payload;
    if (memmem(out.data, out.len, "41", 2) || memmem(out.data, out.len, "42", 2))
        abort();
    for (decoder_registry d = registry.decoders; *d; d++)
        check_decoded(*d, out);
    redactor_free(&r);
    redaction_free(&compiled);
    return 0;
}
