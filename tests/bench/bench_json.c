/* What JSON costs: walking a document, looking one field up, and a message out and in. The document has 870 bytes, like the
 * messages of the comparison with kcat. */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "decoders/json.h"
#include "engine/message_json.h"
#include "registry.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 300000, BYTES = 870 };

/* Of the processor, not of the wall: these are figures of one core, whoever else is at work. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void report(const char *what, int64_t start, size_t bytes)
{
    double s = (double)(cpu_ns() - start) / NS_PER_S;
    printf("  %-28s %6.0f MB/s, %7.0f thousand a second\n", what, (double)bytes * ROUNDS / s / 1e6,
           ROUNDS / s / 1e3);
}

static void make_document(struct buffer *b)
{
    struct json_writer w;
    json_write(&w, b);
    json_object(&w);
    json_name(&w, "id");
    json_int(&w, 88412);
    json_name(&w, "order");
    json_object(&w);
    json_name(&w, "total");
    json_double(&w, 119.5);
    json_name(&w, "customer");
    json_text(&w, "Zoë Example");
    json_name(&w, "items");
    json_array(&w);
    for (int i = 0; i < 6; i++) {
        json_object(&w);
        json_name(&w, "sku");
        json_text(&w, "SKU-1234567");
        json_name(&w, "count");
        json_int(&w, i);
        json_name(&w, "gift");
        json_bool(&w, i % 2);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    json_name(&w, "note");
    buffer_byte(b, '"');
    while (b->len < BYTES - 2)
        buffer_byte(b, "the quick brown fox "[b->len % 20]);
    buffer_text(b, "\"}");
}

static size_t walk(struct bytes in)
{
    struct json_reader r;
    size_t tokens = 0;
    json_read(&r, in, LIMIT_DECODE_DEPTH);
    for (enum json_event e; (e = json_next(&r)) != JSON_END && e != JSON_ERROR; tokens++)
        ;
    return r.error ? 0 : tokens;
}

static bool count(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    (void)kind, (void)text, (void)raw;
    ++*(size_t *)context;
    return true;
}

static void bench_reading(struct bytes in)
{
    static const struct field_path total = {
        .steps = {{BYTES_LITERAL("order"), -1}, {BYTES_LITERAL("total"), -1}}, .count = 2};
    size_t tokens = 0, found = 0, nodes = 0;
    int64_t start = cpu_ns();
    for (int i = 0; i < ROUNDS; i++)
        tokens += walk(in);
    report("walk", start, in.len);
    start = cpu_ns();
    for (int i = 0; i < ROUNDS; i++)
        (void)json_decoder.find(in, &total, count, &found);
    report("find order.total", start, in.len);
    struct arena arena;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    start = cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        struct field_tree tree;
        field_tree_init(&tree, &arena, in);
        (void)json_decoder.decode(in, NULL, &tree);
        nodes += tree.count;
        arena_reset(&arena);
    }
    report("tree", start, in.len);
    arena_free(&arena);
    printf("  (%zu tokens, %zu nodes, %zu found in each)\n", tokens / ROUNDS, nodes / ROUNDS, found / ROUNDS);
}

static void bench_message(const char *what, struct bytes payload)
{
    struct message m = {.origin = origin_intern("k", "orders", CHANNEL_TOPIC),
                        .position = {POSITION_PARTITION, 3, 10482},
                        .key = BYTES_LITERAL("o-88412"),
                        .payload = payload};
    struct buffer out;
    buffer_init(&out, MIB);
    int64_t start = cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        m.time_ns = INT64_C(1770000000118000000) + i * NS_PER_MS;
        m.received_ns = m.time_ns + 1;
        buffer_clear(&out);
        message_json(&out, &m, registry.decoders, 0);
    }
    report(what, start, payload.len);
    buffer_free(&out);
}

static void bench_import(struct bytes payload)
{
    struct message m = {.origin = origin_intern("k", "orders", CHANNEL_TOPIC), .payload = payload};
    struct buffer line;
    struct arena arena;
    int failed = 0;
    buffer_init(&line, MIB);
    arena_init(&arena, MIB);
    message_json(&line, &m, registry.decoders, 0);
    int64_t start = cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        failed += message_from_json(&m, buffer_view(&line), &arena, NULL) != ERR_OK;
        arena_reset(&arena);
    }
    report(failed ? "message from JSON: FAILED" : "message from JSON", start, payload.len);
    arena_free(&arena);
    buffer_free(&line);
}

int main(void)
{
    struct buffer document;
    uint8_t binary[BYTES];
    buffer_init(&document, KIB);
    make_document(&document);
    for (int i = 0; i < BYTES; i++)
        binary[i] = (uint8_t)(i * 7 + 128);
    bench_reading(buffer_view(&document));
    bench_message("message as JSON", buffer_view(&document));
    bench_message("message as JSON, binary", bytes_of(binary, BYTES));
    bench_import(buffer_view(&document));
    buffer_free(&document);
    return 0;
}
