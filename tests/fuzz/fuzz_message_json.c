/* Any text as a message: no crash, and a refusal that says where. What is taken comes back the same from its own JSON,
 * in which cJSON reads what our reader does; its payload from its plain line. */
#include "fuzz.h"

#include "base/limits.h"
#include "engine/message_json.h"
#include "registry.h"
#include "tests/support/equal.h"
#include "tests/support/unescape.h"
#include "tests/support/witness.h"

#include <stdlib.h>
#include <string.h>

static void require(int truth)
{
    if (!truth)
        abort();
}

/* Properties have no types in the JSON: those of unknown names may come back as others, but are written the same. */
static void check_same(const struct message *a, const struct message *b)
{
    require(bytes_equal(a->key, b->key) && bytes_equal(a->id, b->id) && bytes_equal(a->payload, b->payload));
    require(headers_equal(a->headers, b->headers));
    require(a->time_ns == b->time_ns && a->received_ns == b->received_ns && a->flags == b->flags);
    require(a->position.kind == b->position.kind && a->position.partition == b->position.partition &&
            a->position.offset == b->position.offset);
    require(strcmp(a->origin->endpoint, b->origin->endpoint) == 0);
    require(strcmp(a->origin->channel, b->origin->channel) == 0);
}

static void check_plain(const struct message *m)
{
    struct buffer line, back;
    buffer_init(&line, 64 * MIB);
    buffer_init(&back, 64 * MIB);
    message_plain(&line, m);
    const uint8_t *tab = memrchr(line.data, '\t', line.len);
    struct bytes field = bytes_of(tab + 1, line.len - (size_t)(tab + 1 - line.data));
    if (!m->payload.data)
        require(bytes_equal_text(field, "\\N"));
    else
        require(unescape(&back, field) && (!m->payload.len || bytes_equal(buffer_view(&back), m->payload)));
    buffer_free(&line);
    buffer_free(&back);
}

static void round_trip(const struct message *m, struct arena *arena)
{
    struct buffer once, twice;
    struct message back;
    struct err_info err = {0};
    buffer_init(&once, 64 * MIB);
    buffer_init(&twice, 64 * MIB);
    message_json(&once, m, registry.decoders, MESSAGE_JSON_DECODE);
    require(!witness_objects(buffer_view(&once)));
    require(message_from_json(&back, buffer_view(&once), arena, &err) == ERR_OK);
    check_same(m, &back);
    message_json(&twice, &back, registry.decoders, MESSAGE_JSON_DECODE);
    require(bytes_equal(buffer_view(&once), buffer_view(&twice)));
    check_plain(m);
    buffer_free(&once);
    buffer_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message m;
    struct arena arena;
    struct err_info err = {0};
    arena_init(&arena, 64 * MIB);
    if (message_from_json(&m, bytes_of(data, size), &arena, &err) == ERR_OK)
        round_trip(&m, &arena);
    else
        require(err.text[0] != '\0');
    arena_free(&arena);
    return 0;
}
