/* `ls --rates` takes two lists: what becomes of it when the second one fails, is late, or a signal comes before it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "brokers/memory/memory.h"
#include "brokers/memory/memory_server.h"
#include "cli/cli.h"
#include "registry.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum second { COMES, FAILS, FAILS_BEHIND_RATES, IS_LATE, IS_KILLED };

static enum second second;
static unsigned asked;
static char printed[4096], said[4096];

static enum err list(struct broker *b, const char *pattern, uint32_t flags, struct channel_list *into,
                     struct err_info *err)
{
    if (++asked != 2 || second == COMES) {
        enum err e = memory_broker.list(b, pattern, flags, into, err);
        if (!e && second == FAILS_BEHIND_RATES)
            into->items[0].in_rate = 2;
        return e;
    }
    if (second == FAILS || second == FAILS_BEHIND_RATES)
        return err_set(err, ERR_DENIED, "no more");
    if (second == IS_KILLED)
        kill(getpid(), SIGTERM);
    while (!atomic_load(b->cancelled))
        usleep(1000);
    return err_set(err, ERR_CANCELLED, "cancelled");
}

static void catch (int fd, FILE *in, int *old)
{
    fflush(NULL);
    *old = dup(fd);
    dup2(fileno(in), fd);
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

static int ls(enum second what)
{
    static const char *const words[] = {"signalbox", "ls",        "memory:", "--rates",
                                        "--plain",   "--timeout", "300ms"};
    struct broker_ops ops = memory_broker;
    const struct broker_ops *brokers[] = {&ops, NULL};
    struct registry mine = registry;
    char *argv[sizeof words / sizeof *words + 1] = {0};
    struct cli c;
    bool done;
    FILE *out = tmpfile(), *err = tmpfile();
    int old[2];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        argv[i] = (char *)(uintptr_t)words[i];
    ops.list = list;
    mine.brokers = brokers;
    second = what;
    asked = 0;
    catch (STDOUT_FILENO, out, &old[0]);
    catch (STDERR_FILENO, err, &old[1]);
    int code = cli_parse(&c, sizeof words / sizeof *words, argv, &mine, &done);
    if (!code)
        code = cli_run(&c);
    cli_free(&c);
    give_back(STDERR_FILENO, err, old[1], said, sizeof said);
    give_back(STDOUT_FILENO, out, old[0], printed, sizeof printed);
    return code;
}

static void rates_that_were_not_measured_are_said(void **state)
{
    (void)state;
    struct err_info err;
    memory_reset();
    assert_int_equal(memory_declare("orders", CHANNEL_TOPIC, NULL, &err), ERR_OK);
    assert_int_equal(ls(COMES), 0);
    assert_string_equal(said, "");
    assert_non_null(strstr(printed, "\torders\ttopic\t0\t0.000\t"));
    assert_int_equal(ls(FAILS), 5);
    assert_non_null(strstr(said, "memory:: rates are not known: no more"));
    assert_non_null(strstr(printed, "\torders\ttopic\t0\t\t"));
    assert_int_equal(ls(FAILS_BEHIND_RATES), 5);
    assert_non_null(strstr(said, "memory:: rates are the broker's own, not measured now: no more"));
    assert_non_null(strstr(printed, "\torders\ttopic\t0\t2.000\t"));
    assert_int_equal(ls(IS_LATE), 8);
    assert_non_null(strstr(said, "memory:: rates are not known: no answer within 2.3 s"));
    assert_non_null(strstr(printed, "\torders\ttopic\t0\t\t"));
    assert_int_equal(ls(IS_KILLED), 143); /* the last one: what was seen stays seen */
    assert_string_equal(printed, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rates_that_were_not_measured_are_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
