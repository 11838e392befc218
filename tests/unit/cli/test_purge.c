/* purge, restore and replay as they are typed, on channels in memory: what is said, what is refused, what the journal shows. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "brokers/memory/memory.h"
#include "brokers/memory/memory_server.h"
#include "cli/cli.h"
#include "cli/signals.h"
#include "registry.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char home[64], printed[16384], said[16384], archive[600];

static void divert(int fd, FILE *to, int *old)
{
    fflush(NULL);
    *old = dup(fd);
    dup2(fileno(to), fd);
}

static void give_back(int fd, FILE *from, int old, char *into, size_t size)
{
    fflush(NULL);
    dup2(old, fd);
    close(old);
    rewind(from);
    into[fread(into, 1, size - 1, from)] = '\0';
    fclose(from);
}

static struct broker_ops ops;

/* "purge memory:/a --execute": words without blanks in them. The exit code. */
static SB_PRINTF(1, 2) int type(const char *format, ...)
{
    const struct broker_ops *brokers[] = {&ops, NULL};
    struct registry mine = registry;
    char program[] = "signalbox", line[1000], *argv[32] = {program};
    int argc = 1, old[2];
    bool done;
    struct cli c;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *at = line, *word; (word = strsep(&at, " "));)
        argv[argc++] = word;
    mine.brokers = brokers;
    FILE *out = tmpfile(), *err = tmpfile();
    divert(STDOUT_FILENO, out, &old[0]);
    divert(STDERR_FILENO, err, &old[1]);
    int code = cli_parse(&c, argc, argv, &mine, &done);
    if (!code)
        code = cli_run(&c);
    cli_free(&c);
    give_back(STDERR_FILENO, err, old[1], said, sizeof said);
    give_back(STDOUT_FILENO, out, old[0], printed, sizeof printed);
    return code;
}

static void publish(int count)
{
    for (int i = 0; i < count; i++) {
        char body[40];
        snprintf(body, sizeof body, "{\"n\":%d}", i);
        struct message m = {.payload = bytes_of_text(body), .time_ns = 5};
        assert_int_equal(memory_publish("a", &m, NULL, NULL), ERR_OK);
    }
}

static int64_t waiting(const char *queue)
{
    int64_t ready, leased;
    assert_true(memory_count(queue, &ready, &leased));
    return ready;
}

static int setup(void **state)
{
    (void)state;
    char config[128];
    snprintf(home, sizeof home, "/tmp/signalbox-purge-XXXXXX");
    if (!mkdtemp(home) || setenv("XDG_STATE_HOME", home, 1))
        return -1;
    snprintf(config, sizeof config, "%s/config.yaml", home);
    FILE *f = fopen(config, "w");
    fputs("endpoints:\n"
          "  safe: {url: \"memory:\"}\n"
          "  prod: {url: \"memory:\", write: true, production: true}\n",
          f);
    fclose(f);
    setenv("SIGNALBOX_CONFIG", config, 1);
    ops = memory_broker;
    return memory_declare("a", CHANNEL_QUEUE, NULL, NULL) || memory_declare("b", CHANNEL_QUEUE, NULL, NULL) ||
                   memory_declare("log", CHANNEL_TOPIC, NULL, NULL)
               ? -1
               : 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    memory_reset();
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

static const char *find_archive(void)
{
    char folder[128];
    snprintf(folder, sizeof folder, "%s/signalbox/archives", home);
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            snprintf(archive, sizeof archive, "%s", e->d_name);
    closedir(d);
    return archive;
}

static void assert_said(const char *text)
{
    if (!strstr(said, text))
        fail_msg("not said: %s\nbut: %s", text, said);
}

static void a_dry_run_says_what_would_go_and_changes_nothing(void **state)
{
    (void)state;
    publish(30);
    assert_int_equal(type("purge memory:/a"), 0);
    assert_said("would purge 30 messages (");
    assert_said("archived first, about ");
    assert_said(" free)");
    assert_said("what comes after it has begun stays");
    assert_said("Add --execute to do it");
    assert_int_equal(type("purge memory:/a --select n=2x"), 2); /* no such field */
    assert_int_equal(type("purge memory:/a --select body.n<5"), 0);
    assert_said("would purge 5 messages (");
    assert_int_equal(type("purge memory:/a --limit 7"), 0);
    assert_said("would purge 7 messages");
    assert_int_equal(type("purge memory:/b"), 4);
    assert_int_equal(waiting("a"), 30);
}

static void what_was_purged_is_restored_once(void **state)
{
    (void)state;
    publish(30);
    assert_int_equal(type("purge memory:/a --select body.n>=10 --execute --json"), 0);
    assert_int_equal(waiting("a"), 10);
    assert_said("20 done");
    assert_said("now: 10 ready in memory:/a, 30 before");
    assert_non_null(strstr(printed, "\"archive\":\"/"));
    assert_non_null(strstr(printed, find_archive()));
    assert_int_equal(type("journal"), 0);
    assert_non_null(strstr(printed, "purge"));
    assert_int_equal(type("restore %s", archive), 0);
    assert_said("would restore 20 messages from /");
    assert_said(" to memory:/a;");
    assert_int_equal(type("restore %s --to memory:/b --execute", archive), 0);
    assert_int_equal(waiting("b"), 20);
    for (int i = 0; i < 2; i++) { /* the dry run fails as the change does */
        assert_int_equal(type("restore %s%s", archive, i ? " --execute" : ""), 7);
        assert_said("was restored by operation ");
        assert_said("--again");
    }
    assert_int_equal(type("restore %s --again", archive), 0);
    assert_said("would restore 20 messages");
    assert_int_equal(waiting("a"), 10);
    assert_int_equal(type("restore %s/signalbox/archives/%s --again --execute", home, archive), 0);
    assert_int_equal(waiting("a"), 30);
    assert_int_equal(type("restore nothing"), 1);
    assert_said("no archive of that path or name");
}

static void endpoints_keep_their_rules(void **state)
{
    (void)state;
    publish(3);
    assert_int_equal(type("purge safe/a --execute"), 7);
    assert_said("read-only");
    assert_int_equal(type("purge prod/a --execute"), 7);
    assert_said("--confirm prod/a");
    assert_int_equal(waiting("a"), 3);
    assert_int_equal(type("purge safe/a --execute --write"), 0);
    assert_int_equal(waiting("a"), 0);
    assert_int_equal(type("restore %s --execute", find_archive()), 7);
    assert_said("read-only");
    assert_int_equal(type("restore %s --execute --write", archive), 0);
    assert_int_equal(type("purge prod/a --execute --confirm prod/a"), 0);
    assert_int_equal(waiting("a"), 0);
}

static void the_brokers_own_purge_is_named_as_it_is(void **state)
{
    (void)state;
    publish(3);
    assert_int_equal(type("purge memory:/a --no-archive --limit 2"), 2);
    assert_int_equal(type("purge memory:/a --no-archive"), 0);
    assert_said("nothing of it can be restored");
    assert_int_equal(waiting("a"), 3);
    assert_int_equal(type("purge memory:/a --no-archive --execute"), 0);
    assert_said("nothing of it can be restored");
    assert_int_equal(waiting("a"), 0);
}

static void a_topic_that_forgets_by_itself_is_refused(void **state)
{
    (void)state;
    assert_int_equal(type("purge memory:/log"), 7);
    assert_said("forgets its oldest messages by itself");
    assert_int_equal(type("purge memory:/log --no-archive"), 7);
}

/* As Kafka: nothing is leased. */
static void of_a_log_nothing_is_selected(void **state)
{
    (void)state;
    publish(3);
    ops.lease_open = NULL;
    assert_int_equal(type("purge memory:/a --select body.n=1"), 7);
    assert_said("not by --select or --limit");
    assert_said("copy --select");
    assert_int_equal(type("purge memory:/a --select body.n=1 --execute"), 7);
    assert_int_equal(type("purge memory:/a --limit 1 --execute"), 7);
    assert_int_equal(type("purge memory:/a"), 0);
    assert_said("all up to there is removed at once");
    assert_int_equal(waiting("a"), 3);
    assert_int_equal(type("purge memory:/a --execute"), 0);
    assert_int_equal(waiting("a"), 0);
    assert_said("archived in ");
}

/* Where they died no header tells. */
static void what_would_be_skipped_is_not_planned(void **state)
{
    (void)state;
    struct header died = {BYTES_LITERAL("x-death-queue"),
                          {.type = VALUE_STRING, .bytes = BYTES_LITERAL("b")}};
    struct message m = {.payload = BYTES_LITERAL("x"), .time_ns = 5, .headers = {&died, 1}};
    publish(34);
    assert_int_equal(type("replay memory:/a --json"), 0);
    assert_said("nothing of memory:/a would be sent");
    assert_non_null(strstr(printed, "\"planned\":0,"));
    assert_non_null(strstr(printed, "\"selected\":34,"));
    assert_int_equal(memory_publish("a", &m, NULL, NULL), ERR_OK);
    assert_int_equal(type("replay memory:/a --json"), 0);
    assert_said("34 of them would be skipped");
    assert_said("would replay 1 message ");
    assert_non_null(strstr(printed, "\"planned\":1,"));
    assert_int_equal(type("replay memory:/a --execute --json"), 0);
    assert_non_null(strstr(printed, "\"planned\":1,\"done\":1,\"skipped\":34,"));
    assert_int_equal(type("replay memory:/a --select body.n=7"), 0);
    assert_said("nothing of memory:/a would be sent");
    assert_int_equal(type("replay memory:/a --select body.n=99"), 4);
    assert_said("would replay 0 messages");
}

/* Before anything is asked, and whatever else is wrong. */
static void a_wrong_choice_is_refused_first(void **state)
{
    (void)state;
    publish(3);
    assert_int_equal(type("move memory:/a --to memory:/b --limit 0 --execute"), 2);
    assert_said("--limit 0 is no message");
    assert_int_equal(type("move memory:/a --to memory:/a --select \"(\""), 2);
    assert_int_equal(type("move memory:/a --to memory:/a --select body.n=1"), 7);
    assert_int_equal(waiting("a"), 3);
    assert_int_equal(type("move memory:/a --to memory:/b --select body.n=1 --execute --json"), 0);
    assert_non_null(strstr(printed, "\"planned\":1,\"done\":1,"));
}

/* The statistics do not know yet what a consumer has. */
static void consumers_that_are_not_counted_yet_are_said(void **state)
{
    (void)state;
    publish(3);
    assert_true(memory_consume("a")); /* in memory that is a consumer for ever */
    ops.unacked_is_late = true;
    assert_int_equal(type("purge memory:/a"), 0);
    assert_said("1 consumer is there: what it has is not touched, and not counted");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_dry_run_says_what_would_go_and_changes_nothing),
        TEST(what_was_purged_is_restored_once),
        TEST(endpoints_keep_their_rules),
        TEST(the_brokers_own_purge_is_named_as_it_is),
        TEST(a_topic_that_forgets_by_itself_is_refused),
        TEST(of_a_log_nothing_is_selected),
        TEST(what_would_be_skipped_is_not_planned),
        TEST(a_wrong_choice_is_refused_first),
        TEST(consumers_that_are_not_counted_yet_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
