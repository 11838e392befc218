/* dedupe in one process with the memory broker: what it writes, how it ends. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/utf8.h"
#include "brokers/memory/memory_server.h"
#include "cli/cli.h"
#include "cli/dedupe.h"
#include "registry.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[128], printed[1 << 20], said[1 << 16];

static int temporary(void)
{
    char path[160];
    snprintf(path, sizeof path, "%s/out-XXXXXX", folder);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

static void read_back(int fd, char *into, size_t size)
{
    ssize_t n = pread(fd, into, size - 1, 0);
    into[n < 0 ? 0 : n] = '\0';
    close(fd);
}

/* Words are separated by single spaces. */
static int run(const char *line)
{
    static char words[1024];
    char *argv[40] = {(char *)(uintptr_t) "signalbox"};
    int argc = 1, out = temporary(), err = temporary();
    int old_out = dup(STDOUT_FILENO), old_err = dup(STDERR_FILENO);
    snprintf(words, sizeof words, "%s", line);
    for (char *save, *w = strtok_r(words, " ", &save); w && argc < 39; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    struct cli c;
    bool done;
    int code = cli_parse(&c, argc, argv, &registry, &done);
    if (!code && !done)
        code = cli_run(&c);
    cli_free(&c);
    fflush(NULL);
    dup2(old_out, STDOUT_FILENO);
    dup2(old_err, STDERR_FILENO);
    close(old_out);
    close(old_err);
    read_back(out, printed, sizeof printed);
    read_back(err, said, sizeof said);
    return code;
}

static void expect(int code, const char *line, const char *out, const char *err)
{
    int got = run(line);
    if (got != code || !strstr(printed, out) || !strstr(said, err))
        fail_msg("%s: %d\n%s\n%s\nlacks: %s / %s", line, got, printed, said, out, err);
}

static void publish(const char *channel, const char *key, const char *payload, int64_t ns)
{
    struct message m = {
        .time_ns = ns, .received_ns = ns, .key = bytes_of_text(key), .payload = bytes_of_text(payload)};
    struct err_info err;
    assert_int_equal(memory_publish(channel, &m, NULL, &err), ERR_OK);
}

static int setup(void **state)
{
    (void)state;
    static const int64_t noon = INT64_C(1792324800) * NS_PER_S;
    struct err_info err;
    snprintf(folder, sizeof folder, "%s/sb-dedupe-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(folder));
    memory_reset();
    assert_int_equal(memory_declare("orders", CHANNEL_TOPIC, NULL, &err), ERR_OK);
    assert_int_equal(memory_declare("queue", CHANNEL_QUEUE, NULL, &err), ERR_OK);
    for (int i = 0; i < 100; i++) {
        char key[48], payload[64];
        snprintf(key, sizeof key, "o-%d", i % 10 == 9 ? i - 1 : i);
        snprintf(payload, sizeof payload, "{\"n\":%d}", i % 20 == 9 ? i - 1 : i);
        publish("orders", i % 50 == 1 ? NULL : key, payload, noon + i * NS_PER_S / 2);
        publish("queue", i % 50 == 1 ? NULL : key, payload, noon + i * NS_PER_S / 2);
    }
    publish("orders", "a-key-that-is-longer-than-its-column-\x1b[31m", "x", noon);
    publish("orders", "a-key-that-is-longer-than-its-column-\x1b[31m", "x", noon + 3600 * NS_PER_S);
    publish("orders", "a-key-that-is-longer-than-its-column-\x1b[31m", "x", noon + 3600 * NS_PER_S);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    memory_reset();
    return rmdir(folder);
}

static void a_line_for_each_rule(void **state)
{
    (void)state;
    expect(0, "dedupe memory:/orders", "BY       NO VALUE      UNIQUE      GROUPS      EXTRAS",
           "--by id, key");
    assert_non_null(
        strstr(printed, "id            103           0           0           0   0.00 %        0"));
    assert_non_null(
        strstr(printed, "key             2          89          11          12  11.65 %        3"));
    assert_non_null(
        strstr(printed, "body            0          96           6           7   6.80 %        3"));
    expect(4, "dedupe memory:/orders --select body.n<5", "key             1", "");
}

static void groups_fit_eighty_columns(void **state)
{
    (void)state;
    expect(0, "dedupe memory:/orders --by key",
           "11 groups of duplicates, 12 extras (11.65 %)\nat most 3 copies", "bodies of 5 groups differ");
    const char *group = strstr(printed, "      3  a-key-that-is-longe…  2026-10-18T");
    assert_non_null(group);
    assert_non_null(strstr(group, "1h00m"));
    assert_non_null(strstr(printed, "500 ms"));
    assert_non_null(strstr(printed, "DIFFER"));
    assert_null(strchr(printed, '\x1b'));
    for (char *save, *line = strtok_r(printed, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (utf8_cells(bytes_of_text(line)) > 80)
            fail_msg("%s", line);
    assert_non_null(strstr(said, "2 without a value by key"));
    expect(0, "dedupe memory:/orders --by key --limit 2", "o-8", "the 2 biggest groups are listed");
}

static void json_is_one_object_a_rule(void **state)
{
    (void)state;
    expect(0, "dedupe memory:/orders --json --quiet",
           "{\"schema\":\"signalbox.dedupe/1\",\"address\":\"memory:/orders\",\"by\":\"id\"", "");
    assert_non_null(strstr(
        printed, "\n{\"schema\":\"signalbox.dedupe/1\",\"address\":\"memory:/orders\",\"by\":\"key\""));
    expect(
        0, "dedupe memory:/orders --by field:n --keep last --json",
        "\"by\":\"field:n\",\"keep\":\"last\",\"complete\":true,\"messages\":103,\"without\":3,\"unknown\":0,"
        "\"unique\":95,\"groups\":5,\"extras\":5,\"most\":2,\"differ\":0",
        "");
    assert_non_null(strstr(printed, "\"listed\":[{\"value\":{\"text\":\"8\"}"));
    assert_non_null(strstr(printed, "\"spread_ns\":500000000"));
    assert_non_null(strstr(printed, "\"number\":10,\"time\":\"2026-10-18T"));
    struct json_reader r;
    enum json_event e;
    json_read(&r, bytes_of_text(printed), 64);
    while ((e = json_next(&r)) != JSON_END)
        assert_int_not_equal(e, JSON_ERROR);
}

static void what_it_does_not_do_is_refused(void **state)
{
    (void)state;
    expect(7, "dedupe memory:/orders --by key --execute", "", "--to ADDRESS");
    expect(2, "dedupe memory:/queue --execute", "", "Add --by");
    expect(2, "dedupe memory:/queue --by key --limit 5 --execute", "", "--limit is for the report");
    expect(2, "dedupe memory:/queue --by key --rate 5/s --execute", "", "add --to ADDRESS");
    expect(7, "dedupe memory:/queue --by key --to memory:/queue --execute", "", "the same channel");
    expect(1, "dedupe memory:/orders --by key --to memory:/nowhere", "", "nowhere");
    expect(2, "dedupe memory:/queue --by kye", "", "did you mean `key`");
    expect(2, "dedupe memory:/queue --by key --keep largest", "", "write first or last");
    expect(2, "dedupe memory:/queue --by key --limit 0", "", "1 to 10000");
    expect(2, "dedupe memory:/queue --select (a", "", "(a");
    expect(1, "dedupe memory:/nothing", "", "nothing");
}

static void a_queue_is_left_as_it_was(void **state)
{
    (void)state;
    int64_t waiting, leased;
    expect(0, "dedupe memory:/queue --by key", "10 groups", "would archive and remove 5 extras");
    assert_non_null(strstr(said, "5 extras of groups whose bodies differ would stay; --bodies-differ"));
    assert_non_null(strstr(said, "to do it: signalbox dedupe memory:/queue --by key --execute"));
    assert_true(memory_count("queue", &waiting, &leased));
    assert_int_equal(waiting, 100);
    assert_int_equal(leased, 0);
}

/* What --execute does, in the words of its dry run. */
static void extras_are_removed_and_copied(void **state)
{
    (void)state;
    int64_t waiting, leased;
    assert_int_equal(memory_declare("copy", CHANNEL_QUEUE, NULL, NULL), ERR_OK);
    expect(0, "dedupe memory:/queue --by key --json", "\"going\":5,", "");
    assert_non_null(strstr(printed, "\"operation\":{\"schema\":\"signalbox.operation/1\""));
    assert_non_null(strstr(printed, "\"counts\":{\"planned\":5,"));
    expect(0, "dedupe memory:/orders --by key --to memory:/copy", "", "would copy ");
    expect(0, "dedupe memory:/orders --by key --to memory:/copy --execute", "", " done");
    expect(0, "dedupe memory:/copy --by key --bodies-differ --execute", "", "now: ");
    expect(0, "dedupe memory:/queue --by key --execute --json", "\"planned\":5,\"done\":5,",
           "now: 95 ready in memory:/queue");
    assert_true(memory_count("queue", &waiting, &leased));
    assert_int_equal(waiting, 95);
    expect(4, "dedupe memory:/queue --by key --execute", "", "0 done");
    assert_non_null(
        strstr(said, "5 extras of groups whose bodies differ stay; --bodies-differ takes those, too"));
}

static void what_is_hidden_is_compared_and_not_shown(void **state)
{
    (void)state;
    char path[160], line[300];
    snprintf(path, sizeof path, "%s/hide.yaml", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "endpoints: {m: {url: \"memory:\"}}\nredact: [{field: n}]\n");
    fclose(f);
    snprintf(line, sizeof line, "--config %s dedupe m/orders --by field:n --json", path);
    expect(0, line, "\"unique\":95,\"groups\":5", "");
    assert_non_null(strstr(printed, "\"listed\":[{\"value\":null,\"value_size\":6"));
    snprintf(line, sizeof line, "--config %s dedupe m/orders --by field:n", path);
    expect(0, line, "[redacted]  ", "");
    snprintf(line, sizeof line, "--config %s dedupe m/orders --by key --select body.n=8", path);
    expect(4, line, "0 messages", ""); /* a filter sees what is shown, too */
    unlink(path);
}

static void spreads_are_short(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } spreads[] = {{31 * NS_PER_MS, "31 ms"},
                   {5 * NS_PER_S, "5.0 s"},
                   {60 * NS_PER_S - 1, "59.9 s"},
                   {61 * 60 * NS_PER_S, "1h01m"},
                   {TIME_NONE, "-"}};
    char text[32];
    for (size_t i = 0; i < sizeof spreads / sizeof *spreads; i++)
        assert_string_equal(dedupe_spread_text(text, sizeof text, spreads[i].ns), spreads[i].text);
    struct dedupe_group g = {.first_ns = INT64_MIN + 1, .last_ns = INT64_MAX};
    assert_int_equal(dedupe_spread(&g), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_for_each_rule),
        cmocka_unit_test(groups_fit_eighty_columns),
        cmocka_unit_test(json_is_one_object_a_rule),
        cmocka_unit_test(what_it_does_not_do_is_refused),
        cmocka_unit_test(a_queue_is_left_as_it_was),
        cmocka_unit_test(extras_are_removed_and_copied),
        cmocka_unit_test(what_is_hidden_is_compared_and_not_shown),
        cmocka_unit_test(spreads_are_short),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
