/* Commands in one process with the memory broker: what they write, how they end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "brokers/memory/memory_server.h"
#include "cli/cli.h"
#include "cli/encode.h"
#include "registry.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[128], printed[1 << 20], said[1 << 16];
static const char *to; /* where stdout goes, instead of to `printed`; NULL */

static void read_back(int fd, char *into, size_t size)
{
    ssize_t n = pread(fd, into, size - 1, 0);
    into[n < 0 ? 0 : n] = '\0';
    close(fd);
}

static int temporary(void)
{
    char path[160];
    snprintf(path, sizeof path, "%s/out-XXXXXX", folder);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

/* Runs one command line with stdout and stderr caught; words are separated by single spaces. */
static int run(const char *line)
{
    static char words[1024];
    char *argv[40] = {(char *)(uintptr_t) "signalbox"};
    int argc = 1, out = to ? open(to, O_WRONLY | O_CLOEXEC) : temporary(), err = temporary();
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

static int lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void publish(const char *channel, const char *key, const char *payload)
{
    static const struct header headers[] = {
        {BYTES_LITERAL("x-tenant"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("acme")}}};
    struct message m = {.time_ns = clock_wall_ns(),
                        .received_ns = clock_wall_ns(),
                        .key = bytes_of_text(key),
                        .payload = bytes_of_text(payload),
                        .headers = {headers, 1}};
    struct err_info err;
    assert_int_equal(memory_publish(channel, &m, NULL, &err), ERR_OK);
}

static int setup(void **state)
{
    (void)state;
    struct err_info err;
    snprintf(folder, sizeof folder, "%s/sb-commands-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(folder));
    memory_reset();
    assert_int_equal(memory_declare("orders", CHANNEL_TOPIC, NULL, &err), ERR_OK);
    assert_int_equal(memory_declare("copy", CHANNEL_TOPIC, NULL, &err), ERR_OK);
    for (int i = 0; i < 250; i++) {
        char key[16], payload[64];
        snprintf(key, sizeof key, "o-%d", i);
        snprintf(payload, sizeof payload, "{\"n\":%d,\"tab\":\"a\\tb\"}", i);
        publish("orders", i % 5 ? key : NULL, payload);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    memory_reset();
    return system(command);
}

static void test_browse(void **state)
{
    (void)state;
    assert_int_equal(run("browse memory:/orders --plain"), 0);
    assert_int_equal(lines(printed), 100);
    assert_non_null(strstr(said, "NONE"));
    assert_int_equal(run("browse memory:/orders -n 7 --json --quiet"), 0);
    assert_int_equal(lines(printed), 7);
    assert_string_equal(said, "");
    assert_int_equal(run("browse memory:/orders --from end-3 --json"), 0);
    assert_int_equal(lines(printed), 3);
    assert_int_equal(
        run("browse memory:/orders --where body.n>=248 --format %{offset}|%{body.n}|%{headers.x-tenant}"), 0);
    assert_int_equal(lines(printed), 2);
    assert_non_null(strstr(printed, "|249|acme\n"));
    assert_int_equal(run("browse memory:/orders -n 1 --format %%|%%{key}%"), 0);
    assert_string_equal(printed, "%|%{key}%\n");
    assert_int_equal(run("browse memory:/orders --where body.n>1000"), 4);
    assert_non_null(strstr(said, "scanned 250 of 250"));
    assert_non_null(strstr(said, "0 matched"));
    assert_int_equal(run("browse memory:/nothing"), 1);
    assert_int_equal(run("browse memory:"), 2);
}

/* An aborted message must not look like any other, neither here nor where it is sent on. */
static void test_flags(void **state)
{
    (void)state;
    struct message m = {.origin = origin_intern("k", "orders", CHANNEL_TOPIC),
                        .payload = BYTES_LITERAL("open"),
                        .time_ns = TIME_NONE,
                        .flags = MESSAGE_UNCOMMITTED};
    struct err_info err;
    char path[200], text[300];
    struct buffer out;
    struct encoder people = {.registry = &registry, .encoding = ENCODE_PEOPLE};
    struct encoder format = {.registry = &registry,
                             .encoding = ENCODE_TEMPLATE,
                             .template = template_new("%{flags}|%{payload}", &err)};
    buffer_init(&out, 4096);
    encode_line(&people, &out, &m);
    assert_string_equal(buffer_cstr(&out), "-  orders  -  \\N  4  [uncommitted]  open\n");
    buffer_clear(&out);
    encode_line(&format, &out, &m);
    assert_string_equal(buffer_cstr(&out), "uncommitted|open\n");
    buffer_clear(&out);
    m.payload = BYTES_LITERAL("\u202e\xc2\x85\x85<202E>");
    encode_line(&format, &out, &m);
    assert_string_equal(buffer_cstr(&out), "uncommitted|\\xe2\\x80\\xae\\xc2\\x85\\x85<202E>\n");
    buffer_free(&out);
    encoder_free(&format);
    snprintf(path, sizeof path, "%s/mixed.jsonl", folder);
    FILE *file = fopen(path, "w");
    fputs("{\"payload\":{\"text\":\"open\"},\"flags\":[\"uncommitted\"]}\n", file);
    fclose(file);
    snprintf(text, sizeof text, "import %s memory:/copy", path);
    assert_int_equal(run(text), 0);
    assert_non_null(strstr(said, "1 message was not committed where it was read: it would be sent like any"));
}

/* As --json has it, and as a filter takes it. */
static void a_double_is_as_short_as_it_can_be(void **state)
{
    (void)state;
    const struct header ratio = {BYTES_LITERAL("ratio"), {.type = VALUE_DOUBLE, .f = 0.1}};
    const struct message m = {.origin = origin_intern("k", "orders", CHANNEL_TOPIC), .headers = {&ratio, 1}};
    struct err_info err;
    struct buffer out;
    struct template *t = template_new("%{headers.ratio}", &err);
    buffer_init(&out, 100);
    template_line(t, &out, &m, registry.decoders);
    assert_string_equal(buffer_cstr(&out), "0.1");
    buffer_free(&out);
    template_free(&t);
}

static void test_format(void **state)
{
    (void)state;
    assert_int_equal(run("browse memory:/orders -n 1 --format %{key}\\t%{size}\\\\%{payload}"), 0);
    assert_string_equal(printed, "\\N\t20\\{\"n\":0,\"tab\":\"a\\\\tb\"}\n");
    assert_int_equal(run("browse memory:/orders --format %{kex}"), 2);
    assert_non_null(strstr(said, "did you mean `key`?"));
    assert_int_equal(run("browse memory:/orders --format %{key"), 2);
    assert_int_equal(run("browse memory:/orders --format %{headers}"), 2);
    assert_int_equal(
        run("browse memory:/orders -n 1 --format %{dlq.reason}|%{body[0]}|%{prop.x}|%{hdr.x-tenant}"), 0);
    assert_string_equal(printed, "|||acme\n");
    static const struct header dead[] = {
        {BYTES_LITERAL("x-last-death-reason"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("expired")}},
        {BYTES_LITERAL("x-first-death-reason"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("rejected")}}};
    struct message m = {.time_ns = TIME_NONE, .payload = BYTES_LITERAL("[7,8]"), .headers = {dead, 2}};
    struct err_info err;
    assert_int_equal(memory_publish("copy", &m, NULL, &err), ERR_OK);
    assert_int_equal(run("browse memory:/copy --where dlq.reason=rejected --format %{dlq.reason}|%{body[1]}"),
                     0);
    assert_string_equal(printed, "rejected|8\n");
    assert_int_equal(run("browse memory:/copy --format %{dlq.cause}"), 2);
}

static void test_search(void **state)
{
    (void)state;
    assert_int_equal(run("search memory:/orders body.n<10 --json"), 0);
    assert_int_equal(lines(printed), 10);
    assert_non_null(strstr(printed, "\"decoded\":{\"n\":0"));
    assert_non_null(strstr(said, "scanned 250 of 250, stopped because"));
    assert_int_equal(run("search memory:/orders nowhere"), 4);
    assert_non_null(strstr(said, "0 matched"));
    assert_int_equal(run("search memory:/orders body.n>=0 -n 3"), 0);
    assert_int_equal(lines(printed), 3);
    assert_non_null(strstr(said, "the limit was reached"));
    assert_int_equal(run("search memory:/orders a=("), 2);
}

/* Also where nothing more flows, which would find out at its next line. */
static void what_cannot_be_written_ends_a_reading(void **state)
{
    (void)state;
    to = "/dev/full";
    assert_int_equal(run("tail memory:/orders --from end-1 --timeout 20s"), 1);
    assert_non_null(strstr(said, "writing failed"));
    assert_int_equal(run("search memory:/orders body.n>=0"), 1);
    assert_non_null(strstr(said, ", stopped because writing failed"));
    assert_null(strstr(said, "enough"));
    assert_int_equal(run("browse memory:/orders"), 1);
    assert_non_null(strstr(said, "writing failed"));
    assert_int_equal(run("probe memory: --watch --timeout 20s"), 1);
    assert_non_null(strstr(said, "writing failed"));
    to = NULL;
}

static void test_tail(void **state)
{
    (void)state;
    assert_int_equal(run("tail memory:/orders memory:/copy --from beginning -n 250 --plain"), 0);
    assert_int_equal(lines(printed), 250);
    assert_int_equal(run("tail memory:/orders --from end --timeout 100ms"), 8);
    assert_int_equal(run("tail memory:/orders --from beginning -n 0"), 0);
    assert_string_equal(printed, "");
    assert_int_equal(run("tail memory:/orders --from sometimes"), 2);
    assert_int_equal(run("tail memory:/orders -p 0 --partition=1"), 2);
    assert_non_null(strstr(said, "--partition is given twice, 0 and 1"));
}

static void test_ls(void **state)
{
    (void)state;
    assert_int_equal(run("ls memory: --json"), 0);
    assert_int_equal(lines(printed), 2);
    assert_non_null(strstr(printed, "\"depth\":250"));
    assert_int_equal(run("ls memory:/ord* --plain"), 0);
    assert_int_equal(lines(printed), 1);
    assert_int_equal(run("ls memory:?ca=x"), 0); /* what is listed is an address, and the same one's */
    assert_non_null(strstr(printed, "\nmemory:/orders?ca=x "));
    assert_int_equal(run("ls memory:/orders?ca=x --plain"), 0);
    assert_int_equal(lines(printed), 1);
    assert_int_equal(run("ls memory:/order?ca=x"), 4);
    assert_non_null(strstr(said, "did you mean orders?"));
    assert_int_equal(run("ls memory:/zzzzzz?ca=x"), 4);
    assert_non_null(strstr(said, "`signalbox ls memory:?ca=x` lists them"));
    assert_int_equal(run("ls memory: --where depth>1000"), 4);
    assert_string_equal(printed, "");
    assert_non_null(strstr(said, "no channel matches"));
    assert_int_equal(run("ls memory: --where p95>1s"), 4);
    assert_non_null(strstr(said, "2 channels are left out because `p95` is not known there"));
    assert_int_equal(run("ls memory: --where p95>1s|depth>200"), 0);
    assert_int_equal(lines(printed), 2);
    assert_non_null(strstr(said, "1 channel is left out because `p95` is not known there"));
    assert_int_equal(run("ls memory:/order"), 4);
    assert_string_equal(printed, "");
    assert_non_null(strstr(said, "no channel order. Next: did you mean orders?"));
    assert_int_equal(run("ls memory:/zzzzzzzz memory: --plain"), 6);
    assert_int_equal(lines(printed), 2);
    assert_non_null(strstr(said, "no channel zzzzzzzz"));
    assert_int_equal(run("ls memory:/x* --quiet"), 4);
    assert_int_equal(run("ls kafka://127.0.0.1:1 memory: --plain"), 6);
    assert_int_equal(lines(printed), 2);
    assert_int_equal(run("ls kafka://127.0.0.1:1"), 1);
    assert_int_equal(run("ls nowhere memory:"), 2);
    assert_int_equal(run("ls memory: --where depht>1000"), 2);
    struct err_info err;
    assert_int_equal(memory_declare("a*b", CHANNEL_QUEUE, NULL, &err), ERR_OK);
    assert_int_equal(memory_declare("axb", CHANNEL_QUEUE, NULL, &err), ERR_OK);
    assert_int_equal(run("ls memory:/a*b --plain"), 0);
    assert_int_equal(lines(printed), 2);
    assert_int_equal(run("ls memory:/a%2Ab --plain"), 0); /* a name, no pattern */
    assert_int_equal(lines(printed), 1);
    assert_non_null(strstr(printed, "\ta*b\t"));
    assert_int_equal(run("ls memory:/%2Ab --plain"), 4);
}

static void test_export_import(void **state)
{
    (void)state;
    char line[400];
    static const char *const names[] = {"a.sba", "a.jsonl"};
    for (int i = 0; i < 2; i++) {
        struct err_info err;
        char name[16];
        snprintf(name, sizeof name, "copy%d", i);
        assert_int_equal(memory_declare(name, CHANNEL_TOPIC, NULL, &err), ERR_OK);
        snprintf(line, sizeof line, "export memory:/orders %s/%s", folder, names[i]);
        assert_int_equal(run(line), 0);
        assert_int_equal(run(line), 1); /* it exists */
        snprintf(line, sizeof line, "import %s/%s memory:/%s", folder, names[i], name);
        assert_int_equal(run(line), 0);
        assert_non_null(strstr(said, "would send 250 messages"));
        snprintf(line, sizeof line, "import %s/%s memory:/%s --execute", folder, names[i], name);
        assert_int_equal(run(line), 0);
        assert_string_equal(printed, "");
        assert_int_equal(
            run("browse memory:/orders -n 250 --format %{key}|%{time}|%{headers.x-tenant}|%{payload}"), 0);
        char *expected = strdup(printed);
        snprintf(line, sizeof line,
                 "browse memory:/%s -n 1000 --format %%{key}|%%{time}|%%{headers.x-tenant}|%%{payload}",
                 name);
        assert_int_equal(run(line), 0);
        assert_string_equal(printed, expected);
        free(expected);
    }
    snprintf(line, sizeof line, "export memory:/orders %s/b.sba --where body.n>1000", folder);
    assert_int_equal(run(line), 4);
    assert_non_null(strstr(said, "b.sba: not written, since nothing matched"));
    snprintf(line, sizeof line, "export memory:/orders %s/none.jsonl -n 0", folder);
    assert_int_equal(run(line), 0);
    assert_non_null(strstr(said, "0 messages, stopped because the limit was reached"));
    snprintf(line, sizeof line, "%s/link.sba", folder);
    assert_int_equal(symlink("nowhere", line), 0);
    snprintf(line, sizeof line, "export memory:/orders %s/link.sba", folder);
    assert_int_equal(run(line), 1);
    assert_non_null(strstr(said, "link.sba: this is a link to a file that is not there"));
    snprintf(line, sizeof line, "import %s/none.sba memory:/copy", folder);
    assert_int_equal(run(line), 2);
    snprintf(line, sizeof line, "export memory:/nothing %s/b.sba", folder);
    assert_int_equal(run(line), 1);
    snprintf(line, sizeof line, "%s/b.sba", folder);
    assert_int_equal(access(line, F_OK), -1);
    snprintf(line, sizeof line, "%s/b.sba.part", folder);
    assert_int_equal(access(line, F_OK), -1);
}

static void import_ends_with_its_counts(void **state)
{
    (void)state;
    char line[400];
    struct err_info err;
    assert_int_equal(memory_declare("counted", CHANNEL_TOPIC, NULL, &err), ERR_OK);
    snprintf(line, sizeof line, "export memory:/orders %s/counts.jsonl", folder);
    assert_int_equal(run(line), 0);
    snprintf(line, sizeof line, "import %s/counts.jsonl memory:/counted --json", folder);
    assert_int_equal(run(line), 0);
    assert_string_equal(printed,
                        "{\"schema\":\"signalbox.import/1\",\"endpoint\":\"memory:\",\"channel\":\"counted\","
                        "\"executed\":false,\"messages\":250,\"confirmed\":0,\"refused\":0,\"unsent\":250,"
                        "\"unanswered\":0}\n");
    snprintf(line + strlen(line), sizeof line - strlen(line), " --execute");
    assert_int_equal(run(line), 0);
    assert_non_null(strstr(printed, "\"executed\":true,\"messages\":250,\"confirmed\":250,\"refused\":0,"
                                    "\"unsent\":0,\"unanswered\":0}\n"));
    snprintf(line, sizeof line, "import %s/counts.jsonl memory:/uncounted --json --execute", folder);
    assert_int_equal(run(line), 1);
    assert_int_equal(lines(printed), 1);
    assert_non_null(strstr(printed, "\"confirmed\":0,\"refused\":0,\"unsent\":"));
}

static void test_send(void **state)
{
    (void)state;
    char file[200], line[500];
    snprintf(file, sizeof file, "%s/body", folder);
    int fd = open(file, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "\0\xff", 2), 2);
    close(fd);
    snprintf(line, sizeof line, "send memory:/copy %s --key k -H b=2 -H a=1 -H b=", file);
    assert_int_equal(run(line), 0);
    assert_non_null(strstr(printed, "AP8="));
    assert_non_null(strstr(said, "nothing was sent"));
    assert_int_equal(run("ls memory:/copy --plain"), 0);
    assert_non_null(strstr(printed, "\ttopic\t0\t"));
    snprintf(line + strlen(line), sizeof line - strlen(line), " --execute");
    assert_int_equal(run(line), 0);
    assert_int_equal(run("browse memory:/copy --json"), 0);
    assert_non_null(strstr(
        printed,
        "\"key\":{\"text\":\"k\"},\"headers\":[{\"name\":\"b\",\"type\":\"string\",\"value\":{\"text\":\"2\"}},"
        "{\"name\":\"a\""));
    snprintf(line, sizeof line, "send memory:/copy %s --partition 1", file);
    assert_int_equal(run(line), 2);
    assert_non_null(strstr(said, "has no partitions"));
    snprintf(line, sizeof line, "send memory:/missing %s", file);
    assert_int_equal(run(line), 1);
    snprintf(line, sizeof line, "send memory:/missing %s --create", file);
    assert_int_equal(run(line), 0);
    assert_non_null(strstr(said, "would be made"));
    snprintf(line, sizeof line, "send memory:/missing %s --execute", file);
    assert_int_equal(run(line), 1);
    snprintf(line, sizeof line, "send memory:/missing %s --execute --create", file);
    assert_int_equal(run(line), 0);
    snprintf(line, sizeof line, "send memory:/copy %s -H novalue", file);
    assert_int_equal(run(line), 2);
}

/* A line that is damaged is found before the first one is sent. */
static void test_damaged_lines(void **state)
{
    (void)state;
    char file[200], line[500];
    snprintf(file, sizeof file, "%s/half.jsonl", folder);
    FILE *f = fopen(file, "w");
    fputs("{\"payload\":{\"text\":\"a\"}}\n{\"payload\":{\"text\":\"b\"}}\n{\"payload\":\n", f);
    fclose(f);
    for (int i = 0; i < 4; i++) {
        snprintf(line, sizeof line, i & 1 ? "import %s memory:/copy%s" : "send --json memory:/copy %s%s",
                 file, i & 2 ? " --execute" : "");
        assert_int_equal(run(line), 1);
        assert_non_null(strstr(said, "half.jsonl: line 3, byte"));
    }
    assert_int_equal(run("ls memory:/copy --plain"), 0);
    assert_non_null(strstr(printed, "\ttopic\t0\t"));
    snprintf(line, sizeof line, "import %s memory:/copy", folder);
    assert_int_equal(run(line), 1);
    assert_non_null(strstr(said, folder));
}

static void test_permission(void **state)
{
    (void)state;
    char config[200], line[600];
    snprintf(config, sizeof config, "%s/c.yaml", folder);
    FILE *f = fopen(config, "w");
    fputs(
        "endpoints: {r: {url: \"memory:\"}, w: {url: \"memory:\", write: true}, p: {url: \"memory:\", production: true}}\n",
        f);
    fclose(f);
    static const struct {
        const char *arguments;
        int code;
        const char *add; /* what a dry run says is missing */
    } cases[] = {
        {"r/copy", 0, "Add --execute --write to"},
        {"r/copy --write", 0, "Add --execute to"},
        {"w/copy", 0, "Add --execute to"},
        {"p/copy --confirm p/orders", 0, "Add --execute --write --confirm p/copy to"},
        {"r/copy --execute", 7, NULL},
        {"r/copy --execute --write", 0, NULL},
        {"w/copy --execute", 0, NULL},
        {"p/copy --execute --write", 7, NULL},
        {"p/copy --execute --write --confirm p/orders", 7, NULL},
        {"p/copy --execute --write --confirm p/copy", 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(line, sizeof line, "send --config %s %s", config, cases[i].arguments);
        char with_file[1000];
        snprintf(with_file, sizeof with_file, "%s -- %s", line, config);
        if (run(with_file) != cases[i].code || (cases[i].add && !strstr(said, cases[i].add)))
            fail_msg("%s: %s", cases[i].arguments, said);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct header properties[] = {
        {BYTES_LITERAL("routing_key"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("a.b")}}};
    static const char wide[] = "\xc3\xbcml-\xe6\x97\xa5"; /* 6 cells */
    char row[80];
    struct message m = {.time_ns = TIME_NONE,
                        .received_ns = clock_wall_ns(),
                        .payload = BYTES_LITERAL("x"),
                        .properties = {properties, 1}};
    struct err_info err;
    assert_int_equal(memory_declare("queue:x", CHANNEL_QUEUE, NULL, &err), ERR_OK);
    assert_int_equal(memory_declare(wide, CHANNEL_QUEUE, NULL, &err), ERR_OK);
    assert_int_equal(memory_publish("queue:x", &m, NULL, &err), ERR_OK);
    assert_int_equal(run("ls memory:"), 0);
    assert_non_null(strstr(printed, "memory:/queue:queue:x "));
    /* Columns are cells: a letter of two bytes takes one, one of three bytes two. */
    snprintf(row, sizeof row, "memory:/%s%*s queue", wide, 36 - 8 - 6, "");
    assert_non_null(strstr(printed, row));
    assert_int_equal(run("browse memory:/queue:queue:x"), 0);
    assert_non_null(strstr(printed, "  \\N  1  x")); /* a routing key is no key */
    assert_int_equal(run("browse memory:/queue%3Ax --format %{channel}|%{key}"), 0);
    assert_string_equal(printed, "queue:x|\\N\n");
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const hostile[] = {"ord\x1b[31m", "ord\nm/x",        "ord\x7f",
                                          "ord\xc2\x9b", "ord\xe2\x80\xae", "ord\xff"};
    char config[160], line[240];
    struct err_info err;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        assert_int_equal(memory_declare(hostile[i], CHANNEL_QUEUE, NULL, &err), ERR_OK);
    assert_int_equal(memory_declare("ordn\xc3\xbcng", CHANNEL_QUEUE, NULL, &err), ERR_OK);
    snprintf(config, sizeof config, "%s/addresses.yaml", folder);
    FILE *f = fopen(config, "w");
    assert_non_null(f);
    fputs("endpoints: {m: {url: \"memory:\"}}\n", f);
    fclose(f);
    snprintf(line, sizeof line, "completion addresses m/o --config %s", config);
    assert_int_equal(run(line), 0);
    assert_string_equal(printed, "m/orders\nm/ordn\xc3\xbcng\n");
    static const struct {
        const char *typed, *becomes;
    } rows[] = {{"q", "m/qq\nm/queue:queue:x\n"},
                {"queue:", "m/queue:ordn\xc3\xbcng\nm/queue:qq\nm/queue:queue:x\n"},
                {"queue:qu", "m/queue:queue:x\n"},
                {"que", "m/queue:queue:x\n"},
                {"exch", "m/exchange:stream:y\nm/exchange:xx\n"},
                {"stream:", "m/exchange:stream:y\n"},
                {"stream:y", "m/exchange:stream:y\n"},
                {"top", "m/topic:copy\nm/topic:orders\n"},
                {"strea", "m/exchange:stream:y\n"}};
    assert_int_equal(memory_declare("xx", CHANNEL_EXCHANGE, NULL, &err), ERR_OK);
    assert_int_equal(memory_declare("stream:y", CHANNEL_EXCHANGE, NULL, &err), ERR_OK);
    assert_int_equal(memory_declare("qq", CHANNEL_QUEUE, NULL, &err), ERR_OK);
    assert_int_equal(memory_declare("queue:x", CHANNEL_QUEUE, NULL, &err), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(line, sizeof line, "completion addresses m/%s --config %s", rows[i].typed, config);
        assert_int_equal(run(line), 0);
        assert_string_equal(printed, rows[i].becomes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_browse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(test_format, setup, teardown),
        cmocka_unit_test_setup_teardown(a_double_is_as_short_as_it_can_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_ends_a_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_export_import, setup, teardown),
        cmocka_unit_test_setup_teardown(import_ends_with_its_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_send, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_permission, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
