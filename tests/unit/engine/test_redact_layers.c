/* What `redact` hides behind layers: JSON in strings, base64, gzip. */
#include "redact_rig.h"

#include "base/buffer.h"
#include "base/limits.h"

#include <stdio.h>
#include <zlib.h>

static uint8_t zipped[MIB];

static struct bytes zip(const char *text)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text,
                  .avail_in = (uInt)strlen(text),
                  .next_out = zipped,
                  .avail_out = sizeof zipped};
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, 0);
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return bytes_of(zipped, z.total_out);
}

/* JSON in a string, so many times. */
static void nest(char *into, size_t size, const char *innermost, int times)
{
    static char inner[16384];
    snprintf(into, size, "%s", innermost);
    for (int i = 0; i < times; i++) {
        size_t used = 0;
        snprintf(inner, sizeof inner, "%s", into);
        used += (size_t)snprintf(into, size, "{\"a\":\"");
        for (const char *c = inner; *c; c++) {
            if (*c == '"' || *c == '\\')
                into[used++] = '\\';
            into[used++] = *c;
        }
        snprintf(into + used, size - used, "\"}");
    }
}

static void layers_beyond_those_that_are_opened_are_none_either(void **state)
{
    (void)state;
    static char text[16384];
    hide(REDACT_FIELD, "card");
    nest(text, sizeof text, "{\"card\":4}", 9);
    expect(text, "{\"a\":\"[redacted]\"}");
    nest(text, sizeof text, "{\"c\":4}", 2);
    expect(text, text);
}

static void layers_are_no_way_around(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    expect("{\"a\":\"{\\\"card\\\":4111}\",\"b\":2}", "{\"a\":\"[redacted]\",\"b\":2}");
    expect("eyJjYXJkIjo0MTExLCJmaWxsaW5nIjoiYWFhYWFhYWFhYWFhIn0=", "[redacted]");
    struct message m = {.payload = zip("{\"card\":4111}")};
    const struct message *out = redactor_apply(redactor, &m);
    assert_memory_equal(out->payload.data, "[redacted]", 10);
    m.payload.len -= 9; /* cut: what is inside may still show */
    out = redactor_apply(redactor, &m);
    assert_memory_equal(out->payload.data, "[redacted", 9);
}

/* A schema registry's: Confluent's, one with an id that is no UTF-8, and AWS Glue's. Each is {"card":4111,"n":1} in base64. */
static void a_frame_is_no_way_around_in_a_layer_either(void **state)
{
    (void)state;
    static const char *const framed[] = {"AAAAAAd7ImNhcmQiOjQxMTEsIm4iOjF9",
                                         "AP/+AMh7ImNhcmQiOjQxMTEsIm4iOjF9",
                                         "AwDw8fLz9PX29/j5+vv8/f7/eyJjYXJkIjo0MTExLCJuIjoxfQ==",
                                         "QUFBQUFBZDdJbU5oY21RaU9qUXhNVEVzSW00aU9qRjk=" /* twice */};
    char text[200];
    hide(REDACT_FIELD, "card");
    for (size_t i = 0; i < sizeof framed / sizeof *framed; i++) {
        expect(framed[i], "[redacted]");
        snprintf(text, sizeof text, "{\"value\":\"%s\",\"n\":1}", framed[i]);
        expect(text, "{\"value\":\"[redacted]\",\"n\":1}");
        snprintf(text, sizeof text, "[\"%s\"", framed[i]);
        expect(text, UNREAD);
        snprintf(text, sizeof text, "%s, cut", framed[i]);
        expect(text, UNREAD);
    }
    expect("{\"value\":\"\\u0000\\u0000\\u0000\\u0000\\u0007{\\\"card\\\":1}\"}",
           "{\"value\":\"[redacted]\"}");
    expect("[\"AP/+AMh7Im4iOjF9\"]", "[\"AP/+AMh7Im4iOjF9\"]");
}

static void expect_zipped(const char *text, bool hidden)
{
    struct message m = {.payload = zip(text)};
    const struct message *out = redactor_apply(redactor, &m);
    if (hidden)
        assert_true(bytes_equal_text(out->payload, "[redacted]"));
    else
        assert_ptr_equal(out, &m);
}

/* As many as there may be: what is looked into is bounded by the work alone. */
static void many_strings_in_a_layer_are_read(void **state)
{
    (void)state;
    struct buffer in;
    buffer_init(&in, 4 * MIB);
    for (int i = 0; i < 70000; i++)
        buffer_printf(&in, "%c\"{\\\"n\\\":%d}\"", i ? ',' : '[', i);
    buffer_text(&in, "]");
    hide(REDACT_FIELD, "card");
    expect_zipped(buffer_cstr(&in), false);
    in.len--;
    buffer_text(&in, ",\"{\\\"card\\\":1}\"]");
    expect_zipped(buffer_cstr(&in), true);
    buffer_free(&in);
}

/* As `unwrap` shows it: what a string holds stands under the string's name. */
static void a_path_leads_through_strings(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card.*");
    expect("{\"card\":\"{\\\"number\\\":4111}\",\"n\":1}", "{\"card\":\"[redacted]\",\"n\":1}");
    expect("{\"card\":\"eyJudW1iZXIiOjQxMTF9\"}", "{\"card\":\"[redacted]\"}");
    expect("{\"card\":[1,\"{\\\"a\\\":\\\"[{\\\\\\\"b\\\\\\\":1}]\\\"}\"]}", "{\"card\":[1,\"[redacted]\"]}");
    expect("{\"other\":\"{\\\"number\\\":4111}\",\"card\":\"4111\"}",
           "{\"other\":\"{\\\"number\\\":4111}\",\"card\":\"4111\"}");
    expect_zipped("{\"card\":\"{\\\"number\\\":4111}\"}", true);
    expect_zipped("{\"other\":\"{\\\"number\\\":4111}\",\"card\":1}", false);
}

/* 256 strings of 1 MiB each: as many as one look may unpack are read, and the others are hidden unread. */
static void strings_cost_no_more_than_one_look(void **state)
{
    (void)state;
    uint8_t frame[6 + 8 * 4] = {0x28, 0xB5, 0x2F,
                                0xFD, 0,    0x38}; /* zstd, RFC 8878: blocks of one byte again and again */
    for (uint32_t i = 0, header = 128 * KIB << 3 | 1 << 1; i < 8; i++)
        memcpy(
            frame + 6 + 4 * i,
            (uint8_t[]){(uint8_t)(header | (i == 7)), (uint8_t)(header >> 8), (uint8_t)(header >> 16), 'A'},
            4);
    struct buffer in;
    buffer_init(&in, MIB);
    for (int i = 0; i < 256; i++) {
        buffer_text(&in, i ? ",\"" : "[\"");
        buffer_base64(&in, bytes_of(frame, sizeof frame));
        buffer_text(&in, "\"");
    }
    buffer_text(&in, "]");
    hide(REDACT_FIELD, "card");
    for (int again = 0; again < 2; again++) { /* each message has its own */
        struct message m = {.payload = buffer_view(&in)};
        const struct message *out = redactor_apply(redactor, &m);
        assert_memory_equal(out->payload.data, "[\"KLUv", 6);
        assert_true(out->payload.len > 100 * sizeof frame);
        assert_memory_equal(out->payload.data + out->payload.len - 13, "\"[redacted]\"]", 13);
    }
    buffer_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(layers_beyond_those_that_are_opened_are_none_either),
        TEST(layers_are_no_way_around),
        TEST(a_frame_is_no_way_around_in_a_layer_either),
        TEST(many_strings_in_a_layer_are_read),
        TEST(a_path_leads_through_strings),
        TEST(strings_cost_no_more_than_one_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
