/* What is wrapped and large: how far a tree of it reaches, and that a look-up reaches to its end. */
#include "unwrap_rig.h"

#include "base/text.h"
#include "engine/decode.h"
#include "registry.h"

#include <stdio.h>

/* gzip of an array of it, so many bytes long. */
static struct bytes zip_strings(struct bytes one, size_t len)
{
    base64(one);
    buffer_clear(&text);
    while (text.len < len)
        buffer_printf(&text, "%c\"%s\"", text.len ? ',' : '[', buffer_cstr(&b64));
    buffer_byte(&text, ']');
    return zip(buffer_view(&text));
}

/* ---- trees ---- */

/* The room is full of bytes, and fields are beside it: as many as those bytes have. */
static void a_layer_that_is_cut_shows_what_fits(void **state)
{
    (void)state;
    struct decoded d = {.choice = {.decoder = NULL}};
    struct message m = {.payload = zip(items(5 * MIB - 100 * KIB))};
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_string_equal(d.tree.error, "unpacked 4.3 MiB of 4.9 MiB; there is no room for the rest");
    assert_true(d.tree.limited && d.tree.error_layer == 1 && d.tree.error_at == d.tree.layers[0].len);
    assert_true(d.tree.layers[0].len > 4 * MIB && d.arena.used <= LIMIT_DECODE_VIEW);
    assert_true(d.tree.count > 100000);
    assert_int_equal(d.tree.nodes[0].kind, FIELD_LAYER);
    decoded_free(&d);
}

static void a_layer_that_fits_is_whole(void **state)
{
    (void)state;
    struct decoded d = {.choice = {.decoder = NULL}};
    struct message m = {.payload = zip(items(2 * MIB))};
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_true(d.tree.complete && d.tree.count > 10000);
    decoded_free(&d);
}

/* Where there are more fields than there is room for, that is what ends the tree; the layer's number goes with the place. */
static void too_many_fields_are_said_with_their_layer(void **state)
{
    (void)state;
    struct decoded d = {.choice = {.decoder = NULL}};
    buffer_text(&text, "[0");
    while (text.len < 6 * MIB)
        buffer_text(&text, ",1");
    buffer_text(&text, "]");
    struct message m = {.payload = zip(buffer_view(&text))};
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_true(d.tree.limited && d.tree.error_layer == 1 && d.tree.count == LIMIT_DECODE_NODES);
    assert_string_equal(d.tree.error, "more than 200000 fields; unpacked 4.3 MiB of 6.0 MiB");
    decoded_free(&d);
}

/* A thousandfold is no data's growth; two hundredfold, as of a table of zeros, is. */
static void only_a_bomb_is_called_one(void **state)
{
    (void)state;
    struct decoded d = {.choice = {.decoder = NULL}};
    buffer_reserve(&text, 40 * MIB);
    memset(text.data, 0, 40 * MIB);
    struct message m = {.payload = zip(bytes_of(text.data, 40 * MIB))};
    assert_true(m.payload.len * 1000 < 40 * MIB);
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_non_null(strstr(d.tree.error, "a bomb"));
    assert_false(d.tree.limited);
    for (int i = 0; text.len < 40 * MIB; i++)
        buffer_printf(&text, "%d%04000d\n", i, 0);
    m.payload = zip(buffer_view(&text));
    assert_true(m.payload.len * 150 < 40 * MIB);
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_null(strstr(d.tree.error, "bomb"));
    assert_non_null(strstr(d.tree.error, "of 40.0 MiB"));
    decoded_free(&d);
}

static void zstd_says_what_it_becomes_too(void **state)
{
    (void)state;
    struct decoded d = {.choice = {.decoder = NULL}};
    struct bytes in = items(6 * MIB);
    uint8_t *to = buffer_reserve(&gz, ZSTD_compressBound(in.len));
    gz.len = ZSTD_compress(to, gz.cap, in.data, in.len, 3);
    struct message m = {.payload = buffer_view(&gz)};
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_string_equal(d.tree.error, "unpacked 4.3 MiB of 6.0 MiB; there is no room for the rest");
    m.payload = base64(in);
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_string_equal(d.tree.error, "unpacked 4.3 MiB of 6.0 MiB; there is no room for the rest");
    decoded_free(&d);
}

/* Also where it is the last one that the nodes had room for: the document around it is whole. */
static void a_damaged_string_stays_one_wherever_it_is(void **state)
{
    (void)state;
    struct decoded d = {.choice = {.decoder = NULL}};
    struct message m = {.payload = zip_strings(BAD_ZSTD, 100 * KIB)};
    decoded_make(&d, registry.decoders, &m, NULL);
    assert_true(d.tree.complete && !d.tree.unopened && d.tree.count > 2000);
    decoded_free(&d);
}

/* A few kilobytes with a thousand strings, of each of which two megabytes come off before it proves to be damaged. */
static void what_a_tree_tries_has_an_end(void **state)
{
    (void)state;
    struct arena arena;
    struct field_tree tree;
    buffer_reserve(&text, 2 * MIB);
    memset(text.data, 'x', 2 * MIB);
    struct bytes one = zip(bytes_of(text.data, 2 * MIB));
    one.len -= 4;
    struct bytes in = zip_strings(one, 3 * MIB);
    arena_init(&arena, LIMIT_DECODE_ARENA);
    field_tree_init(&tree, &arena, in);
    assert_int_equal(unwrap_decoder.decode(in, NULL, &tree), ERR_OK);
    assert_true(tree.complete && tree.unopened && tree.count > 500);
    arena_free(&arena);
}

/* The effort ends while it is told whether there is something to open in the fourth. */
static void strings_that_are_too_much_to_try_are_said(void **state)
{
    (void)state;
    struct arena arena;
    struct field_tree tree;
    buffer_text(&text, "{\"a\":\"");
    while (text.len < 9 * MIB + 512 * KIB)
        buffer_text(&text, "words and words ");
    buffer_text(&text, "\"}");
    base64(buffer_view(&text));
    buffer_clear(&text);
    for (int i = 0; i < 4; i++)
        buffer_printf(&text, "%c\"%s\"", i ? ',' : '[', buffer_cstr(&b64));
    buffer_byte(&text, ']');
    arena_init(&arena, LIMIT_DECODE_ARENA);
    field_tree_init(&tree, &arena, buffer_view(&text));
    assert_int_equal(unwrap_decoder.decode(buffer_view(&text), NULL, &tree), ERR_OK);
    assert_true(tree.complete && tree.layer_count == 3 && tree.unopened);
    arena_free(&arena);
}

static void check_closed(struct bytes one)
{
    struct decoded d = {.choice = {.decoder = NULL}};
    base64(one);
    buffer_clear(&text);
    buffer_printf(&text, "{\"a\":\"%s\"}", buffer_cstr(&b64));
    struct message m = {.payload = buffer_view(&text)};
    decoded_make(&d, registry.decoders, &m, "unwrap");
    assert_true(d.tree.complete && d.tree.count == 2 && d.tree.unopened);
    decoded_free(&d);
}

static void strings_that_there_is_no_room_for_are_said(void **state)
{
    (void)state;
    check_closed(items(5 * MIB));
    check_closed(zip(items(5 * MIB)));
}

/* ---- looking up ---- */

struct found {
    char text[300];
    int more;      /* visits before it has had enough; 0: none */
    bool unlisted; /* a tree has not the bytes of the payload's own lists */
};

static bool append(void *context, enum field_kind kind, struct bytes value, struct bytes raw)
{
    struct found *f = context;
    size_t n = strlen(f->text);
    bool list = kind == FIELD_OBJECT || kind == FIELD_ARRAY;
    struct bytes shown = !list ? value : f->unlisted ? BYTES_NULL : raw;
    snprintf(f->text + n, sizeof f->text - n, "%s:%.*s ", field_kind_name(kind), (int)shown.len,
             shown.data ? (const char *)shown.data : "");
    return --f->more != 0;
}

static enum err look_up(struct bytes in, const char *path, struct found *f)
{
    struct arena arena;
    struct field_path p;
    arena_init(&arena, MIB);
    assert_int_equal(field_path_parse(&p, bytes_of_text(path), &arena, NULL), ERR_OK);
    *f = (struct found){.more = f->more, .unlisted = f->unlisted};
    enum err e = unwrap_decoder.find(in, &p, append, f);
    arena_free(&arena);
    return e;
}

static void check_agree(struct bytes in)
{
    static const char *const paths[] = {"a",     "a.b", "a[*].b", "a[0].b.c", "[*].a",  "[1].a",
                                        "a.b.c", "c",   "c.d",    "c.d[1]",   "[*][*]", ""};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct arena arena;
        struct field_tree tree;
        struct field_path path;
        bool plain = in.len && (in.data[0] == '{' || in.data[0] == '[');
        struct found quick = {.unlisted = plain}, slow = quick;
        arena_init(&arena, LIMIT_DECODE_ARENA);
        assert_int_equal(look_up(in, paths[i], &quick), ERR_OK);
        field_tree_init(&tree, &arena, in);
        (void)unwrap_decoder.decode(in, NULL, &tree);
        assert_int_equal(field_path_parse(&path, bytes_of_text(paths[i]), &arena, NULL), ERR_OK);
        field_find(&tree, &path, append, &slow);
        if (!tree.unopened && strcmp(quick.text, slow.text) != 0)
            fail_msg("%s in %.*s: quick %s, slow %s", paths[i], (int)in.len, (const char *)in.data,
                     quick.text, slow.text);
        arena_free(&arena);
    }
}

static void look_up_and_tree_agree(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":{\"b\":{\"c\":1}},\"c\":\"plain\"}",
        "{\"a\":[{\"b\":\"{\\\"c\\\":2}\"},{\"b\":null}],\"c\":\"{\\\"d\\\":\\\"[1,2]\\\"}\"}",
        "{\"a\":\"eyJiIjp7ImMiOjd9fQ==\",\"c\":\"QWxhZGRpbjpvcGVuIHNlc2FtZQ==\"}",
        "{\"a\":\"H4sIAAAAAAAAA6tWSlSyMqwFAA==\",\"c\":1}", /* a gzip stream that is cut off: a string */
        "{\"a\":1}\n\n[{\"a\":2},3]\n{\"a\":\"{\\\"x\\\":1}\"}\n",
        "some words of text",
        "\"{\\\"a\\\":{\\\"b\\\":1}}\"",
        "",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bytes in = bytes_of_text(texts[i]);
        if (*texts[i] == '{' && !strchr(texts[i], '\n'))
            check_agree(in);
        check_agree(zip(in));
        if (in.len)
            check_agree(base64(in));
        check_agree(base64(zip(in)));
        buffer_clear(&text);
        buffer_printf(&text, "{\"c\":{\"d\":\"%s\"},\"a\":\"%s\"}", buffer_cstr(&b64), buffer_cstr(&b64));
        check_agree(buffer_view(&text));
        check_agree(zip(buffer_view(&text)));
    }
}

static void a_look_up_reaches_to_the_end(void **state)
{
    (void)state;
    struct found f = {.text = ""};
    struct bytes in = items(20 * MIB);
    assert_int_equal(look_up(zip(in), "end", &f), ERR_OK);
    assert_string_equal(f.text, "string:GZ-END ");
    assert_int_equal(look_up(base64(in), "end", &f), ERR_OK);
    assert_string_equal(f.text, "string:GZ-END ");
    in = items(14 * MIB);
    assert_int_equal(look_up(base64(zip(in)), "end", &f), ERR_OK);
    assert_string_equal(f.text, "string:GZ-END ");
}

/* What is beyond the limit, or behind a fault, is not said to be absent; what stands before it is found. */
static void what_a_look_up_does_not_see_is_said(void **state)
{
    (void)state;
    struct found f = {.text = ""};
    struct bytes in = items(25 * MIB);
    assert_int_equal(look_up(zip(in), "end", &f), ERR_LIMIT);
    assert_string_equal(f.text, "");
    assert_int_equal(look_up(base64(in), "end", &f), ERR_LIMIT);
    assert_int_equal(look_up(zip(in), "items[0].id", &f), ERR_LIMIT);
    assert_string_equal(f.text, "number:26914 ");
    in = zip(items(MIB));
    in.len -= 10;
    assert_int_equal(look_up(in, "end", &f), ERR_FORMAT);
    assert_int_equal(look_up(in, "items[0].id", &f), ERR_FORMAT);
    assert_string_equal(f.text, "number:26914 ");
    assert_int_equal(look_up(zip(BYTES_LITERAL("[\"a\",")), "end", &f),
                     ERR_OK); /* seen whole, and malformed */
    base64(items(25 * MIB));
    buffer_clear(&text);
    buffer_printf(&text, "{\"a\":1,\"b\":\"%s\"}", buffer_cstr(&b64));
    assert_int_equal(look_up(buffer_view(&text), "b.end", &f), ERR_LIMIT);
    assert_int_equal(look_up(buffer_view(&text), "a", &f), ERR_OK);
    assert_string_equal(f.text, "number:1 ");
}

static void a_visitor_that_has_had_enough_is_left_alone(void **state)
{
    (void)state;
    struct found f = {.more = 2};
    struct bytes in = zip(BYTES_LITERAL("[\"{\\\"a\\\":1}\",\"{\\\"a\\\":2}\",\"{\\\"a\\\":3}\"]"));
    assert_int_equal(look_up(in, "[*].a", &f), ERR_OK);
    assert_string_equal(f.text, "number:1 number:2 ");
}

/* Each has room reserved for what it may hold, which is given back: what comes behind them stands where it did. */
static void strings_that_hold_nothing_take_no_place(void **state)
{
    (void)state;
    struct arena arena;
    struct field_tree tree;
    buffer_clear(&text);
    buffer_byte(&text, '[');
    for (int len = 40000; len < 58000; len += 100) {
        buffer_text(&text, "\"eyJZN"); /* {"Y7 */
        for (int i = 0; i < len / 4; i++)
            buffer_text(&text, "3hZN");
        buffer_text(&text, "3hZ\",");
    }
    buffer_text(&text, "\"esc\\naped\"]");
    arena_init(&arena, LIMIT_DECODE_ARENA);
    field_tree_init(&tree, &arena, buffer_view(&text));
    assert_int_equal(unwrap_decoder.decode(buffer_view(&text), NULL, &tree), ERR_OK);
    assert_true(bytes_equal_text(field_text(&tree, &tree.nodes[tree.count - 1]), "esc\naped"));
    assert_true(arena.used < MIB);
    assert_true(arena_place(&arena, arena_alloc(&arena, 1)) < 64 * MIB);
    arena_free(&arena);
}

/* A few kilobytes that become gigabytes, string by string. */
static void a_look_up_has_an_end(void **state)
{
    (void)state;
    struct found f = {.text = ""};
    buffer_clear(&text);
    while (text.len < 7 * MIB)
        buffer_printf(&text, "%c{\"abc\":123456789,\"d\":\"efghijklmnop\"}", text.len ? ',' : '[');
    buffer_byte(&text, ']');
    base64(zip(buffer_view(&text)));
    buffer_clear(&text);
    for (int i = 0; i < 200; i++)
        buffer_printf(&text, "%c\"%s\"", i ? ',' : '[', buffer_cstr(&b64));
    buffer_byte(&text, ']');
    assert_int_equal(look_up(zip(buffer_view(&text)), "[*].x", &f), ERR_LIMIT);
    assert_string_equal(f.text, "");
}

/* A few kilobytes with sixty thousand streams, of each of which nothing comes off: trying has its price. */
static void strings_that_yield_nothing_end_a_look_up_too(void **state)
{
    (void)state;
    struct found f = {.text = ""};
    static const char *const one[] = {"{}", "[\\\"", "[1]"};
    assert_int_equal(look_up(zip_strings(BAD_ZSTD, 2 * MIB), "[*].x", &f), ERR_LIMIT);
    assert_string_equal(f.text, "");
    assert_int_equal(look_up(zip_strings(BAD_ZSTD, MIB), "[*].x", &f), ERR_OK);
    /* its block writes 128 KiB before it proves to be damaged */
    static const uint8_t late[] =
        "\x28\xb5\x2f\xfd\xa0\x00\x00\x02\x00\x95\x00\x00\x50\x61\x62\x63\x64\x65\x66\x67"
        "\x68\x69\x6a\x01\x00\xf3\xf7\xcd\x0b\x12";
    assert_int_equal(look_up(zip_strings(bytes_of(late, 30), 100 * KIB), "[*].x", &f), ERR_LIMIT);
    assert_int_equal(look_up(zip_strings(bytes_of(late, 30), 10 * KIB), "[*].x", &f), ERR_OK);
    for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
        buffer_clear(&text);
        while (text.len < 16 * MIB)
            buffer_printf(&text, "%c\"%s\"", text.len ? ',' : '[', one[i]);
        buffer_byte(&text, ']');
        assert_int_equal(look_up(zip(buffer_view(&text)), "[*].x", &f), ERR_LIMIT);
    }
    buffer_clear(&text);
    while (text.len < 16 * MIB)
        buffer_text(&text, "[]\n");
    assert_int_equal(look_up(zip(buffer_view(&text)), "[*].x", &f), ERR_LIMIT);
}

#define WORDS (8 * MIB - 1)

static bool count_words(void *context, enum field_kind kind, struct bytes value, struct bytes raw)
{
    (void)raw;
    assert_int_equal(kind, FIELD_STRING);
    assert_int_equal(value.len, WORDS);
    ++*(int *)context;
    return true;
}

/* What ends it ends within a string, of which nothing is said then: its beginning is another text, and so are the bytes that wrap it. */
static void a_string_is_seen_whole_or_not_at_all(void **state)
{
    (void)state;
    struct arena arena;
    struct field_path path;
    int count = 0;
    buffer_clear(&text);
    while (text.len < WORDS)
        buffer_text(&text, "words, words. ");
    struct bytes in = zip(bytes_of(text.data, WORDS));
    base64(in);
    buffer_clear(&text);
    for (int i = 0; i < 9; i++)
        buffer_printf(&text, "%c\"%s\"", i ? ',' : '[', buffer_cstr(&b64));
    buffer_byte(&text, ']');
    arena_init(&arena, MIB);
    assert_int_equal(field_path_parse(&path, BYTES_LITERAL("[*]"), &arena, NULL), ERR_OK);
    assert_int_equal(unwrap_decoder.find(zip(buffer_view(&text)), &path, count_words, &count), ERR_LIMIT);
    assert_in_range(count, 1, 8);
    arena_free(&arena);
}

static void frames_of_zstd_follow_each_other(void **state)
{
    (void)state;
    struct found f = {.text = ""};
    struct bytes in = items(14 * MIB);
    size_t most = ZSTD_compressBound(in.len);
    uint8_t *to = buffer_reserve(&gz, 2 * most);
    size_t one = ZSTD_compress(to, most, in.data, in.len, 1),
           two = ZSTD_compress(to + one, most, in.data, in.len, 1);
    assert_int_equal(look_up(bytes_of(to, one), "end", &f), ERR_OK);
    assert_int_equal(look_up(bytes_of(to, one + two), "nothing", &f), ERR_LIMIT);
}

/* ---- telling ---- */

/* Base64 for more than the first 64 KiB, and something else behind it: a text. */
static void what_only_begins_as_base64_is_text(void **state)
{
    (void)state;
    const char *why;
    struct found f = {.text = ""};
    base64(items(60 * KIB));
    buffer_text(&b64, "\n-- signature: {\"order\":\"o-77\"}\n");
    struct message m = {.payload = buffer_view(&b64)};
    assert_int_equal(unwrap_decoder.sniff(m.payload, NULL, &why), 0);
    assert_string_equal(decode_choose(registry.decoders, &m, NULL).decoder->name, "text");
    struct bytes in = zip(m.payload);
    struct decoded d = {.choice = {.decoder = NULL}};
    struct message wrapped = {.payload = in};
    decoded_make(&d, registry.decoders, &wrapped, NULL);
    assert_true(d.tree.complete && d.tree.count == 2 && d.tree.nodes[1].kind == FIELD_STRING);
    decoded_free(&d);
    assert_int_equal(look_up(in, "", &f), ERR_OK);
    assert_true(text_starts(f.text, "string:eyJpdGVtcyI6"));
    base64(in);
    buffer_clear(&text);
    buffer_printf(&text, "{\"a\":\"%s\"}", buffer_cstr(&b64));
    assert_int_equal(look_up(buffer_view(&text), "[*]", &f), ERR_OK);
    assert_true(text_starts(f.text, "string:eyJpdGVtcyI6"));
}

static void base64_is_told_by_its_lines_and_its_length(void **state)
{
    (void)state;
    const char *why;
    static const char *const ends[] = {"\r\n", "\n", "AA=\n=", "AA\n\r\n", "=\n", "==", "AB==", "A", "!"};
    for (size_t width = 60; width < 68; width++)
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
            buffer_clear(&text);
            for (size_t n = 0; n < 12 * width; n++)
                buffer_printf(&text, "%c%s", "aB3/"[n % 4], n % width == width - 1 ? "\r\n" : "");
            text.len -= 2;
            buffer_text(&text, ends[i]);
            assert_int_equal(unwrap_decoder.sniff(buffer_view(&text), NULL, &why), i < 4 ? 65 : 0);
        }
}

/* So many characters a line, and one less in every other one. */
static void break_lines(size_t width, const char *end)
{
    buffer_clear(&gz);
    for (size_t at = 0, i = 0, n; at < b64.len; at += n, i++) {
        n = width - i % 2;
        buffer_bytes(&gz, bytes_slice(buffer_view(&b64), at, n));
        buffer_text(&gz, end);
    }
}

/* What the decoder reads to its end is found wherever it stands: unpadded, with an empty line behind it, in uneven lines. */
static void base64_is_found_however_it_is_written(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "\n", "\r\n", "\r\n\r\n"};
    const char *why;
    for (size_t width = 3; width < 90; width += 29)
        for (size_t i = 0; i < 2 * (sizeof ends / sizeof *ends); i++) {
            struct found f = {.text = ""};
            struct buffer outer;
            buffer_init(&outer, MIB);
            base64(items(2 * KIB));
            while (i % 2 && b64.data[b64.len - 1] == '=')
                b64.len--;
            break_lines(width, ends[i / 2]);
            assert_true(unwrap_decoder.sniff(buffer_view(&gz), NULL, &why) == 65);
            assert_int_equal(look_up(buffer_view(&gz), "end", &f), ERR_OK);
            assert_string_equal(f.text, "string:GZ-END ");
            buffer_printf(&outer, "{\"a\":\"");
            for (size_t at = 0; at < gz.len; at++)
                buffer_printf(&outer, gz.data[at] < ' ' ? "\\u%04x" : "%c", gz.data[at]);
            buffer_text(&outer, "\"}");
            assert_int_equal(look_up(buffer_view(&outer), "a.end", &f), ERR_OK);
            assert_string_equal(f.text, "string:GZ-END ");
            check_agree(buffer_view(&outer));
            check_agree(zip(buffer_view(&outer)));
            buffer_free(&outer);
        }
}

static void ids_and_words_are_none(void **state)
{
    (void)state;
    const char *why;
    static const char *const texts[] = {"HelloWorld12\nHelloWorld34\n", "5xQm3nZc0VwB7yTg2LrUAA",
                                        "Abcdefghijk0123A"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(unwrap_decoder.sniff(bytes_of_text(texts[i]), NULL, &why), i < 2 ? 0 : 65);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_layer_that_is_cut_shows_what_fits),
        TEST(a_layer_that_fits_is_whole),
        TEST(too_many_fields_are_said_with_their_layer),
        TEST(only_a_bomb_is_called_one),
        TEST(zstd_says_what_it_becomes_too),
        TEST(look_up_and_tree_agree),
        TEST(a_look_up_reaches_to_the_end),
        TEST(what_a_look_up_does_not_see_is_said),
        TEST(a_damaged_string_stays_one_wherever_it_is),
        TEST(what_a_tree_tries_has_an_end),
        TEST(strings_that_are_too_much_to_try_are_said),
        TEST(strings_that_there_is_no_room_for_are_said),
        TEST(strings_that_hold_nothing_take_no_place),
        TEST(a_look_up_has_an_end),
        TEST(strings_that_yield_nothing_end_a_look_up_too),
        TEST(a_string_is_seen_whole_or_not_at_all),
        TEST(frames_of_zstd_follow_each_other),
        TEST(a_visitor_that_has_had_enough_is_left_alone),
        TEST(what_only_begins_as_base64_is_text),
        TEST(base64_is_found_however_it_is_written),
        TEST(ids_and_words_are_none),
        TEST(base64_is_told_by_its_lines_and_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
