/* The operations of a process, as a screen has them: looked at, begun, held up, ended, on the memory broker. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "brokers/memory/memory_server.h"
#include "operations/jobs.h"
#include "registry.h"

static char home[64];
static struct config config;
static struct jobs *jobs;
static struct config_endpoint *memory;

static int setup(void **state)
{
    (void)state;
    struct err_info err;
    snprintf(home, sizeof home, "/tmp/signalbox-jobs-XXXXXX");
    if (!mkdtemp(home) || setenv("XDG_STATE_HOME", home, 1) || config_init(&config, &err))
        return -1;
    memory = config_add_url(&config, "memory:", registry.brokers, &err);
    jobs = jobs_new(&config, &registry, &err);
    return !memory || !jobs || memory_declare("from", CHANNEL_QUEUE, NULL, NULL) ||
                   memory_declare("to", CHANNEL_QUEUE, NULL, NULL) ||
                   memory_declare("topic", CHANNEL_TOPIC, NULL, NULL)
               ? -1
               : 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    jobs_free(&jobs);
    config_free(&config);
    memory_reset();
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

static void publish(const char *queue, int count)
{
    for (int i = 0; i < count; i++) {
        char body[40];
        snprintf(body, sizeof body, "{\"n\":%d}", i);
        struct message m = {.payload = bytes_of_text(body), .time_ns = 5};
        assert_int_equal(memory_publish(queue, &m, NULL, NULL), ERR_OK);
    }
}

static int64_t held(const char *queue)
{
    int64_t ready = 0, leased = 0;
    assert_true(memory_count(queue, &ready, &leased));
    return ready + leased;
}

static struct address address_of(const char *channel)
{
    return (struct address){memory, {CHANNEL_ANY, channel}};
}

static struct order order_of(enum operation_kind kind, const char *from)
{
    bool there = kind == OPERATION_MOVE || kind == OPERATION_COPY;
    struct order o = {.plan = {.kind = kind,
                               .from = "memory:/from",
                               .to = there ? "memory:/to" : NULL,
                               .limit = -1,
                               .replays_most = PLAN_REPLAYS_MOST},
                      .from = address_of(from)};
    if (there)
        o.to = address_of("to");
    return o;
}

/* Until it is in that state, or in another one that it does not leave. */
static struct job_status wait_for(struct job *job, enum job_state state)
{
    struct job_status s;
    int64_t end = clock_mono_ns() + 30 * NS_PER_S;
    do {
        struct pollfd p = {.fd = jobs_fd(jobs), .events = POLLIN};
        poll(&p, 1, 100);
        jobs_pump(jobs);
        job_status(job, &s);
    } while (s.state != state && s.state != JOB_REFUSED && s.state != JOB_ENDED && clock_mono_ns() < end);
    if (s.state != state)
        fail_msg("state %d, not %d: %s %s", s.state, state, s.err.text, s.progress.note);
    return s;
}

static struct job *look(const struct order *order)
{
    struct err_info err = {.code = ERR_OK};
    struct job *job = jobs_look(jobs, order, &err);
    if (!job)
        fail_msg("%s", err.text);
    return job;
}

static void looking_changes_nothing(void **state)
{
    (void)state;
    struct order o = order_of(OPERATION_MOVE, "from");
    publish("from", 20);
    o.plan.select = "/[02468]}/";
    struct job *job = look(&o);
    struct job_status s = wait_for(job, JOB_READY);
    assert_int_equal(s.planned, 10);
    assert_int_equal(s.preview.ready, 20);
    assert_int_equal(jobs_count(jobs), 0);
    assert_string_equal(job_command(job),
                        "signalbox move memory:/from --to memory:/to --select '/[02468]}/' --execute");
    job_drop(job);
    assert_int_equal(held("from"), 20);
    assert_int_equal(held("to"), 0);
    struct journal *j = journal_open(NULL);
    struct arena arena;
    struct journal_operation found;
    arena_init(&arena, 1 << 20);
    assert_int_equal(journal_find(j, "", &arena, &found, NULL), ERR_NOTFOUND);
    arena_free(&arena);
    journal_close(&j);
}

static void what_was_begun_runs_to_its_end(void **state)
{
    (void)state;
    struct order o = order_of(OPERATION_MOVE, "from");
    publish("from", 3000);
    struct job *job = look(&o);
    wait_for(job, JOB_READY);
    publish("from", 5); /* nobody has said yes to these */
    job_begin(job);
    struct job_status s = wait_for(job, JOB_ENDED);
    assert_int_equal(s.progress.state, OPERATION_DONE);
    assert_int_equal(s.progress.counts.done, 3000);
    assert_int_equal(s.planned, 3000);
    assert_true(s.ended_ns >= s.began_ns && s.began_ns > 0);
    assert_int_equal(held("from"), 5);
    assert_int_equal(held("to"), 3000);
    assert_int_equal(jobs_count(jobs), 1);
    assert_ptr_equal(jobs_find(jobs, s.id), job);
}

/* A selection's count, too: what has come since stays, also where consumers have made room for it. */
static void what_came_after_the_look_stays(void **state)
{
    (void)state;
    static const enum operation_kind kinds[] = {OPERATION_MOVE, OPERATION_PURGE, OPERATION_COPY};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct order o = order_of(kinds[i], "from");
        int64_t before = held("from");
        while (memory_consume("from"))
            before--;
        assert_int_equal(before, 0);
        publish("from", 20);
        o.plan.select = "/[02468]}/";
        struct job *job = look(&o);
        wait_for(job, JOB_READY);
        publish("from", 20);
        for (int n = 0; n < 4; n++) /* two of them are selected */
            assert_true(memory_consume("from"));
        job_begin(job);
        struct job_status s = wait_for(job, JOB_ENDED);
        assert_int_equal(s.progress.state, OPERATION_DONE);
        assert_int_equal(s.progress.counts.done, 10);
        assert_int_equal(s.planned, 10);
        assert_int_equal(held("from"), kinds[i] == OPERATION_COPY ? 36 : 26);
    }
}

static void a_pause_holds_it_and_a_cancel_ends_it(void **state)
{
    (void)state;
    struct order o = order_of(OPERATION_MOVE, "from");
    publish("from", 2000);
    o.plan.rate = 1;
    struct job *job = look(&o);
    wait_for(job, JOB_READY);
    job_pause(job, true);
    job_begin(job);
    struct job_status s = wait_for(job, JOB_RUNNING);
    assert_int_equal(jobs_running(jobs), 1);
    job_rate(job, 0);
    for (int i = 0; i < 20; i++) {
        poll(NULL, 0, 10);
        job_status(job, &s);
        assert_int_equal(s.progress.counts.done, 0);
    }
    job_cancel(job);
    s = wait_for(job, JOB_ENDED);
    assert_int_equal(s.progress.state, OPERATION_CANCELLED);
    assert_int_equal(held("from") + held("to"), 2000);
    assert_int_equal(jobs_running(jobs), 0);
}

static void a_pause_can_be_ended(void **state)
{
    (void)state;
    struct order o = order_of(OPERATION_MOVE, "from");
    publish("from", 100);
    struct job *job = look(&o);
    wait_for(job, JOB_READY);
    job_pause(job, true);
    job_begin(job);
    wait_for(job, JOB_RUNNING);
    job_pause(job, false);
    wait_for(job, JOB_ENDED);
    assert_int_equal(held("to"), 100);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct err_info err = {.code = ERR_OK};
    struct order o = order_of(OPERATION_MOVE, "to");
    assert_null(jobs_look(jobs, &o, &err));
    assert_int_equal(err.code, ERR_REFUSED);
    o = order_of(OPERATION_MOVE, "from");
    o.plan.select = "totl=3";
    assert_null(jobs_look(jobs, &o, &err));
    assert_int_equal(err.code, ERR_USAGE);
    o = order_of(OPERATION_MOVE, "topic");
    struct job *job = look(&o);
    assert_int_equal(wait_for(job, JOB_REFUSED).err.code, ERR_REFUSED);
    job_drop(job);
    o = order_of(OPERATION_COPY, "from");
    o.to.channel.name = "nowhere";
    job = look(&o);
    assert_int_equal(wait_for(job, JOB_REFUSED).err.code, ERR_NOTFOUND);
    job_begin(job); /* no word makes it begin */
    assert_int_equal(jobs_count(jobs), 0);
    job_drop(job);
}

static void only_so_many_go_at_once(void **state)
{
    (void)state;
    struct err_info err = {.code = ERR_OK};
    struct order o = order_of(OPERATION_COPY, "from");
    publish("from", 1);
    for (int i = 0; i < JOBS_MOST + 10; i++) { /* those that have ended make way */
        struct job *job = look(&o);
        wait_for(job, JOB_READY);
        job_begin(job);
        wait_for(job, JOB_ENDED);
    }
    assert_int_equal(held("to"), JOBS_MOST + 10);
    assert_in_range(jobs_count(jobs), JOBS_MOST - 2, JOBS_MOST);
    for (int i = 0; i < JOBS_RUNNING; i++) {
        o.plan.rate = 1;
        struct job *job = look(&o);
        wait_for(job, JOB_READY);
        job_pause(job, true);
        job_begin(job);
        wait_for(job, JOB_RUNNING);
    }
    assert_null(jobs_look(jobs, &o, &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

static struct journal_operation *found;

static bool take_first(void *context, const struct journal_operation *o)
{
    struct arena *arena = context;
    *found = *o;
    found->plan = arena_copy(arena, o->plan);
    found->command = arena_strdup(arena, o->command);
    found->archive = o->archive ? arena_strdup(arena, o->archive) : NULL;
    return false;
}

static void read_newest(struct arena *arena, struct journal_operation *o)
{
    struct journal *j = journal_open(NULL);
    found = o;
    assert_int_equal(journal_operations(j, take_first, arena, NULL), ERR_OK);
    journal_close(&j);
}

static void what_was_interrupted_is_resumed(void **state)
{
    (void)state;
    struct err_info err = {.code = ERR_OK};
    struct order o = order_of(OPERATION_MOVE, "from");
    struct arena arena;
    struct journal_operation record;
    publish("from", 500);
    o.plan.rate = 50;
    struct job *job = look(&o);
    wait_for(job, JOB_READY);
    job_begin(job);
    wait_for(job, JOB_RUNNING);
    job_cancel(job);
    job_cancel(job); /* at once: as a crash leaves it, or before anything was done */
    struct job_status s = wait_for(job, JOB_ENDED);
    if (s.progress.state != OPERATION_INTERRUPTED)
        return;
    arena_init(&arena, 1 << 20);
    read_newest(&arena, &record);
    o.plan.rate = 0;
    job = jobs_resume(jobs, &record, &o, &err);
    assert_non_null(job);
    s = wait_for(job, JOB_ENDED);
    assert_true(s.resumed);
    assert_int_equal(held("from") + held("to"), 500);
    arena_free(&arena);
}

static void what_has_ended_is_not_resumed(void **state)
{
    (void)state;
    struct err_info err = {.code = ERR_OK};
    struct order o = order_of(OPERATION_MOVE, "from");
    struct arena arena;
    struct journal_operation record;
    publish("from", 5);
    struct job *job = look(&o);
    wait_for(job, JOB_READY);
    job_begin(job);
    wait_for(job, JOB_ENDED);
    arena_init(&arena, 1 << 20);
    read_newest(&arena, &record);
    job = jobs_resume(jobs, &record, &o, &err);
    struct job_status s = wait_for(job, JOB_REFUSED);
    assert_int_equal(s.err.code, ERR_REFUSED);
    arena_free(&arena);
}

static void a_purge_is_restored_once(void **state)
{
    (void)state;
    struct order o = order_of(OPERATION_PURGE, "from");
    struct arena arena;
    struct journal_operation record;
    publish("from", 50);
    struct job *job = look(&o);
    wait_for(job, JOB_READY);
    job_begin(job);
    wait_for(job, JOB_ENDED);
    assert_int_equal(held("from"), 0);
    arena_init(&arena, 1 << 20);
    read_newest(&arena, &record);
    assert_non_null(record.archive);
    struct order back = {
        .plan = {.kind = OPERATION_RESTORE, .from = record.archive, .to = "memory:/from", .limit = -1},
        .to = address_of("from")};
    struct job *first = look(&back), *second = look(&back);
    assert_int_equal(wait_for(first, JOB_READY).planned, 50);
    assert_int_equal(wait_for(second, JOB_READY).planned, 50);
    job_begin(first);
    wait_for(first, JOB_ENDED);
    job_begin(second);
    assert_int_equal(wait_for(second, JOB_REFUSED).err.code, ERR_REFUSED);
    assert_int_equal(held("from"), 50);
    job = look(&back); /* and whoever looks now is told at once */
    assert_int_equal(wait_for(job, JOB_REFUSED).err.code, ERR_REFUSED);
    job_drop(job);
    back.plan.again = true;
    job = look(&back);
    wait_for(job, JOB_READY);
    job_drop(job);
    arena_free(&arena);
}

/* Leaving with some under way loses nothing and waits for nobody. */
static void leaving_ends_what_runs(void **state)
{
    (void)state;
    struct order o = order_of(OPERATION_MOVE, "from");
    publish("from", 1000);
    o.plan.rate = 1;
    struct job *job = look(&o);
    wait_for(job, JOB_READY);
    job_begin(job);
    wait_for(job, JOB_RUNNING);
    look(&o); /* and one that nobody has said yes to */
    int64_t began = clock_mono_ns();
    jobs_free(&jobs);
    assert_true(clock_mono_ns() - began < 8 * NS_PER_S);
    assert_int_equal(held("from") + held("to"), 1000);
}

static void commands_say_what_they_need(void **state)
{
    (void)state;
    struct config_endpoint prod = {.endpoint = {.name = "prod", .production = true},
                                   .broker = memory->broker};
    struct buffer out;
    struct order o = {.plan = {.kind = OPERATION_REPLAY,
                               .from = "prod/orders.dlq",
                               .select = "dlq.reason='it''s'",
                               .limit = 7,
                               .rate = 20,
                               .exchange = true,
                               .again = true},
                      .from = {&prod, {CHANNEL_QUEUE, "orders.dlq"}}};
    buffer_init(&out, 4096);
    order_command(&o, &out);
    assert_string_equal(
        buffer_cstr(&out),
        "signalbox replay prod/orders.dlq --to exchange --select 'dlq.reason='\\''it'\\'''\\''s'\\''' "
        "--limit 7 --rate 20/s --again --execute --write --confirm prod/orders.dlq");
    buffer_clear(&out);
    o.plan =
        (struct plan){.kind = OPERATION_MOVE, .from = "prod/orders.dlq", .to = "prod/parked", .limit = -1};
    o.to = (struct address){&prod, {CHANNEL_QUEUE, "parked"}};
    order_command(&o, &out);
    assert_string_equal(
        buffer_cstr(&out),
        "signalbox move prod/orders.dlq --to prod/parked --execute --write --confirm prod/parked "
        "--confirm prod/orders.dlq");
    buffer_free(&out);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(looking_changes_nothing),        CASE(what_was_begun_runs_to_its_end),
        CASE(what_came_after_the_look_stays), CASE(a_pause_holds_it_and_a_cancel_ends_it),
        CASE(a_pause_can_be_ended),           CASE(what_cannot_be_is_refused),
        CASE(only_so_many_go_at_once),        CASE(what_was_interrupted_is_resumed),
        CASE(what_has_ended_is_not_resumed),  CASE(a_purge_is_restored_once),
        CASE(leaving_ends_what_runs),         CASE(commands_say_what_they_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
