#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "operations/stamp.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, MIB);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct header text_header(const char *name, const char *value)
{
    return (struct header){bytes_of_text(name), {.type = VALUE_STRING, .bytes = bytes_of_text(value)}};
}

static void assert_header(const struct message *m, uint32_t i, const char *name, const char *value)
{
    assert_true(m->headers.count > i);
    assert_true(bytes_equal_text(m->headers.items[i].name, name));
    assert_true(bytes_equal_text(m->headers.items[i].value.bytes, value));
}

static void stamps_stand_behind_what_was_there(void **state)
{
    (void)state;
    struct header h[] = {text_header("a", "1"), text_header("a", "2")};
    struct message m = {.payload = BYTES_LITERAL("p"), .headers = {h, 2}}, out;
    struct stamp s = {
        .operation = "0123456789abcdef", .sequence = 42, .replays = 1, .source = BYTES_LITERAL("k/t/0/7")};
    assert_int_equal(stamp_put(&m, NULL, &s, &arena, &out, NULL), ERR_OK);
    assert_int_equal(out.headers.count, 5);
    assert_header(&out, 0, "a", "1");
    assert_header(&out, 1, "a", "2");
    assert_header(&out, 2, STAMP_OPERATION, "0123456789abcdef/42");
    assert_header(&out, 3, STAMP_REPLAYS, "1");
    assert_header(&out, 4, STAMP_SOURCE, "k/t/0/7");
    assert_true(bytes_equal_text(out.payload, "p"));
    char id[OPERATION_ID_SIZE];
    uint64_t sequence = 0;
    assert_true(stamp_operation(&out, id, &sequence));
    assert_string_equal(id, "0123456789abcdef");
    assert_int_equal(sequence, 42);
    assert_int_equal(stamp_replays(&out), 1);
    assert_true(bytes_equal_text(stamp_source(&out), "k/t/0/7"));
}

static void earlier_stamps_make_way(void **state)
{
    (void)state;
    struct message m = {.payload = BYTES_LITERAL("p")}, once, twice;
    struct stamp s = {.operation = "0123456789abcdef", .sequence = 1, .replays = 1};
    assert_int_equal(stamp_put(&m, NULL, &s, &arena, &once, NULL), ERR_OK);
    s.replays = 2;
    assert_int_equal(stamp_put(&once, NULL, &s, &arena, &twice, NULL), ERR_OK);
    assert_int_equal(twice.headers.count, 2);
    assert_int_equal(stamp_replays(&twice), 2);
}

static void without_a_stamp_all_is_as_it_was(void **state)
{
    (void)state;
    struct header h[] = {text_header("x-death", "1"), text_header("a", "2"), text_header(STAMP_REPLAYS, "3")};
    static const char *const drop[] = {"x-death", NULL};
    struct message m = {.headers = {h, 3}}, out, none = {.payload = BYTES_LITERAL("p")}, empty;
    assert_int_equal(stamp_put(&m, drop, NULL, &arena, &out, NULL), ERR_OK);
    assert_int_equal(out.headers.count, 2);
    assert_header(&out, 0, "a", "2");
    assert_header(&out, 1, STAMP_REPLAYS, "3");
    assert_int_equal(stamp_put(&none, drop, NULL, &arena, &empty, NULL), ERR_OK);
    assert_null(empty.headers.items); /* an absent table stays absent */
}

static void what_is_none_of_ours_is_no_stamp(void **state)
{
    (void)state;
    static const char *const values[] = {"",
                                         "x",
                                         "0123456789abcdef",
                                         "0123456789abcdef/",
                                         "0123456789abcdef/x",
                                         "0123456789abcdef-1",
                                         "0123456789abcdef/-1"};
    char id[OPERATION_ID_SIZE];
    uint64_t sequence;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct header h = text_header(STAMP_OPERATION, values[i]);
        struct message m = {.headers = {&h, 1}};
        assert_false(stamp_operation(&m, id, &sequence));
    }
    struct header replays = text_header(STAMP_REPLAYS, "many");
    struct message m = {.headers = {&replays, 1}};
    assert_int_equal(stamp_replays(&m), 0);
}

static void ids_are_what_stamps_hold(void **state)
{
    (void)state;
    char a[OPERATION_ID_SIZE], b[OPERATION_ID_SIZE];
    operation_id_new(a);
    operation_id_new(b);
    assert_int_equal(strlen(a), OPERATION_ID_SIZE - 1);
    assert_string_not_equal(a, b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(stamps_stand_behind_what_was_there), TEST(earlier_stamps_make_way),
        TEST(without_a_stamp_all_is_as_it_was),   TEST(what_is_none_of_ours_is_no_stamp),
        TEST(ids_are_what_stamps_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
