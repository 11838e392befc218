/* Sessions over the memory broker, and over a broker that fails on purpose. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "brokers/memory/memory.h"
#include "brokers/memory/memory_server.h"
#include "engine/session.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_NS (10 * NS_PER_S)

/* What a sink saw, under one lock. */
struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int messages, idles, backoffs, ups, restored, samples, down_samples, lists;
    int let_in; /* readings opened by the broker that wants a password */
    int64_t last_offset;
    bool ordered;
    int pause_at; /* EMIT_PAUSE at that message; 0 never */
    int stop_at;
    struct session_status status;
};

static struct seen seen;

static void seen_reset(void)
{
    seen = (struct seen){.lock = PTHREAD_MUTEX_INITIALIZER, .ordered = true, .last_offset = -1};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&seen.changed, &attr);
    pthread_condattr_destroy(&attr);
}

static enum emit on_message(void *context, const struct message *m)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    seen.messages++;
    seen.ordered &= m->position.offset == seen.last_offset + 1 || seen.last_offset < 0;
    seen.last_offset = m->position.offset;
    enum emit e = seen.messages == seen.pause_at  ? EMIT_PAUSE
                  : seen.messages == seen.stop_at ? EMIT_STOP
                                                  : EMIT_OK;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
    return e;
}

static bool on_idle(void *context)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    seen.idles++;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
    return true;
}

static void on_status(void *context, const struct session_status *status)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    seen.ups += status->state == SESSION_UP && seen.status.state != SESSION_UP;
    seen.restored += status->state == SESSION_UP && seen.status.state != SESSION_UP && status->was_up;
    seen.backoffs += status->state == SESSION_BACKOFF;
    seen.status = *status;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static void on_listed(void *context, struct channel_list *list)
{
    (void)context;
    channel_list_free(&list);
    pthread_mutex_lock(&seen.lock);
    seen.lists++;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static void on_sampled(void *context, const struct sample *sample)
{
    (void)context;
    pthread_mutex_lock(&seen.lock);
    seen.samples++;
    seen.down_samples += sample->health == HEALTH_DOWN;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static const struct session_sink sink = {
    .message = on_message, .idle = on_idle, .status = on_status, .listed = on_listed, .sampled = on_sampled};

/* Waits until a counter has reached at least so much; false at the deadline. */
static bool reaches(const int *counter, int value)
{
    struct timespec late;
    clock_gettime(CLOCK_MONOTONIC, &late);
    late.tv_sec += DEADLINE_NS / NS_PER_S;
    pthread_mutex_lock(&seen.lock);
    while (*counter < value && !pthread_cond_timedwait(&seen.changed, &seen.lock, &late))
        ;
    bool there = *counter >= value;
    pthread_mutex_unlock(&seen.lock);
    return there;
}

static const struct endpoint endpoint = {.name = "m", .text = "memory:"};
static const struct channel_name orders[] = {{CHANNEL_QUEUE, "orders"}};

static struct session *started(const struct broker_ops *ops, struct job job)
{
    struct err_info err = {0};
    job.read.channels = orders;
    job.read.channel_count = 1;
    job.read.partition = -1;
    struct session *s = session_start(ops, &endpoint, &job, &sink, &err);
    if (!s)
        fail_msg("%s", err.text);
    return s;
}

static void publish(int count)
{
    for (int i = 0; i < count; i++) {
        struct message m = {.payload = BYTES_LITERAL("{}"), .time_ns = TIME_NONE};
        assert_int_equal(memory_publish("orders", &m, NULL, NULL), ERR_OK);
    }
}

static int setup(void **state)
{
    (void)state;
    seen_reset();
    return memory_declare("orders", CHANNEL_QUEUE, NULL, NULL);
}

static int teardown(void **state)
{
    (void)state;
    memory_reset();
    return 0;
}

static void browse_ends_where_the_queue_ended(void **state)
{
    (void)state;
    publish(2500);
    struct session *s = started(&memory_broker, (struct job){.read = {.mode = READ_BROWSE, .limit = -1}});
    assert_true(session_join(&s));
    assert_int_equal(seen.messages, 2500);
    assert_true(seen.ordered);
    assert_int_equal(seen.status.state, SESSION_ENDED);
    assert_int_equal(seen.status.err.code, ERR_END);
    assert_int_equal(seen.status.progress.scanned, 2500);
    assert_int_equal(seen.status.progress.total, 2500);
    assert_true(seen.idles > 0);
}

static void browse_keeps_to_its_limit(void **state)
{
    (void)state;
    publish(50);
    struct session *s = started(&memory_broker, (struct job){.read = {.mode = READ_BROWSE, .limit = 7}});
    assert_true(session_join(&s));
    assert_int_equal(seen.messages, 7);
}

static void tail_sees_only_what_comes_and_is_cancelled_at_once(void **state)
{
    (void)state;
    publish(10);
    struct session *s = started(&memory_broker, (struct job){.read = {.mode = READ_TAP, .limit = -1}});
    assert_true(reaches(&seen.ups, 1));
    publish(3);
    assert_true(reaches(&seen.messages, 3));
    assert_true(reaches(&seen.idles, 1));
    int64_t before = clock_mono_ns();
    session_cancel(s);
    assert_true(session_join(&s));
    assert_true(clock_mono_ns() - before < NS_PER_S);
    assert_int_equal(seen.messages, 3);
    assert_int_equal(seen.status.err.code, ERR_CANCELLED);
}

static void a_paused_source_waits_for_credit_and_loses_nothing(void **state)
{
    (void)state;
    seen.pause_at = 100;
    struct session *s = started(&memory_broker, (struct job){.read = {.mode = READ_TAP, .limit = -1}});
    assert_true(reaches(&seen.ups, 1));
    publish(500);
    assert_true(reaches(&seen.messages, 100));
    assert_true(reaches(&seen.idles, 1));
    publish(1); /* wakes the driver: it must not emit */
    assert_int_equal(seen.messages, 100);
    session_resume(s);
    assert_true(reaches(&seen.messages, 501));
    assert_true(seen.ordered);
    session_cancel(s);
    assert_true(session_join(&s));
}

static void a_sink_that_has_enough_ends_the_session(void **state)
{
    (void)state;
    publish(50);
    seen.stop_at = 5;
    struct session *s = started(
        &memory_broker, (struct job){.reconnect = true,
                                     .read = {.mode = READ_TAP, .limit = -1, .start = {START_BEGINNING, 0}}});
    assert_true(session_join(&s));
    assert_int_equal(seen.messages, 5);
}

static void a_missing_channel_ends_with_the_nearest_name(void **state)
{
    (void)state;
    static const struct channel_name typo[] = {{CHANNEL_QUEUE, "ordres"}};
    struct err_info err = {0};
    struct job job = {.reconnect = true, .read = {.channels = typo, .channel_count = 1, .limit = -1}};
    struct session *s = session_start(&memory_broker, &endpoint, &job, &sink, &err);
    assert_true(session_join(&s));
    assert_int_equal(seen.status.err.code, ERR_NOTFOUND);
    assert_non_null(strstr(seen.status.err.next, "orders"));
}

/* A new driver begins with list and ping: reading is refused, not jumped into. */
static void a_broker_without_reading_says_so(void **state)
{
    (void)state;
    static const struct broker_ops lists_only = {.name = "lists", .title = "Lists"};
    struct err_info err = {0};
    struct job job = {.read = {.channels = orders, .channel_count = 1, .limit = -1}};
    assert_null(session_start(&lists_only, &endpoint, &job, &sink, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_string_equal(err.text, "Lists gives signalbox no messages");
}

/* ---- a broker that cannot be reached twice, then works for a moment, then is lost ---- */

static int opens;
static bool reading, changes; /* changes: the next step finds another channel */
static bool deleted;          /* what was read was made anew */
static enum err ends_with;    /* what a step says */
static atomic_int_fast64_t resumed_at;

static enum err flaky_open(struct broker *b, struct err_info *err)
{
    (void)b;
    return ++opens % 3 ? err_set(err, ERR_UNREACHABLE, "connection refused") : ERR_OK;
}

static void flaky_close(struct broker *b)
{
    (void)b;
}

static enum err flaky_read_open(struct broker *b, const struct read_request *r, const struct read_sink *s,
                                struct err_info *err)
{
    (void)b, (void)s, (void)err;
    reading = true;
    resumed_at = r->resume ? r->resume->items[0].next : -1;
    return ERR_OK;
}

static void flaky_read_places(struct broker *b, struct read_places *places)
{
    (void)b;
    places->items = calloc(1, sizeof *places->items);
    places->count = 1;
    places->items[0].next = opens;
    places->items[0].anew = deleted;
}

static enum err flaky_read_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    (void)b, (void)timeout_ms;
    if (!changes)
        return err_set(err, ends_with ? ends_with : ERR_CLOSED, "the peer hung up");
    changes = false;
    return err_set(err, ERR_CHANGED, "two partitions more");
}

static void flaky_pause(struct broker *b, bool pause)
{
    (void)b, (void)pause;
}

static enum err flaky_read_close(struct broker *b, struct err_info *err)
{
    (void)b, (void)err;
    reading = false;
    return ERR_OK;
}

static enum err flaky_ping(struct broker *b, struct sample *sample, struct err_info *err)
{
    (void)b, (void)sample;
    return err_set(err, ERR_AUTH, "wrong password");
}

static const struct broker_ops flaky = {.name = "flaky",
                                        .max_channels = 1,
                                        .open = flaky_open,
                                        .close = flaky_close,
                                        .read_open = flaky_read_open,
                                        .read_step = flaky_read_step,
                                        .read_pause = flaky_pause,
                                        .read_places = flaky_read_places,
                                        .read_close = flaky_read_close,
                                        .ping = flaky_ping};

static void a_lost_connection_is_opened_again_with_a_new_generation(void **state)
{
    (void)state;
    opens = 0;
    struct session *s = started(&flaky, (struct job){.reconnect = true, .read = {.limit = -1}});
    for (int i = 1; i <= 3; i++) {
        assert_true(reaches(&seen.backoffs, i));
        session_refresh(s); /* do not wait for the back-off */
    }
    assert_true(reaches(&seen.ups, 1));
    assert_true(reaches(&seen.backoffs, 4));
    assert_int_equal(resumed_at, -1);
    for (int i = 5; i <= 7; i++) { /* the sixth opening works again: it goes on where the third one stood */
        session_refresh(s);
        assert_true(reaches(&seen.backoffs, i));
    }
    assert_int_equal(resumed_at, 3);
    session_cancel(s);
    assert_true(session_join(&s));
    assert_true(seen.status.generation >= 4);
    assert_int_equal(seen.restored,
                     seen.ups - 1); /* the first connection restores nothing, however long it took */
    assert_false(reading);
}

static int64_t longest_pause(enum job_kind kind)
{
    int64_t longest = 0;
    opens = 0;
    seen.backoffs = 0;
    const struct job job = {.kind = kind, .reconnect = true, .every_ns = NS_PER_S, .read = {.limit = -1}};
    struct session *s = started(&flaky, job);
    for (int i = 1; i <= 9; i++) {
        assert_true(reaches(&seen.backoffs, i));
        int64_t pause = seen.status.retry_at_ns - seen.status.since_ns;
        longest = pause > longest ? pause : longest;
        session_refresh(s);
    }
    session_cancel(s);
    assert_true(session_join(&s));
    return longest;
}

static void a_reading_tries_more_often_than_a_watch(void **state)
{
    (void)state;
    assert_in_range(longest_pause(JOB_READ), 2 * NS_PER_S, 5 * NS_PER_S);
    assert_true(longest_pause(JOB_WATCH) > 15 * NS_PER_S);
}

static void a_changed_channel_is_read_anew_on_the_same_connection(void **state)
{
    (void)state;
    opens = 2; /* the next one works */
    changes = true;
    struct session *s = started(&flaky, (struct job){.reconnect = true, .read = {.limit = -1}});
    assert_true(reaches(&seen.backoffs, 1));
    assert_int_equal(resumed_at, 3);
    assert_int_equal(opens, 3);
    assert_string_equal(seen.status.err.text, "the peer hung up");
    session_cancel(s);
    assert_true(session_join(&s));
}

/* One of the two channels has a place: the flaky broker gives one. */
static void a_gap_is_told_by_what_has_a_place(void **state)
{
    (void)state;
    static const struct channel_name two[] = {{CHANNEL_QUEUE, "kept"}, {CHANNEL_QUEUE, "tapped"}};
    static const enum session_gap gaps[] = {GAP_NONE, GAP_PART, GAP_ANEW};
    for (size_t i = 0; i < 3; i++) {
        deleted = i == 2;
        opens = 2; /* the next one works */
        changes = true;
        const struct job job = {.reconnect = true,
                                .read = {.channels = two, .channel_count = i == 1 ? 2 : 1, .limit = -1}};
        struct err_info err = {0};
        seen.backoffs = 0;
        struct session *s = session_start(&flaky, &endpoint, &job, &sink, &err);
        assert_true(reaches(&seen.backoffs, 1));
        assert_int_equal(seen.status.gap, gaps[i]);
        session_cancel(s);
        assert_true(session_join(&s));
    }
    deleted = false;
}

/* A channel that was there once may come back; one that never was is a slip, and ends at once (see the memory broker above). */
static void a_channel_that_vanished_is_waited_for(void **state)
{
    (void)state;
    opens = 2;
    ends_with = ERR_NOTFOUND;
    struct session *s = started(&flaky, (struct job){.reconnect = true, .read = {.limit = -1}});
    assert_true(reaches(&seen.backoffs, 1));
    ends_with = ERR_OK;
    session_cancel(s);
    assert_true(session_join(&s));
}

static void without_reconnect_the_first_failure_ends_it(void **state)
{
    (void)state;
    opens = 0;
    struct session *s = started(&flaky, (struct job){.read = {.limit = -1}});
    assert_true(session_join(&s));
    assert_int_equal(seen.status.err.code, ERR_UNREACHABLE);
    assert_string_equal(seen.status.err.text, "connection refused");
    assert_int_equal(opens, 1);
}

static enum err refused_read_open(struct broker *b, const struct read_request *r, const struct read_sink *s,
                                  struct err_info *err)
{
    (void)b, (void)r, (void)s;
    return err_set(err, ERR_TIMEOUT, "still taking back");
}

static void twenty_thousand(struct broker *b, struct read_progress *progress)
{
    (void)b;
    *progress = (struct read_progress){.total = 20000};
}

/* "0 of 0" would be an empty queue. */
static void a_refused_look_tells_how_much_there_is(void **state)
{
    (void)state;
    struct broker_ops ops = flaky;
    ops.read_open = refused_read_open;
    opens = 2;
    struct session *s = started(&ops, (struct job){.read = {.mode = READ_BROWSE, .limit = -1}});
    assert_true(session_join(&s));
    assert_int_equal(seen.status.progress.total, COUNT_UNKNOWN);
    ops.read_progress = twenty_thousand;
    opens = 2;
    s = started(&ops, (struct job){.read = {.mode = READ_BROWSE, .limit = -1}});
    assert_true(session_join(&s));
    assert_int_equal(seen.status.progress.total, 20000);
}

static void watching_lists_and_samples(void **state)
{
    (void)state;
    struct session *s = started(
        &memory_broker, (struct job){.kind = JOB_WATCH, .reconnect = true, .every_ns = 3600 * NS_PER_S});
    assert_true(reaches(&seen.lists, 1));
    session_refresh(s);
    assert_true(reaches(&seen.lists, 2));
    assert_true(reaches(&seen.samples, 2));
    session_cancel(s);
    assert_true(session_join(&s));
    assert_int_equal(seen.down_samples, 0);
}

static void watching_never_gives_up_and_samples_failures(void **state)
{
    (void)state;
    opens = 0;
    struct session *s =
        started(&flaky, (struct job){.kind = JOB_WATCH, .reconnect = true, .every_ns = 3600 * NS_PER_S});
    for (int i = 1; i <= 4;
         i++) { /* the third opening works, then the ping is refused: nobody's retry policy */
        assert_true(reaches(&seen.backoffs, i));
        assert_true(reaches(&seen.down_samples, i));
        session_refresh(s);
    }
    session_cancel(s);
    assert_true(session_join(&s));
}

/* ---- a broker that wants a password ---- */

static char password_path[128];
static struct config_password password;
static atomic_int wanted; /* which one it takes */

static bool lets_in(const struct broker *b)
{
    static const char *const words[] = {"first", "second"};
    return b->endpoint->password && strcmp(b->endpoint->password, words[atomic_load(&wanted)]) == 0;
}

static enum err picky_open(struct broker *b, struct err_info *err)
{
    return lets_in(b) ? ERR_OK : err_set(err, ERR_AUTH, "wrong password");
}

static enum err picky_ping(struct broker *b, struct sample *sample, struct err_info *err)
{
    (void)b, (void)err;
    sample->health = HEALTH_UP;
    return ERR_OK;
}

static enum err picky_list(struct broker *b, const char *pattern, uint32_t flags, struct channel_list *list,
                           struct err_info *err)
{
    (void)b, (void)pattern, (void)flags, (void)list, (void)err;
    return ERR_OK;
}

static enum err picky_read_open(struct broker *b, const struct read_request *r, const struct read_sink *s,
                                struct err_info *err)
{
    (void)b, (void)r, (void)s, (void)err;
    pthread_mutex_lock(&seen.lock);
    seen.let_in++;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
    return ERR_OK;
}

static enum err picky_read_close(struct broker *b, struct err_info *err)
{
    (void)b, (void)err;
    return ERR_OK;
}

/* As a library that connects again by itself, with the password of old. */
static enum err picky_read_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct pollfd p = {.fd = b->wake_fd, .events = POLLIN};
    if (timeout_ms)
        poll(&p, 1, 20);
    return lets_in(b) ? ERR_OK : err_set(err, ERR_AUTH, "wrong password");
}

static const struct broker_ops picky = {.name = "picky",
                                        .max_channels = 1,
                                        .open = picky_open,
                                        .close = flaky_close,
                                        .ping = picky_ping,
                                        .list = picky_list,
                                        .read_open = picky_read_open,
                                        .read_step = picky_read_step,
                                        .read_pause = flaky_pause,
                                        .read_close = picky_read_close};

static enum err find_password(void *context, const struct endpoint *e, struct secret *into,
                              struct err_info *err)
{
    static const atomic_bool never;
    (void)context;
    return secret_get(&password, e->name, &never, into, err);
}

static void write_password(const char *text)
{
    FILE *f = fopen(password_path, "w");
    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), 0600), 0);
    fputs(text, f);
    fclose(f);
}

static int setup_password(void **state)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(password_path, sizeof password_path, "%s/sb-session-XXXXXX", tmp ? tmp : "/tmp");
    close(mkstemp(password_path));
    write_password("first");
    password = (struct config_password){.file = password_path};
    atomic_store(&wanted, 0);
    return setup(state);
}

static int teardown_password(void **state)
{
    secret_forget(&password);
    unlink(password_path);
    return teardown(state);
}

static void a_password_that_was_mended_is_seen_at_the_next_try(void **state)
{
    (void)state;
    atomic_store(&wanted, 1);
    struct session *s = started(&picky, (struct job){.kind = JOB_WATCH,
                                                     .reconnect = true,
                                                     .every_ns = 3600 * NS_PER_S,
                                                     .prepare = find_password});
    assert_true(reaches(&seen.backoffs, 1));
    assert_int_equal(seen.status.err.code, ERR_AUTH);
    write_password("second");
    session_refresh(s);
    assert_true(reaches(&seen.ups, 1));
    session_cancel(s);
    assert_true(session_join(&s));
    assert_int_equal(seen.backoffs, 1);
}

/* Two sessions share what is kept; a tail that was let in once goes on with the password that comes after, be it late. */
static void a_tail_outlives_a_change_of_the_password(void **state)
{
    (void)state;
    struct job job = {.reconnect = true, .read = {.limit = -1}, .prepare = find_password};
    struct session *s = started(&picky, job);
    struct session *other = started(&picky, job);
    assert_true(reaches(&seen.let_in, 2));
    unlink(password_path);
    atomic_store(&wanted, 1);
    assert_true(reaches(&seen.backoffs, 2)); /* refused */
    session_refresh(s);
    session_refresh(other);
    assert_true(reaches(&seen.backoffs, 4)); /* and no other to be had */
    write_password("second");
    session_refresh(s);
    session_refresh(other);
    assert_true(reaches(&seen.let_in, 4));
    session_cancel(s);
    session_cancel(other);
    assert_true(session_join(&s));
    assert_true(session_join(&other));
}

/* One that never was let in ends; what was refused is not tried again by the next one. */
static void a_refused_password_is_not_left_to_the_next_session(void **state)
{
    (void)state;
    struct job job = {.reconnect = true, .read = {.limit = -1}, .prepare = find_password};
    atomic_store(&wanted, 1);
    struct session *s = started(&picky, job);
    assert_true(session_join(&s));
    assert_int_equal(seen.status.err.code, ERR_AUTH);
    write_password("second");
    s = started(&picky, job);
    assert_true(reaches(&seen.ups, 1));
    session_cancel(s);
    assert_true(session_join(&s));
}

#define WITH_PASSWORD(f) cmocka_unit_test_setup_teardown(f, setup_password, teardown_password)
#define TEST(f)          cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(browse_ends_where_the_queue_ended),
        TEST(browse_keeps_to_its_limit),
        TEST(tail_sees_only_what_comes_and_is_cancelled_at_once),
        TEST(a_paused_source_waits_for_credit_and_loses_nothing),
        TEST(a_sink_that_has_enough_ends_the_session),
        TEST(a_missing_channel_ends_with_the_nearest_name),
        TEST(a_broker_without_reading_says_so),
        TEST(a_lost_connection_is_opened_again_with_a_new_generation),
        TEST(a_reading_tries_more_often_than_a_watch),
        TEST(a_changed_channel_is_read_anew_on_the_same_connection),
        TEST(a_gap_is_told_by_what_has_a_place),
        TEST(a_refused_look_tells_how_much_there_is),
        TEST(a_channel_that_vanished_is_waited_for),
        TEST(without_reconnect_the_first_failure_ends_it),
        TEST(watching_lists_and_samples),
        TEST(watching_never_gives_up_and_samples_failures),
        WITH_PASSWORD(a_password_that_was_mended_is_seen_at_the_next_try),
        WITH_PASSWORD(a_tail_outlives_a_change_of_the_password),
        WITH_PASSWORD(a_refused_password_is_not_left_to_the_next_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
