/* What RabbitMQ's driver reads without a server: headers that anybody may have written, answers, the record of a look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/state.h"
#include "brokers/rabbitmq/rabbitmq_reader.h"
#include "decoders/json.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void a_routing_key_that_is_no_text_is_none(void **state)
{
    (void)state;
    static const struct header inner[] = {{BYTES_NULL, {.type = VALUE_VOID}}};
    static const struct header keys[] = {{BYTES_NULL, {.type = VALUE_ARRAY, .list = {inner, 1}}}};
    const struct header told[] = {
        {BYTES_LITERAL("exchange_name"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("")}},
        {BYTES_LITERAL("routing_keys"), {.type = VALUE_ARRAY, .list = {keys, 1}}}};
    const struct rabbit_source source = {.firehose = true};
    struct message m = {.headers = {told, 2}};
    struct arena arena;
    arena_init(&arena, 1 * MIB);
    assert_true(rabbit_firehose_message(&source, &m, &arena));
    const struct value *key = headers_find(m.properties, BYTES_LITERAL("routing_key"));
    assert_non_null(key);
    assert_true(key->type == VALUE_STRING && key->bytes.len == 0);
    arena_free(&arena);
}

static void only_a_number_is_an_offset(void **state)
{
    (void)state;
    struct header items[] = {
        {BYTES_LITERAL("x-stream-offset"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("7")}}};
    struct message m = {.headers = {items, 1}};
    rabbit_stream_position(&m);
    assert_int_equal(m.position.kind, POSITION_NONE);
    assert_int_equal(m.headers.count, 1);
    items[0].value = (struct value){.type = VALUE_INT64, .i = 7};
    rabbit_stream_position(&m);
    assert_int_equal(m.position.kind, POSITION_OFFSET);
    assert_int_equal(m.position.offset, 7);
    assert_int_equal(m.headers.count, 0);
}

static void what_cannot_be_counted_is_unknown(void **state)
{
    (void)state;
    struct rabbit_answer a = {.body = NULL};
    arena_init(&a.arena, LIMIT_DECODE_ARENA);
    struct bytes json = BYTES_LITERAL("{\"few\":3,\"many\":9223372036854775807,\"less\":-9,\"text\":\"3\"}");
    field_tree_init(&a.tree, &a.arena, json);
    assert_int_equal(json_decoder.decode(json, NULL, &a.tree), ERR_OK);
    assert_int_equal(rabbit_number(&a, &a.tree.nodes[0], "few"), 3);
    assert_int_equal(rabbit_number(&a, &a.tree.nodes[0], "many"), COUNT_UNKNOWN);
    assert_int_equal(rabbit_number(&a, &a.tree.nodes[0], "less"), COUNT_UNKNOWN);
    assert_int_equal(rabbit_number(&a, &a.tree.nodes[0], "text"), COUNT_UNKNOWN);
    rabbit_answer_free(&a);
}

/* ---- looks ---- */

static void name_of_the_look(char *name, size_t size)
{
    char path[STATE_PATH_SIZE];
    assert_true(state_path(".", path, sizeof path));
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));)
        if (strncmp(entry->d_name, "look-", 5) == 0)
            snprintf(name, size, "%s", entry->d_name);
    closedir(d);
}

static int64_t bound_by(struct broker *b, const char *record)
{
    const struct rabbit_channel found = {.redelivered = 4};
    const struct rabbit *rabbit = b->state;
    char name[300] = "";
    struct err_info err;
    name_of_the_look(name, sizeof name);
    assert_int_equal(state_write(name, record, &err), ERR_OK);
    assert_int_equal(rabbit_looks_begin(b, "q", &found, &err), ERR_OK);
    return rabbit->reader->looks.bound;
}

/* Of a look at that time, which had seen 2 returns, in statistics that told of 9 then. */
static int64_t bound_by_time(struct broker *b, int64_t time_ns)
{
    char record[100];
    snprintf(record, sizeof record, "2 9 %" PRId64 " 0\n", time_ns);
    return bound_by(b, record);
}

static void a_record_of_a_look_is_believed_as_far_as_it_can_be(void **state)
{
    (void)state;
    static char folder[] = "/tmp/sb-look-XXXXXX";
    char path[STATE_PATH_SIZE];
    char name[300] = "";
    struct err_info err;
    const struct endpoint endpoint = {.name = "r", .url = {.hosts = {{"h", 1}}, .host_count = 1}};
    struct rabbit_reader reader = {.queue = "q", .delivery_limit = 20};
    struct rabbit rabbit = {.reader = &reader};
    struct broker b = {.endpoint = &endpoint, .state = &rabbit};
    const struct rabbit_channel found = {.redelivered = 4};
    assert_non_null(mkdtemp(folder));
    setenv("XDG_STATE_HOME", folder, 1);
    assert_int_equal(rabbit_looks_begin(&b, "q", &found, &err), ERR_OK);
    assert_int_equal(bound_by(&b, "2 4 1763985871000000000 0\n"), 2);
    assert_int_equal(bound_by(&b, "9000000000000000000 9000000000000000000 1 0\n"),
                     5); /* as if nobody had looked */
    int64_t now = clock_wall_ns();
    assert_int_equal(bound_by_time(&b, now), 2); /* the statistics are late */
    assert_int_equal(bound_by_time(&b, now + NS_PER_S), 2);
    assert_int_equal(bound_by_time(&b, now - 3600 * NS_PER_S), 6); /* they began anew */
    assert_int_equal(bound_by_time(&b, now + 3600 * NS_PER_S), 6);
    assert_int_equal(bound_by_time(&b, INT64_MAX), 6);
    name_of_the_look(name, sizeof name);
    assert_int_equal(state_write(name, "2 9 9000000000000000000 1\n", &err), ERR_OK);
    assert_false(rabbit_looks_cut_off(&b, "q"));
    assert_int_equal(state_write(name, "", &err), ERR_OK);
    assert_true(state_path("", path, sizeof path) && rmdir(path) == 0 && rmdir(folder) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_routing_key_that_is_no_text_is_none),
        cmocka_unit_test(only_a_number_is_an_offset),
        cmocka_unit_test(what_cannot_be_counted_is_unknown),
        cmocka_unit_test(a_record_of_a_look_is_believed_as_far_as_it_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
