/* What `redact` does about payloads that are no one document: broken ones, several values, text that only begins like JSON. */
#include "redact_rig.h"

#include "base/buffer.h"
#include "base/limits.h"

/* A poison message is no way around a rule. */
static void what_cannot_be_read_is_hidden_whole(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    expect("{\"card\":\"4111", UNREAD);
    expect("{\"a\":1,\"card\":4111,", UNREAD);
    expect("{\"c\\u0061rd\":4111,", UNREAD);
    expect("{\"a\":1,", "{\"a\":1,"); /* it cannot have one */
}

/* Its bytes show all that a pattern could match, unless they are escaped or base64. */
static void a_pattern_leaves_text_that_is_no_json_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {"[INFO] started",
                                        "{\"level\":\"info\",\"msg\":\"[main] started in 3 s\"}",
                                        "[2026-01-01 12:00:01] INFO order 17 shipped",
                                        "{ts=12, level=info}",
                                        "{'python': 'repr'}",
                                        "{\"msg\":\"{name} logged in\"}"};
    hide(REDACT_REGEX, "4[0-9]{3}");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], texts[i]);
    expect("[INFO] card 4111", "[INFO] card [redacted]");
    expect("{\"msg\":\"[main] card 4111\"}", "{\"msg\":\"[main] card [redacted]\"}");
    expect("[INFO] card \\u0034111", UNREAD);
    expect("{\"msg\":\"[main] card \\\\u0034111\"}", "{\"msg\":\"[redacted]\"}");
    expect("[\"eyJjIjo0MTExfQ==\"", UNREAD); /* {"c":4111} */
}

/* An escape hides a text only where what it stands for matches, at whatever depth. */
static void an_escape_alone_hides_no_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"[INFO] POST /orders {\"note\":\"say \\\"hi\\\"\"}",
                                        "[2026-01-01 10:00:00] INFO Opened C:\\temp\\new.txt",
                                        "{\"msg\":\"[main] opened C:\\\\temp\\\\new.txt\",\"n\":1}",
                                        "[INFO] \\\\\\\\host\\data\\", "[INFO] \\u12 \\\\u0035"};
    hide(REDACT_REGEX, "CORP\\\\ann|4[0-9]{3}");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], texts[i]);
    expect("[INFO] C:\\u0034\\1\\u0031\\u0031", UNREAD);
    expect("[INFO] \\\\\\\\u005cu0034111", UNREAD);
    expect("[INFO] {\"user\":\"CORP\\\\ann\"}", UNREAD);
    expect("{\"msg\":\"[INFO] CORP\\\\\\\\ann\"}", "{\"msg\":\"[redacted]\"}");
    char deep[600] = "[INFO] ";
    memset(deep + 7, '\\', 512); /* more of them than layers are opened */
    expect(deep, UNREAD);
}

static void of_several_values_each_is_read(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    expect("{\"card\":1}\n{\"n\":2}\r\n\n{\"card\":[3],\"n\":4}\n",
           "{\"card\":\"[redacted]\"}\n{\"n\":2}\r\n\n{\"card\":\"[redacted]\",\"n\":4}\n");
    expect("{\"card\":1}{\"card\":2}[{\"card\":3}]",
           "{\"card\":\"[redacted]\"}{\"card\":\"[redacted]\"}[{\"card\":\"[redacted]\"}]");
    expect("{\"n\":1}\n\x1E{\"card\":1}\n", "{\"n\":1}\n\x1E{\"card\":\"[redacted]\"}\n");
    expect("{\"n\":1},{\"card\":1}", "{\"n\":1},{\"card\":\"[redacted]\"}");
    expect("{\"card\":1} and words", "{\"card\":\"[redacted]\"} and words");
    expect("{\"n\":1}\n{\"card\":", UNREAD);
    expect("{\"n\":1} and {\"card\":1}", UNREAD);
    expect("{\"d\":\"{\\\"n\\\":1}\\n{\\\"card\\\":1}\",\"n\":1}", "{\"d\":\"[redacted]\",\"n\":1}");
    expect("{\"d\":\"{\\\"n\\\":1}\\n{\\\"n\\\":1}\",\"card\":1}",
           "{\"d\":\"{\\\"n\\\":1}\\n{\\\"n\\\":1}\",\"card\":\"[redacted]\"}");
}

/* Numbers and words have no fields; what stands behind them may. */
static void also_behind_numbers_and_words(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    expect("1\n{\"card\":1}", "1\n{\"card\":\"[redacted]\"}");
    expect("null,true,-1.5e3 {\"card\":1}", "null,true,-1.5e3 {\"card\":\"[redacted]\"}");
    expect("12{\"card\":1}\n12{\"card\":2}\n", "12{\"card\":\"[redacted]\"}\n12{\"card\":\"[redacted]\"}\n");
    expect("14\n{\"card\":4111", UNREAD);
    expect("7 \"{\\\"card\\\":4111", UNREAD);
    expect("{\"a\":\"1\\n{\\\"card\\\":1}\"}", "{\"a\":\"[redacted]\"}");
    expect("MQp7ImNhcmQiOjQxMTF9", "[redacted]");                         /* 1, {"card":4111} */
    expect("{\"a\":\"MQp7ImNhcmQiOjQxMTF9\"}", "{\"a\":\"[redacted]\"}"); /* the same */
    static const char *const texts[] = {"2026-01-01 10:00:00 card",
                                        "10.0.0.1 - - [01/Jan/2026] \"GET /card\"",
                                        "[\"MonitoringService\" runs", "3 cards", "1,2,3,card"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], texts[i]);
}

/* RFC 7464: before each value. */
static void and_behind_a_record_separator(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    expect("\x1E{\"card\":1}\n\x1E{\"card\":2}\n",
           "\x1E{\"card\":\"[redacted]\"}\n\x1E{\"card\":\"[redacted]\"}\n");
    expect("\n\x1E\x1E{\"card\":4111", UNREAD);
    expect("\xEF\xBB\xBF\x1E[{\"card\":1}]", "\xEF\xBB\xBF\x1E[{\"card\":\"[redacted]\"}]");
}

static struct bytes many_values(struct buffer *in, const char *last)
{
    buffer_clear(in);
    buffer_text(in, "{\"kard\":4111}\n");
    while (in->len < 14 * (LIMIT_DECODE_NODES / 2)) /* two fields each */
        buffer_text(in, "{\"card\":4111}\n");
    buffer_text(in, last);
    return buffer_view(in);
}

/* Together as many as one tree has; behind them only what names none stays. */
static void values_have_no_more_fields_than_a_document(void **state)
{
    (void)state;
    struct buffer in;
    buffer_init(&in, 4 * MIB);
    hide(REDACT_FIELD, "card");
    struct message m = {.payload = many_values(&in, "{\"n\":1}\n")};
    struct bytes out = redactor_apply(redactor, &m)->payload;
    assert_memory_equal(out.data, "{\"kard\":4111}\n{\"card\":\"[redacted]\"}\n", 36);
    assert_memory_equal(out.data + out.len - 12, "]\"}\n{\"n\":1}\n", 12);
    m.payload = many_values(&in, "{\"card\":1}\n");
    assert_true(bytes_equal_text(redactor_apply(redactor, &m)->payload, UNREAD));
    buffer_free(&in);
}

static void patterns_find_the_numbers_of_several_values(void **state)
{
    (void)state;
    hide(REDACT_REGEX, "4[0-9]{3}");
    expect("{\"n\":1}\n{\"n\":4111}\n", "{\"n\":1}\n{\"n\":\"[redacted]\"}\n");
}

/* JSON in a string that breaks off, or that something follows: `unwrap` opens it, and its text is there for all to read. */
static void a_string_of_json_is_no_way_around(void **state)
{
    (void)state;
    hide(REDACT_FIELD, "card");
    expect("\"{\\\"card\\\":4111,\\\"n\\\":1", UNREAD);
    expect("\"\\n [{\\\"card\\\":4111,\\\"n\\\":1", UNREAD);
    expect("\"{\\\"card\\\":4111}\"x", "\"[redacted]\"x");
    expect("\"eyJjYXJkIjo0MTExLCJuIjoxfQ==\" x", "\"[redacted]\" x");
    expect("{\"a\":\"\\\"{\\\\\\\"card\\\\\\\":4111,\",\"n\":1}", "{\"a\":\"[redacted]\",\"n\":1}");
    expect("{\"a\":\"\\\"{\\\\\\\"card\\\\\\\":4111}\\\"x\",\"n\":1}", "{\"a\":\"[redacted]\",\"n\":1}");
    expect("IntcImNhcmRcIjo0MTExLFwiblwiOjE=", "[redacted]"); /* "{\"card\":4111,\"n\":1 */
    expect("IntcImNhcmRcIjo0MTExLFwiblwiOjE.", UNREAD);
    expect("\"Bob\" changed the card", "\"Bob\" changed the card");
    expect("\"Bob changed the card", "\"Bob changed the card");
}

/* A zero and four bytes of a schema's id, as serializers put them before JSON; or AWS Glue's. */
static void json_behind_a_frame_is_read(void **state)
{
    (void)state;
    static const char framed[] = "\0\0\0\0\7{\"card\":4111,\"n\":1}",
                      hidden[] = "\0\0\0\0\7{\"card\":\"[redacted]\",\"n\":1}";
    struct message m = {.key = BYTES_LITERAL("\0\0\0\1\0{\"card\":1}"),
                        .payload = {(const uint8_t *)framed, sizeof framed - 1}};
    hide(REDACT_FIELD, "card");
    const struct message *out = redactor_apply(redactor, &m);
    assert_int_equal(out->payload.len, sizeof hidden - 1);
    assert_memory_equal(out->payload.data, hidden, sizeof hidden - 1);
    assert_memory_equal(out->key.data, "\0\0\0\1\0{\"card\":\"[redacted]\"}", 26);
    m.payload = BYTES_LITERAL("\3\0ABCDEFGHIJKLMNOP{\"card\":1}");
    assert_true(bytes_equal(redactor_apply(redactor, &m)->payload,
                            BYTES_LITERAL("\3\0ABCDEFGHIJKLMNOP{\"card\":\"[redacted]\"}")));
    m = (struct message){.payload = BYTES_LITERAL("\0\0\0\0\7{\"n\":1}")};
    assert_ptr_equal(redactor_apply(redactor, &m), &m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_cannot_be_read_is_hidden_whole),
        TEST(a_pattern_leaves_text_that_is_no_json_alone),
        TEST(an_escape_alone_hides_no_text),
        TEST(of_several_values_each_is_read),
        TEST(also_behind_numbers_and_words),
        TEST(and_behind_a_record_separator),
        TEST(values_have_no_more_fields_than_a_document),
        TEST(patterns_find_the_numbers_of_several_values),
        TEST(a_string_of_json_is_no_way_around),
        TEST(json_behind_a_frame_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
