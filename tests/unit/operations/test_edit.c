/* A payload as text and back: what cannot be encoded again is refused; only the message that was edited is replaced. */
#include "rig.h"

#include "operations/edit.h"

static enum err read_back(const char *text, enum edit_form form, struct bytes original,
                          struct buffer *payload, struct err_info *err)
{
    buffer_init(payload, 1 << 20);
    return edit_read(bytes_of_text(text), form, original, payload, err);
}

static void a_payload_is_what_can_be_written_back(void **state)
{
    (void)state;
    assert_int_equal(edit_form_of(BYTES_LITERAL("{\"a\":1}")), EDIT_JSON);
    assert_int_equal(edit_form_of(BYTES_LITERAL("hello\n\tyou")), EDIT_TEXT);
    assert_int_equal(edit_form_of(BYTES_LITERAL("")), EDIT_TEXT);
    assert_int_equal(edit_form_of(BYTES_NULL), EDIT_TEXT);
    assert_int_equal(edit_form_of(BYTES_LITERAL("\x1b[31m")), EDIT_HEX);
    assert_int_equal(edit_form_of(BYTES_LITERAL("\xff\xfe")), EDIT_HEX);
}

static void every_byte_comes_back_from_hex(void **state)
{
    (void)state;
    uint8_t all[300];
    struct buffer text, payload;
    struct err_info err;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    buffer_init(&text, 1 << 20);
    edit_write(bytes_of(all, sizeof all), EDIT_HEX, &text);
    assert_int_equal(read_back(buffer_cstr(&text), EDIT_HEX, BYTES_NULL, &payload, &err), ERR_OK);
    assert_int_equal(payload.len, sizeof all);
    assert_memory_equal(payload.data, all, sizeof all);
    buffer_free(&text);
    buffer_free(&payload);
    assert_int_equal(read_back("00 f", EDIT_HEX, BYTES_NULL, &payload, &err), ERR_FORMAT);
    buffer_free(&payload);
    assert_int_equal(read_back("00\n0x", EDIT_HEX, BYTES_NULL, &payload, &err), ERR_FORMAT);
    assert_string_equal(err.where, "line 2");
    buffer_free(&payload);
}

static void an_editor_s_line_end_is_none_of_the_payload_s(void **state)
{
    (void)state;
    struct buffer payload;
    struct err_info err;
    assert_int_equal(read_back("{\"a\": 2}\n", EDIT_JSON, BYTES_LITERAL("{\"a\": 1}"), &payload, &err),
                     ERR_OK);
    assert_string_equal(buffer_cstr(&payload), "{\"a\": 2}");
    buffer_free(&payload);
    assert_int_equal(read_back("b\n", EDIT_TEXT, BYTES_LITERAL("a\n"), &payload, &err), ERR_OK);
    assert_string_equal(buffer_cstr(&payload), "b\n");
    buffer_free(&payload);
    assert_int_equal(read_back("{\"a\":\n}", EDIT_JSON, BYTES_LITERAL("{}"), &payload, &err), ERR_FORMAT);
    assert_string_equal(err.where, "line 2");
    buffer_free(&payload);
    assert_int_equal(read_back("\x1b", EDIT_TEXT, BYTES_LITERAL("a"), &payload, &err), ERR_FORMAT);
    buffer_free(&payload);
}

static void another_message_is_left_alone(void **state)
{
    (void)state;
    char digest[EDIT_DIGEST_SIZE];
    rig_broker = memory_broker;
    struct operation_job job = {.plan = {.kind = OPERATION_RESEND,
                                         .from = "m/from",
                                         .to = "m/to",
                                         .limit = -1,
                                         .replays_most = 3,
                                         .payload = BYTES_LITERAL("{\"n\":77}"),
                                         .edits = edit_digest(BYTES_LITERAL("{\"n\":1}"), digest)},
                                .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
                                .to = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "to"}},
                                .decoders = rig_decoders,
                                .record = {.from = "m/from", .to = "m/to", .counts = {.planned = 3}}};
    rig_publish("from", 0, 3);
    rig_begin(&job);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.counts.done, 1);
    assert_int_equal(p.counts.skipped, 2);
    rig_assert_holds("to", 77, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_is_what_can_be_written_back),
        cmocka_unit_test(every_byte_comes_back_from_hex),
        cmocka_unit_test(an_editor_s_line_end_is_none_of_the_payload_s),
        cmocka_unit_test_setup_teardown(another_message_is_left_alone, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
