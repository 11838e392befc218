/* What `redact` hides, and that nothing gets around it. */
#include "redact_rig.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "engine/decode.h"

#include <stdlib.h>
#include <stdio.h>

static void fields_are_hidden_at_any_depth(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card.*");
    expect("{\"card\": {\"number\": \"4111\", \"cvc\" : 12}, \"b\":1}",
           "{\"card\": {\"number\": \"[redacted]\", \"cvc\" : \"[redacted]\"}, \"b\":1}");
    expect("{\"o\":[{\"card\":{\"n\":{\"x\":1}}}]}", "{\"o\":[{\"card\":{\"n\":\"[redacted]\"}}]}");
    expect("{\"c\\u0061rd\":{\"n\":1}}", "{\"c\\u0061rd\":{\"n\":\"[redacted]\"}}");
    expect("{\"card\":\"visa\",\"discard\":{\"n\":1}}", "{\"card\":\"visa\",\"discard\":{\"n\":1}}");
    expect("no card.n here", "no card.n here");
}

/* RFC 8259 section 7: \u is not the only one. PHP writes \/. */
static void escaped_names_are_names(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card/number");
    expect("{\"card\\/number\":4111,\"n\":1}", "{\"card\\/number\":\"[redacted]\",\"n\":1}");
    expect("{\"a\":\"{\\\"card\\\\/number\\\":4111}\"}", "{\"a\":\"[redacted]\"}");
    expect("{\"a\":\"x\\ny\",\"n\":1}", "{\"a\":\"x\\ny\",\"n\":1}");
}

/* Only \u with four digits stands for a letter. */
static void a_backslash_alone_names_no_letters(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    expect("[1] C:\\temp", "[1] C:\\temp");
    expect("[1] C:\\users", "[1] C:\\users");
    expect("[1] C:\\u0041", UNREAD);
}

/* In a string, where no byte of the field's name stands. */
static void nor_is_base64_in_a_string(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "password");
    expect("{\"w\":\"eyJwYXNzd29yZCI6Imh1bnRlcjItU2VjcmV0IiwiYSI6MX0=\"}", "{\"w\":\"[redacted]\"}");
    expect("[1,\"IHsicGFzc3dvcmQiOjEsIng6eSI6Ij8\\/Pz8\\/In0g\"]", "[1,\"[redacted]\"]"); /* an escaped / */
    expect("[\"ZXlKd1lYTnpkMjl5WkNJNk1UTXpOMzA9\"]", "[\"[redacted]\"]");                 /* twice */
    expect("{\"a\":\"{\\\"b\\\":\\\"eyJwYXNzd29yZCI6MTMzN30=\\\"}\"}", "{\"a\":\"[redacted]\"}");
    expect("{\"w\":\"eyJ1c2VyIjoiYW5uYSIsImEiOjF9\"}", "{\"w\":\"eyJ1c2VyIjoiYW5uYSIsImEiOjF9\"}");
    expect("[\"eyJwYXNzd29yZCI6MTMzN30=\"", UNREAD);
    /* {"password":1,"url":"?"} in JSON in a string: behind a line's end, and with / escaped */
    expect("{\"d\":\"{\\\"e\\\":\\\"\\\\neyJwYXNzd29yZCI6MTMzN30=\\\"}\"}", "{\"d\":\"[redacted]\"}");
    expect("{\"d\":\"{\\\"e\\\":\\\"eyJw\\\\r\\\\nYXNzd29yZCI6MTMzN30=\\\"}\"}", "{\"d\":\"[redacted]\"}");
    expect("{\"d\":\"{\\\"e\\\":\\\"IHsicGFzc3dvcmQiOjEsIng6eSI6Ij8\\\\/Pz8\\\\/In0g\\\"}\"}",
           "{\"d\":\"[redacted]\"}");
    expect("[\"iVBORw0KGgoAAAANSUhEUgAAAAUA\"", "[\"iVBORw0KGgoAAAANSUhEUgAAAAUA\""); /* an image */
}

/* However it stands there, `unwrap` would show what it reads; and nobody knows what a part of the rest shows. {"card":4111,"n":1} */
static void nor_is_base64_that_nobody_would_guess(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    static const char *const read[] = {"eyJjYXJkIjo0MTExLCJuIjoxfQ", "eyJjYXJkIjo0MTExLCJuIjoxfQ==\n\r\n",
                                       "\neyJj\nYXJkIjo\r\n0MTExLCJuIjoxfQ", "eyJjYXJkIjo0fQ",
                                       "ZXlKallYSmtJam8wZlE" /* twice */};
    static const char *const unread[] = {
        "eyJjYXJkIjo0MTExLCJuIjoxfQ== ", "eyJjYXJkIjo0MTExLCJuIjoxfQ==\nwords.",
        "eyJj\nYXJkIjo0MTExLCJuIjox.", "eyJjYXJkIjo0MTExLCJuIjox", "ZXlKallYSmtJam8wZlE\nand words"};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        expect(read[i], "[redacted]");
    for (size_t i = 0; i < sizeof unread / sizeof *unread; i++)
        expect(unread[i], UNREAD);
    expect("{\"a\":\"eyJjYXJkIjo0MTExLCJuIjoxfQ\"}", "{\"a\":\"[redacted]\"}");
    expect("{\"a\":\"\\neyJj\\nYXJkIjo0MTExLCJuIjoxfQ==\\r\\n\"}", "{\"a\":\"[redacted]\"}");
    expect("{\"a\":\"eyJjYXJkIjo0fQ\",\"b\":1}", "{\"a\":\"[redacted]\",\"b\":1}");
    expect("[\"eyJjYXJkIjo0MTExLCJuIjoxfQ== \",2]", "[\"[redacted]\",2]");
    expect("[\"eyJjYXJkIjo0MTExLCJuIjoxfQ==\\nand words\"]", "[\"[redacted]\"]");
    expect("e/8iY2FyZCI6IjQxMTEifQ==", "[redacted]"); /* {, no text, "card":"4111"} */
}

static void words_and_hashes_that_read_as_base64_stay(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    static const char *const texts[] = {
        "exit", "exam", "eyes and ears", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "{\"a\":\"exit\",\"b\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"card2\":1}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], texts[i]);
}

/* They begin like base64 of {}, [], {" or [f, and go on as no JSON does. */
static void ids_that_begin_like_base64_of_json_stay(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    static const char *const texts[] = {
        "e31f2a4b-1c2d-4e5f-8a9b-0123456789ab",
        "e31f2a4b1c2d4e5f8a9b0123456789ab",
        "e30",
        "e30-7",
        "W1012345",
        "W2Yorkshire",
        "W2Yorkshires",
        "W2Y",
        "W3s",
        "W3s-1234",
        "W3sandals",
        "eyI",
        "eyLondon01",
        "eyLondon",
        "eyJ",
        "eyJohnson-17",
        "W1",
        "W1wd0srkIw0zlvM",
        "eyI6TMcj9AYwTMSpcqx5",
        "{\"id\":\"W1012345\",\"card2\":\"e31f2a4b1c2d4e5f8a9b0123456789ab\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], texts[i]);
    struct message m = {.key = bytes_of_text(texts[0]), .payload = BYTES_LITERAL("{\"n\":1}")};
    assert_ptr_equal(redactor_apply(redactor, &m), &m);
    expect("e31bImNhcmQiOjQxMTFd.", UNREAD);   /* {}["card":4111] */
    expect("eyAiY2FyZCIgOiA0MTExfQ.", UNREAD); /* a blank before the colon */
}

static const struct origin asked = {.decode = "unwrap"};

/* Once guessed, once asked for. */
static void expect_no_card_in_row(struct bytes payload)
{
    for (int i = 0; i < 2; i++) {
        struct message m = {.payload = payload, .origin = i ? &asked : NULL};
        struct buffer line;
        buffer_init(&line, 64 * KIB);
        decode_summary(registry.decoders, redactor_apply(redactor, &m), 200, &line);
        assert_null(strstr(buffer_cstr(&line), "4111"));
        buffer_free(&line);
    }
}

/* e2616d1e... is base64 of {n, bytes and \\u; the cipher's bytes begin with {}, and no text follows. */
static void random_bytes_are_neither_escapes_nor_a_list(void **state)
{
    (void)state;
    uint8_t cipher[400] = "{}";
    struct buffer in;
    for (size_t i = 2; i < sizeof cipher; i++)
        cipher[i] = (uint8_t)(i % 7 ? i * 131 >> 3 : 1);
    buffer_init(&in, MIB);
    buffer_text(&in, "{\"cipher\":\"");
    buffer_base64(&in, bytes_of(cipher, sizeof cipher));
    buffer_text(&in, "\"}");
    hide(REDACT_FIELD, "card");
    expect("{\"id\":\"e2616d1eb6cf4a8f8fdcdc790ba6a8fc\",\"n\":1}",
           "{\"id\":\"e2616d1eb6cf4a8f8fdcdc790ba6a8fc\",\"n\":1}");
    expect(buffer_cstr(&in), buffer_cstr(&in));
    buffer_free(&in);
}

/* It reads the beginning and the end of what is no base64 to its end. */
static void nor_does_a_row_show_more(void **state)
{
    (void)state;
    static const size_t sizes[] = {600, 20 * KIB, 200 * KIB};
    struct buffer text, once, twice;
    buffer_init(&text, MIB);
    buffer_init(&once, MIB);
    buffer_init(&twice, MIB);
    hide(REDACT_REGEX, "[0-9]{16}");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        buffer_clear(&text);
        buffer_clear(&once);
        while (text.len < sizes[i])
            buffer_text(&text, "Customer Jane Doe paid with card 4111111111111111 on 3 May.\n");
        buffer_base64(&once, buffer_view(&text));
        expect_no_card_in_row(buffer_view(&once));
        once.data[once.len / 2] = ';';
        expect_no_card_in_row(buffer_view(&once));
        buffer_clear(&twice);
        buffer_base64(&twice, buffer_view(&once));
        expect_no_card_in_row(buffer_view(&twice));
        buffer_clear(&once);
        buffer_base64(&once, buffer_view(&text));
        buffer_text(&once, "; end");
        expect_no_card_in_row(buffer_view(&once));
    }
    buffer_free(&text);
    buffer_free(&once);
    buffer_free(&twice);
}

/* Only a header is to be hidden: nobody looks into what is damaged. */
static void a_rule_for_headers_hides_no_payload(void **state)
{
    (void)state;
    hide(REDACT_HEADER, "Author*");
    expect("eyJjYXJkIjo0MTExLCJuIjox", "eyJjYXJkIjo0MTExLCJuIjox");
}

static void patterns_are_hidden_everywhere(void **state)
{
    (void)state;
    hide(REDACT_REGEX, "4[0-9]{3}");
    expect("{\"t\":\"card 4111 and 4222!\"}", "{\"t\":\"card [redacted] and [redacted]!\"}");
    expect("{\"n\":4111,\"m\":[4111]}", "{\"n\":\"[redacted]\",\"m\":[\"[redacted]\"]}");
    expect("{\"t\":\"\\u0034111\"}", "{\"t\":\"[redacted]\"}");
    expect("plain 4111 text", "plain [redacted] text");
    expect("nothing", "nothing");
    struct header inner = {.name = BYTES_LITERAL("x"),
                           .value = {.type = VALUE_STRING, .bytes = BYTES_LITERAL("a4111")}};
    struct header headers[] = {
        {.name = BYTES_LITERAL("b"), .value = {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("4111")}},
        {.name = BYTES_LITERAL("n"), .value = {.type = VALUE_INT64, .i = 4111}},
        {.name = BYTES_LITERAL("t"), .value = {.type = VALUE_TABLE, .list = {&inner, 1}}},
        {.name = BYTES_LITERAL("k"), .value = {.type = VALUE_UINT8, .u = 4}},
    };
    struct message m = {.payload = BYTES_NULL, .key = BYTES_LITERAL("k-4111"), .headers = {headers, 4}};
    const struct message *out = redactor_apply(redactor, &m);
    assert_null(out->payload.data);
    assert_true(bytes_equal_text(out->key, "k-[redacted]"));
    assert_true(bytes_equal_text(out->headers.items[0].value.bytes, "[redacted]"));
    assert_int_equal(out->headers.items[1].value.type, VALUE_STRING);
    assert_true(bytes_equal_text(out->headers.items[2].value.list.items[0].value.bytes, "a[redacted]"));
    assert_int_equal(out->headers.items[3].value.u, 4);
}

static void headers_are_hidden_by_name(void **state)
{
    (void)state;
    hide(REDACT_HEADER, "Author*");
    struct header headers[] = {
        {.name = BYTES_LITERAL("authorization"),
         .value = {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("Bearer x")}},
        {.name = BYTES_LITERAL("other"), .value = {.type = VALUE_BYTES, .bytes = BYTES_NULL}},
    };
    struct message m = {.payload = BYTES_LITERAL("x"), .headers = {headers, 2}};
    const struct message *out = redactor_apply(redactor, &m);
    assert_true(bytes_equal_text(out->headers.items[0].value.bytes, "[redacted]"));
    assert_int_equal(out->headers.items[0].value.type, VALUE_BYTES);
    assert_null(out->headers.items[1].value.bytes.data);
    m.headers = (struct headers){headers + 1, 1};
    assert_ptr_equal(redactor_apply(redactor, &m), &m);
}

/* A pattern that runs into its limits may have missed something. */
static void an_unsure_pattern_hides_everything(void **state)
{
    (void)state;
    char text[64 * 1024];
    memset(text, 'a', sizeof text);
    hide(REDACT_REGEX, "(a+)+[bc]");
    struct message m = {.payload = bytes_of(text, sizeof text)};
    assert_true(bytes_equal_text(redactor_apply(redactor, &m)->payload, "[redacted]"));
}

static void a_redacted_message_is_not_sent_again(void **state)
{
    (void)state;
    struct err_info err = {0};
    struct message m = {.flags = MESSAGE_REDACTED};
    assert_int_equal(message_check_whole(&m, &err), ERR_REFUSED);
    assert_non_null(strstr(err.next, ".sba"));
    m.flags = MESSAGE_REDELIVERED;
    assert_int_equal(message_check_whole(&m, &err), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_are_hidden_at_any_depth),
        TEST(escaped_names_are_names),
        TEST(a_backslash_alone_names_no_letters),
        TEST(nor_is_base64_in_a_string),
        TEST(nor_is_base64_that_nobody_would_guess),
        TEST(words_and_hashes_that_read_as_base64_stay),
        TEST(ids_that_begin_like_base64_of_json_stay),
        TEST(random_bytes_are_neither_escapes_nor_a_list),
        TEST(nor_does_a_row_show_more),
        TEST(a_rule_for_headers_hides_no_payload),
        TEST(patterns_are_hidden_everywhere),
        TEST(headers_are_hidden_by_name),
        TEST(an_unsure_pattern_hides_everything),
        cmocka_unit_test(a_redacted_message_is_not_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
