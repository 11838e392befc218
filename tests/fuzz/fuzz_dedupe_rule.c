/* Any text as a rule for duplicates, on any body: no crash; what is found is found again, and can be shown from any beginning of it on. A
 * list of what is to go is read as any bytes. */
#include "fuzz.h"

#include "base/limits.h"
#include "operations/dedupe_extras.h"
#include "operations/dedupe_rule.h"
#include "registry.h"

static void try_body(const struct dedupe_rule *r, struct bytes body)
{
    struct header headers[] = {{BYTES_LITERAL("x"), {.type = VALUE_STRING, .bytes = body}},
                               {BYTES_LITERAL("x"), {.type = VALUE_INT32, .i = 7}}};
    struct message m = {.origin = origin_intern("e", "c", CHANNEL_TOPIC),
                        .key = body,
                        .payload = body,
                        .headers = {headers, 2}};
    struct buffer room, again, shown;
    struct bytes value, same;
    buffer_init(&room, 64 * MIB);
    buffer_init(&again, 64 * MIB);
    buffer_init(&shown, 64 * MIB);
    if (dedupe_rule_value(r, &m, &room, &value) == DEDUPE_FOUND) {
        if (dedupe_rule_value(r, &m, &again, &same) != DEDUPE_FOUND || !bytes_equal(value, same))
            abort();
        for (size_t len = value.len < 300 ? value.len : 300; len-- > 0;)
            dedupe_rule_show(r, bytes_slice(value, 0, len), &shown);
    }
    buffer_free(&room);
    buffer_free(&again);
    buffer_free(&shown);
}

/* The rule, a line feed, the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t len = end ? (size_t)(end - data) : size;
    struct err_info err = {0};
    char *text = fuzz_text(data, len);
    struct dedupe_rule *r = dedupe_rule_new(text, registry.decoders, &err);
    if (r)
        try_body(r, end ? bytes_of(end + 1, size - len - 1) : BYTES_NULL);
    else if (!err.text[0] || !err.next[0])
        abort();
    dedupe_rule_free(&r);
    free(text);
    struct dedupe_extras *e = dedupe_extras_read(bytes_of(data, size), &err);
    dedupe_extras_free(&e);
    return 0;
}
