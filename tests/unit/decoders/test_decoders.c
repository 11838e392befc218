#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/limits.h"
#include "decoders/json.h"
#include "decoders/unwrap.h"
#include "engine/decode_pool.h"
#include "model/endpoint.h"
#include "registry.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <zlib.h>

static struct arena arena;
static struct field_tree tree;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static enum err decode(const struct decoder_ops *d, struct bytes in)
{
    field_tree_init(&tree, &arena, in);
    return d->decode(in, NULL, &tree);
}

static const struct field *at(const char *path)
{
    for (uint32_t i = 0; i < tree.count; i++) {
        char text[200];
        if (strcmp(field_path(&tree, i, text, sizeof text), path) == 0)
            return &tree.nodes[i];
    }
    fail_msg("no field %s", path);
    return NULL;
}

static struct bytes gzipped(struct bytes in, uint8_t *out, size_t size);

static struct bytes text_at(const char *path)
{
    return field_text(&tree, at(path));
}

/* Too many fields is our limit and not the payload's fault, though the tree ends there. */
static void a_tree_that_is_cut_is_told_from_a_broken_one(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 4 * MIB);
    buffer_byte(&text, '[');
    for (int i = 0; i < LIMIT_DECODE_NODES + 5; i++)
        buffer_text(&text, "1,");
    buffer_text(&text, "1]");
    decode(&json_decoder, buffer_view(&text));
    assert_false(tree.complete);
    assert_true(tree.limited);
    assert_int_equal(tree.count, LIMIT_DECODE_NODES);
    assert_non_null(strstr(tree.error, "more than 200000 fields"));
    assert_true(arena.used < LIMIT_DECODE_FIELDS + 64 * KIB);
    buffer_free(&text);
    assert_int_not_equal(decode(&json_decoder, BYTES_LITERAL("[1,2")), ERR_OK);
    assert_false(tree.complete || tree.limited);
}

/* A tree for the screen has a bound of its own: where there is no room to write texts without their escapes, these stay, which is
 * said, and all fields are there. A layer is cut. */
static void what_has_no_room_without_escapes_keeps_them(void **state)
{
    (void)state;
    struct buffer text;
    struct message m = {.payload = BYTES_NULL};
    struct decoded d = {.choice = {.decoder = NULL}};
    uint8_t *zipped = malloc(MIB);
    buffer_init(&text, 32 * MIB);
    buffer_text(&text, "[{\"\\u0061\":\"x\\ny\"}");
    while (text.len < 20 * MIB)
        buffer_printf(&text, ",{\"\\u0061\":\"%0998d\\n\"}", 7);
    buffer_text(&text, "]");
    m.payload = buffer_view(&text);
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_true(d.tree.complete && d.tree.raw && d.arena.used <= LIMIT_DECODE_VIEW);
    const struct field *first = &d.tree.nodes[2], *last = &d.tree.nodes[d.tree.count - 1];
    assert_true(bytes_equal_text(field_text(&d.tree, first), "x\ny"));
    assert_true(bytes_equal_text(field_name(&d.tree, first), "a"));
    assert_true(first->flags == 0 && last->flags == FIELD_RAW);
    assert_int_equal(field_text(&d.tree, last).len, 1000);
    m.payload = gzipped(m.payload, zipped, MIB);
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_true(d.tree.nodes[0].kind == FIELD_LAYER && d.tree.count > 8000);
    assert_string_equal(d.tree.error, "unpacked 4.3 MiB of 20.0 MiB; there is no room for the rest");
    assert_true(d.arena.used <= LIMIT_DECODE_VIEW);
    decoded_free(&d);
    buffer_free(&text);
    free(zipped);
}

/* Escaped texts leave the nodes all the room that these still take, and not of their last step alone. */
static void texts_take_no_room_of_the_fields(void **state)
{
    (void)state;
    enum { NUMBERS = 5000, STRINGS = 50 };
    struct buffer text;
    struct message m = {.payload = BYTES_NULL};
    struct decoded d = {.choice = {.decoder = NULL}};
    buffer_init(&text, 8 * MIB);
    buffer_byte(&text, '[');
    for (int i = 0; i < STRINGS; i++)
        buffer_printf(&text, "\"\\n%095000d\",", 7);
    for (int i = 0; i < NUMBERS; i++)
        buffer_text(&text, "1,");
    buffer_text(&text, "1]");
    m.payload = buffer_view(&text);
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_true(d.tree.complete && d.tree.raw);
    assert_int_equal(d.tree.count, 1 + STRINGS + NUMBERS + 1);
    decoded_free(&d);
    buffer_free(&text);
}

static void count_up(void *context)
{
    ++*(int *)context;
}

/* A job beside: its result is the same tree, whichever way it ends nothing is left. */
static void jobs_end_however_they_are_left(void **state)
{
    (void)state;
    int woken = 0;
    struct message m = {.payload = BYTES_LITERAL("{\"a\":[1,2,3]}")};
    struct message *sealed = message_seal(&m, NULL);
    struct decode_pool *pool = decode_pool_new(registry.decoders, count_up, &woken);
    for (int i = 0; i < 200; i++) {
        struct decode_job *first = decode_pool_start(pool, sealed, NULL);
        struct decode_job *second = decode_pool_start(pool, sealed, "text");
        struct decoded result = {.choice = {.decoder = NULL}};
        if (i % 3)
            decode_job_drop(&second);
        while (!decode_job_take(&first, &result)) /* the runner ends a test that hangs */
            sched_yield();
        assert_null(first);
        assert_int_equal(result.tree.count, 5);
        assert_ptr_equal(result.tree.arena, &result.arena);
        decoded_free(&result);
        decode_job_drop(&second);
    }
    decode_pool_free(&pool);
    message_unref(&sealed);
    assert_true(woken >= 200);
}

static void numbers_and_text_are_exact(void **state)
{
    (void)state;
    struct bytes in = BYTES_LITERAL(
        "{\"id\":9007199254740993,\"total\":19.90,\"name\":\"Zo\\u00eb \\\"N\\\"\",\"x\":[true,null]}");
    assert_int_equal(decode(&json_decoder, in), ERR_OK);
    assert_true(bytes_equal_text(text_at("id"), "9007199254740993"));
    assert_true(bytes_equal_text(text_at("total"), "19.90"));
    assert_true(bytes_equal_text(text_at("name"), "Zoë \"N\""));
    assert_int_equal(at("x[1]")->kind, FIELD_NULL);
    assert_int_equal(tree.nodes[0].children, 4);
    const struct field *id = at("id");
    assert_int_equal(memcmp(in.data + id->offset, "9007199254740993", id->length), 0);
    assert_int_equal(memcmp(in.data + id->name_at, "\"id\"", id->name_length), 0);
    assert_int_equal(tree.nodes[0].length, in.len);
}

static void duplicate_keys_are_kept_and_flagged(void **state)
{
    (void)state;
    assert_int_equal(decode(&json_decoder, BYTES_LITERAL("{\"a\":1,\"b\":2,\"\\u0061\":3}")), ERR_OK);
    assert_int_equal(tree.count, 4);
    assert_int_equal(tree.nodes[1].flags, FIELD_DUPLICATE);
    assert_int_equal(tree.nodes[2].flags, 0);
    assert_int_equal(tree.nodes[3].flags, FIELD_DUPLICATE);
}

static void a_broken_text_keeps_what_was_read(void **state)
{
    (void)state;
    assert_int_equal(decode(&json_decoder, BYTES_LITERAL("{\"a\":{\"b\":1,\"c\":[1,2")), ERR_FORMAT);
    assert_false(tree.complete);
    assert_int_equal(tree.error_at, 20);
    assert_true(bytes_equal_text(text_at("a.c[1]"), "2"));
    assert_int_equal(tree.nodes[0].next, tree.count);
}

static void depth_is_limited(void **state)
{
    (void)state;
    char deep[4000];
    memset(deep, '[', sizeof deep);
    assert_int_not_equal(decode(&json_decoder, bytes_of(deep, sizeof deep)), ERR_OK);
    assert_non_null(strstr(tree.error, "deeply"));
    assert_true(tree.count <= LIMIT_DECODE_DEPTH);
}

struct found {
    char text[200];
};

static bool append(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    struct found *f = context;
    size_t n = strlen(f->text);
    (void)raw;
    snprintf(f->text + n, sizeof f->text - n, "%s:%.*s ", field_kind_name(kind), (int)text.len,
             text.data ? (const char *)text.data : "");
    return true;
}

static void quick_and_slow_look_up_agree(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":{\"b\":[10,{\"c\":\"x\\ny\"},[1,2]],\"b\":true},\"d\":[]}",
        "[1,[2,{\"a\":3}],{\"a\":{\"b\":null}}]",
        "7",
        "\"s\"",
        "{}",
    };
    static const char *const paths[] = {"a",        "a.b",   "a.b[*]", "a.b[1].c", "a.b[2][1]", "d[0]",
                                        "[1][1].a", "[*].a", "/a/b/0", "[2].a.b",  ""};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
            struct field_path path;
            struct found quick = {""}, slow = {""};
            assert_int_equal(field_path_parse(&path, bytes_of_text(paths[p]), &arena, NULL), ERR_OK);
            assert_int_equal(json_decoder.find(bytes_of_text(texts[t]), &path, append, &quick), ERR_OK);
            decode(&json_decoder, bytes_of_text(texts[t]));
            field_find(&tree, &path, append, &slow);
            if (strcmp(quick.text, slow.text) != 0)
                fail_msg("%s in %s: quick %s, slow %s", paths[p], texts[t], quick.text, slow.text);
        }
    }
}

static struct bytes gzipped(struct bytes in, uint8_t *out, size_t size)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data,
                  .avail_in = (uInt)in.len,
                  .next_out = out,
                  .avail_out = (uInt)size};
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return bytes_of(out, size - z.avail_out);
}

static void layers_come_off_one_by_one(void **state)
{
    (void)state;
    uint8_t zipped[500];
    struct bytes gz = gzipped(BYTES_LITERAL("{\"order\":{\"total\":7}}"), zipped, sizeof zipped);
    struct buffer b64;
    buffer_init(&b64, 1000);
    buffer_base64(&b64, gz);
    assert_int_equal(decode(&unwrap_decoder, buffer_view(&b64)), ERR_OK);
    assert_int_equal(tree.layer_count, 2);
    assert_string_equal(field_type(&tree, &tree.nodes[0]), "base64");
    assert_string_equal(field_type(&tree, &tree.nodes[1]), "gzip");
    assert_true(bytes_equal_text(text_at("order.total"), "7"));
    assert_int_equal(at("order.total")->layer, 2);
    buffer_free(&b64);
}

static void json_in_strings_is_opened_on_request(void **state)
{
    (void)state;
    struct bytes in =
        BYTES_LITERAL("{\"order\":\"{\\\"total\\\":7,\\\"tags\\\":\\\"[1,2]\\\"}\",\"note\":\"{no json\"}");
    assert_int_equal(decode(&unwrap_decoder, in), ERR_OK);
    assert_true(bytes_equal_text(text_at("order.total"), "7"));
    assert_int_equal(at("order.total")->layer, 1);
    assert_true(bytes_equal_text(text_at("order.tags[1]"), "2"));
    assert_true(bytes_equal_text(text_at("note"), "{no json"));
    assert_int_equal(decode(&unwrap_decoder, BYTES_LITERAL("\"{\\\"a\\\":1}\"")), ERR_OK);
    assert_true(bytes_equal_text(text_at("a"), "1"));
    assert_int_equal(decode(&json_decoder, in), ERR_OK);
    assert_int_equal(at("order")->kind, FIELD_STRING); /* the json decoder says what the wire says */
}

/* As `base64` prints it, broken into lines, without padding; but no list of words. */
static void base64_comes_in_several_shapes(void **state)
{
    (void)state;
    struct buffer text, b64, lines;
    buffer_init(&text, 1000);
    buffer_init(&b64, 1000);
    buffer_init(&lines, 1000);
    for (int i = 0; i < 20; i++)
        buffer_printf(&text, "%s\"name-%d\":%d", i ? "," : "{", i, i);
    buffer_text(&text, "}");
    buffer_base64(&b64, buffer_view(&text));
    for (size_t i = 0; i < b64.len; i += 76) {
        buffer_bytes(&lines, bytes_slice(buffer_view(&b64), i, b64.len - i < 76 ? b64.len - i : 76));
        buffer_text(&lines, "\r\n");
    }
    struct bytes bare = buffer_view(&b64);
    while (bare.data[bare.len - 1] == '=')
        bare.len--;
    const struct bytes shapes[] = {buffer_view(&lines), buffer_view(&b64), bare,
                                   BYTES_LITERAL("eyJuYW1lLTE5IjoxOX0\n")};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        assert_int_equal(decode(&unwrap_decoder, shapes[i]), ERR_OK);
        assert_true(bytes_equal_text(text_at("name-19"), "19"));
    }
    const char *why;
    assert_int_equal(unwrap_decoder.sniff(buffer_view(&lines), NULL, &why), 65);
    assert_int_equal(unwrap_decoder.sniff(BYTES_LITERAL("HelloWorld12\nHelloWorld34\n"), NULL, &why), 0);
    buffer_free(&text);
    buffer_free(&b64);
    buffer_free(&lines);
}

static void base64_in_strings_is_opened_where_it_holds_something(void **state)
{
    (void)state;
    struct bytes in = BYTES_LITERAL(
        "{\"a\":{\"p\":\"eyJvcmRlciI6eyJ0b3RhbCI6N319\",\"id\":\"QWxhZGRpbjpvcGVuIHNlc2FtZQ==\"}}");
    assert_int_equal(decode(&unwrap_decoder, in), ERR_OK);
    assert_true(bytes_equal_text(text_at("a.p.order.total"), "7"));
    assert_int_equal(at("a.p.order.total")->layer, 1);
    assert_int_equal(at("a.id")->kind, FIELD_STRING);
    assert_int_equal(decode(&unwrap_decoder, BYTES_LITERAL("{\"a\":1}")), ERR_OK);
    assert_int_equal(decode(&unwrap_decoder, BYTES_LITERAL("some words")), ERR_FORMAT);
    /* base64 of a gzip stream that is cut off */
    in = BYTES_LITERAL("{\"a\":\"H4sIAAAAAAAAA6tWSlSyMqwFAA==\",\"after\":1}");
    assert_int_equal(decode(&unwrap_decoder, in), ERR_OK);
    assert_int_equal(at("a")->kind, FIELD_STRING);
    assert_true(bytes_equal_text(text_at("after"), "1"));
}

/* Several documents, as one gzip or as members behind each other; a fault says in which layer its place is. */
static void lines_of_json_are_read_behind_a_wrapping(void **state)
{
    (void)state;
    uint8_t zipped[1000];
    struct bytes gz = gzipped(BYTES_LITERAL("{\"a\":1}\r\n \n[{\"b\":\"{\\\"c\\\":2}\"}]\n"), zipped, 500);
    assert_int_equal(decode(&unwrap_decoder, gz), ERR_OK);
    assert_true(bytes_equal_text(text_at("[0].a"), "1"));
    assert_true(bytes_equal_text(text_at("[1][0].b.c"), "2"));
    assert_int_equal(at("[1]")->offset, 11);
    assert_int_equal(at("[1]")->layer, 1);
    struct bytes second = gzipped(BYTES_LITERAL("{\"a\":3}\n"), zipped + gz.len, 500);
    assert_int_equal(decode(&unwrap_decoder, bytes_of(zipped, gz.len + second.len)), ERR_OK);
    assert_true(bytes_equal_text(text_at("[2].a"), "3"));
    gz = gzipped(BYTES_LITERAL("{\"a\":1}\n{\"a\":"), zipped, sizeof zipped);
    assert_int_equal(decode(&unwrap_decoder, gz), ERR_FORMAT);
    assert_int_equal(tree.error_at, 8);
    assert_int_equal(tree.error_layer, 1);
}

static void base64_that_is_asked_for_may_be_short(void **state)
{
    (void)state;
    static const char *const hello[] = {"aGVsbG8=", "aGVsbG8", "aGVs\nbG8=\n"};
    const char *why;
    for (size_t i = 0; i < sizeof hello / sizeof *hello; i++) {
        assert_int_equal(decode(&unwrap_decoder, bytes_of_text(hello[i])), ERR_OK);
        assert_true(bytes_equal_text(tree.layers[0], "hello"));
        assert_int_equal(unwrap_decoder.sniff(bytes_of_text(hello[i]), NULL, &why), 0);
    }
    assert_int_equal(decode(&unwrap_decoder, BYTES_LITERAL("hello")), ERR_FORMAT);
    assert_int_equal(decode(&unwrap_decoder, BYTES_LITERAL("\n")), ERR_FORMAT);
}

/* It is taken in portions of 4,096 digits, of which the last one may be followed by line ends alone. */
static void base64_of_any_length_may_end_a_line(void **state)
{
    (void)state;
    static uint8_t bytes[6200];
    struct buffer b64;
    buffer_init(&b64, MIB);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 131 >> 3);
    for (size_t len = 3060; len < sizeof bytes; len += len == 3080 ? 3050 : 1) {
        buffer_clear(&b64);
        buffer_base64(&b64, bytes_of(bytes, len));
        buffer_text(&b64, "\r\n\n");
        assert_int_equal(decode(&unwrap_decoder, buffer_view(&b64)), ERR_OK);
        assert_int_equal(tree.layers[0].len, len);
    }
    buffer_free(&b64);
}

static void what_follows_a_gzip_stream_is_no_part_of_it(void **state)
{
    (void)state;
    uint8_t zipped[500];
    struct bytes gz = gzipped(BYTES_LITERAL("some text that is long enough"), zipped, 400);
    memcpy(zipped + gz.len, "garbage", 7);
    assert_int_equal(decode(&unwrap_decoder, bytes_of(zipped, gz.len + 7)), ERR_FORMAT);
    assert_non_null(strstr(tree.error, "follows"));
}

static void a_bomb_is_stopped(void **state)
{
    (void)state;
    size_t size = 100 * MIB;
    uint8_t *zeros = calloc(1, size), *zipped = malloc(MIB);
    struct bytes gz = gzipped(bytes_of(zeros, size), zipped, MIB);
    assert_int_equal(decode(&unwrap_decoder, gz), ERR_LIMIT);
    assert_non_null(strstr(tree.error, "bomb"));
    free(zeros);
    free(zipped);
}

static void a_cut_stream_says_so(void **state)
{
    (void)state;
    uint8_t zipped[500];
    struct bytes gz =
        gzipped(BYTES_LITERAL("some text that is long enough to be cut"), zipped, sizeof zipped);
    assert_int_equal(decode(&unwrap_decoder, bytes_slice(gz, 0, gz.len - 10)), ERR_FORMAT);
    assert_non_null(strstr(tree.error, "cut off"));
}

static const char *chosen(struct bytes payload)
{
    struct message m = {.payload = payload};
    return decode_choose(registry.decoders, &m, NULL).decoder->name;
}

static void the_best_guess_wins(void **state)
{
    (void)state;
    assert_string_equal(chosen(BYTES_LITERAL("{\"a\":1}")), "json");
    assert_string_equal(chosen(BYTES_LITERAL("{\"a\":1,\"b\":")), "json");
    assert_string_equal(chosen(BYTES_LITERAL("hello world")), "text");
    assert_string_equal(chosen(BYTES_LITERAL("\xff\xfe\x00\x01")), "hex");
    assert_string_equal(chosen(BYTES_LITERAL("")), "text");
    assert_string_equal(chosen(BYTES_NULL), "text");
    assert_string_equal(chosen(BYTES_LITERAL("eyJvcmRlciI6eyJ0b3RhbCI6N319")), "unwrap");
    assert_string_equal(chosen(BYTES_LITERAL("\x1f\x8b\x08garbage that is no gzip")), "unwrap");
}

static void a_rule_of_the_configuration_wins(void **state)
{
    (void)state;
    struct channel_rule rule = {.pattern = "raw*", .decode = "text"};
    struct endpoint e = {.name = "k", .rules = &rule, .rule_count = 1};
    struct message m = {.payload = BYTES_LITERAL("{}"), .origin = endpoint_origin(&e, "raw1", CHANNEL_TOPIC)};
    assert_string_equal(decode_choose(registry.decoders, &m, NULL).decoder->name, "text");
    assert_string_equal(decode_choose(registry.decoders, &m, "hex").decoder->name, "hex");
    m.origin = endpoint_origin(&e, "other", CHANNEL_TOPIC);
    assert_string_equal(decode_choose(registry.decoders, &m, NULL).decoder->name, "json");
}

static void summaries_are_one_scrubbed_line(void **state)
{
    (void)state;
    struct buffer b;
    struct message m = {.payload = BYTES_LITERAL("a line of text \x1b[31m and\nanother \xe2\x80\xae")};
    buffer_init(&b, 1000);
    decode_summary(registry.decoders, &m, 60, &b);
    assert_string_equal(buffer_cstr(&b), "a line of text ␛[31m and␊another <202E>");
    buffer_clear(&b);
    m.payload = BYTES_LITERAL("{\"name\":\"日本語日本語\"}");
    decode_summary(registry.decoders, &m, 14, &b);
    assert_string_equal(buffer_cstr(&b), "{\"name\":\"日本…");
    buffer_clear(&b);
    m.payload = BYTES_NULL;
    decode_summary(registry.decoders, &m, 14, &b);
    assert_string_equal(buffer_cstr(&b), "(null)");
    buffer_free(&b);
}

static int always(struct bytes in, const struct decode_hint *hint, const char **why)
{
    (void)in, (void)hint;
    *why = "in a test";
    return 100;
}

static void say_length(struct bytes in, struct buffer *line)
{
    buffer_printf(line, "%zu bytes of it", in.len);
}

/* No name is known to the engine: any decoder says what its bytes are in one line. */
static void a_decoder_says_the_gist_itself(void **state)
{
    static const struct decoder_ops other = {.name = "other", .sniff = always, .gist = say_length};
    static const struct decoder_ops *const only[] = {&other, NULL};
    (void)state;
    struct buffer b;
    struct message m = {.payload = BYTES_LITERAL("\x00\x01\xff")};
    buffer_init(&b, 1000);
    decode_summary(only, &m, 60, &b);
    assert_string_equal(buffer_cstr(&b), "3 bytes of it");
    buffer_clear(&b);
    decode_summary(registry.decoders, &m, 60, &b);
    assert_string_equal(buffer_cstr(&b), "00 01 ff ");
    buffer_clear(&b);
    m.payload = BYTES_LITERAL("eyJvcmRlciI6eyJ0b3RhbCI6N319");
    decode_summary(registry.decoders, &m, 60, &b);
    assert_string_equal(buffer_cstr(&b), "base64: {\"order\":{\"total\":7}}");
    buffer_free(&b);
}

/* A document in a string of the payload is a part of it, not the payload. */
static void the_gist_of_what_is_wrapped_is_the_whole_document(void **state)
{
    static const char *const shown = "{\"a\":\"{\\\"b\\\":{\\\"x\\\":1}}\",\"text\":\"t\"}";
    char expected[80];
    uint8_t zipped[400];
    struct buffer b, b64;
    (void)state;
    struct bytes gz = gzipped(bytes_of_text(shown), zipped, sizeof zipped);
    struct message m = {.payload = gz};
    buffer_init(&b, 1000);
    buffer_init(&b64, 1000);
    decode_summary(registry.decoders, &m, 60, &b);
    snprintf(expected, sizeof expected, "gzip: %s", shown);
    assert_string_equal(buffer_cstr(&b), expected);
    buffer_clear(&b);
    buffer_base64(&b64, gz);
    m.payload = buffer_view(&b64);
    decode_summary(registry.decoders, &m, 60, &b);
    snprintf(expected, sizeof expected, "base64: %s", shown);
    assert_string_equal(buffer_cstr(&b), expected);
    buffer_free(&b64);
    buffer_free(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tree_that_is_cut_is_told_from_a_broken_one),
        TEST(what_has_no_room_without_escapes_keeps_them),
        TEST(texts_take_no_room_of_the_fields),
        TEST(jobs_end_however_they_are_left),
        TEST(numbers_and_text_are_exact),
        TEST(duplicate_keys_are_kept_and_flagged),
        TEST(a_broken_text_keeps_what_was_read),
        TEST(depth_is_limited),
        TEST(quick_and_slow_look_up_agree),
        TEST(layers_come_off_one_by_one),
        TEST(json_in_strings_is_opened_on_request),
        TEST(base64_comes_in_several_shapes),
        TEST(base64_in_strings_is_opened_where_it_holds_something),
        TEST(lines_of_json_are_read_behind_a_wrapping),
        TEST(base64_that_is_asked_for_may_be_short),
        TEST(base64_of_any_length_may_end_a_line),
        TEST(what_follows_a_gzip_stream_is_no_part_of_it),
        TEST(a_bomb_is_stopped),
        TEST(a_cut_stream_says_so),
        TEST(the_best_guess_wins),
        TEST(a_rule_of_the_configuration_wins),
        TEST(summaries_are_one_scrubbed_line),
        TEST(a_decoder_says_the_gist_itself),
        TEST(the_gist_of_what_is_wrapped_is_the_whole_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
