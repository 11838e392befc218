/* Any bytes as the properties of an AMQP message, and as the content of a field table. What our own types hold of them goes
 * back to the wire and is read again the same. The headers are told as a death, a firehose's message and a stream's
 * position, too. */
#include "fuzz.h"

#include "base/hash.h"
#include "base/limits.h"
#include "brokers/rabbitmq/rabbitmq_reader.h"
#include "model/death.h"
#include "tests/support/equal.h"

#include <stdlib.h>

static void require(int truth)
{
    if (!truth)
        abort();
}

static void take(const amqp_basic_properties_t *p, struct message *m, struct arena *arena)
{
    const struct rabbit_delivery d = {.exchange = amqp_cstring_bytes("e"),
                                      .routing_key = amqp_cstring_bytes("k"),
                                      .properties = p,
                                      .body = BYTES_LITERAL("body")};
    *m = (struct message){.flags = 0};
    rabbit_message(m, &d, arena);
}

/* ---- there and back ---- */

static void round_trip(const struct message *m, size_t size, struct arena *arena)
{
    amqp_basic_properties_t out;
    struct err_info err = {0};
    struct message back;
    amqp_pool_t pool;
    void *again;
    if (rabbit_properties(m, arena, &out, &err)) {
        require(err.text[0] != '\0');
        return;
    }
    amqp_bytes_t room = {.len = 4 * size + 256, .bytes = arena_alloc(arena, 4 * size + 256)};
    int len = amqp_encode_properties(AMQP_BASIC_CLASS, &out, room);
    require(len >= 0);
    room.len = (size_t)len;
    init_amqp_pool(&pool, 4096);
    require(amqp_decode_properties(AMQP_BASIC_CLASS, &pool, room, &again) == AMQP_STATUS_OK);
    take(again, &back, arena);
    require(headers_equal(m->headers, back.headers) && headers_equal(m->properties, back.properties));
    require(bytes_equal(m->id, back.id) && m->time_ns == back.time_ns);
    empty_amqp_pool(&pool);
}

/* ---- what else headers say ---- */

static bool has_text(void *context, const struct value *reason)
{
    struct bytes b = reason->type == VALUE_STRING || reason->type == VALUE_BYTES ? reason->bytes : BYTES_NULL;
    *(uint64_t *)context += hash_bytes(b, 1);
    return true;
}

/* What doesn't fit is cut, and nothing else becomes of it. */
static void tell_death(struct headers headers)
{
    char whole[4096], part[24];
    uint64_t sum = 0;
    death_reasons(headers, has_text, &sum);
    death_tell(headers, whole, sizeof whole);
    death_tell(headers, part, sizeof part);
    require(memchr(whole, 0, sizeof whole) && memchr(part, 0, sizeof part));
    require(strncmp(whole, part, strlen(part)) == 0);
}

/* Reads every byte that a value borrows. */
static uint64_t touch(struct headers headers)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; headers.items && i < headers.count; i++) {
        const struct value *v = &headers.items[i].value;
        sum += hash_bytes(headers.items[i].name, 1);
        if (v->type == VALUE_STRING || v->type == VALUE_BYTES)
            sum += hash_bytes(v->bytes, 1);
        if (v->type == VALUE_ARRAY || v->type == VALUE_TABLE)
            sum += touch((struct headers){v->list.items, v->list.count});
    }
    return sum;
}

static void tell_firehose(struct message m, struct arena *arena)
{
    struct rabbit_source source = {.firehose = true, .queue = ""};
    if (rabbit_firehose_message(&source, &m, arena))
        require(touch(m.properties) + touch(m.headers) != 1 && m.properties.count >= 2);
    source.queue[0] = 'q';
    (void)rabbit_firehose_message(&source, &m, arena);
}

static bool is_integer(const struct value *v)
{
    return v && v->type >= VALUE_INT8 && v->type <= VALUE_UINT64;
}

/* Only a number is a position; it goes out of the headers, as one of them. Changes the list. */
static void tell_position(struct message m)
{
    const struct value *v = headers_find(m.headers, BYTES_LITERAL("x-stream-offset"));
    bool integer = is_integer(v);
    uint32_t count = m.headers.count;
    m.position = (struct position){.kind = POSITION_NONE};
    rabbit_stream_position(&m);
    require(integer == (m.position.kind == POSITION_OFFSET));
    require(m.headers.count + integer == count);
}

/* ---- the two ways in ---- */

static void check(const amqp_basic_properties_t *p, size_t size)
{
    struct arena arena;
    struct message m;
    arena_init(&arena, 64 * MIB);
    take(p, &m, &arena);
    round_trip(&m, size, &arena);
    tell_death(m.headers);
    tell_firehose(m, &arena);
    tell_position(m);
    arena_free(&arena);
}

static void as_properties(const uint8_t *data, size_t size, amqp_pool_t *pool)
{
    void *decoded;
    amqp_bytes_t in = {.len = size, .bytes = (void *)(uintptr_t)data}; /* the library only reads it */
    if (amqp_decode_properties(AMQP_BASIC_CLASS, pool, in, &decoded) == AMQP_STATUS_OK)
        check(decoded, size);
}

static void as_table(const uint8_t *data, size_t size, amqp_pool_t *pool)
{
    amqp_basic_properties_t p = {._flags = AMQP_BASIC_HEADERS_FLAG};
    size_t at = 0;
    uint8_t *whole = amqp_pool_alloc(pool, size + 4);
    for (unsigned i = 0; i < 4; i++)
        whole[i] = (uint8_t)(size >> (24 - 8 * i));
    memcpy(whole + 4, data, size);
    amqp_bytes_t in = {.len = size + 4, .bytes = whole};
    if (amqp_decode_table(in, pool, &p.headers, &at) == AMQP_STATUS_OK)
        check(&p, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    amqp_pool_t pool;
    init_amqp_pool(&pool, 4096);
    as_properties(data, size, &pool);
    as_table(data, size, &pool);
    empty_amqp_pool(&pool);
    return 0;
}
