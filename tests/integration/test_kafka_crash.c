/* An operation that is killed, or whose broker is, at any moment: with what the cluster knows of it, it goes on so that nothing is lost
 * and nothing doubled.
 * needs: kafka
 * alone
 * timeout: 300 */
#include "tests/integration/kafka_transaction.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/poll.h>
#include <sys/wait.h>

#define BATCH 10
#define KILLS 20

static char topic[64], claim[64];

static enum err claim_again(struct session_of_test *s, int *from)
{
    char note[32] = "";
    const struct publish_request request = {.to = {CHANNEL_ANY, topic}, .claim = claim, .transaction = true};
    const struct publish_sink sink = {s, keep_outcome, keep_notice};
    const struct commit of = {.claim = claim};
    enum err e = session_open(s);
    if (!e)
        e = kafka_broker.publish_open(&s->broker, &request, &sink, &s->err);
    if (!e)
        e = kafka_broker.committed(&s->broker, &of, NULL, note, sizeof note, &s->err);
    *from = (int)strtol(note, NULL, 10);
    return e;
}

static enum err publish_batch(struct session_of_test *s, int from)
{
    char payload[16];
    size_t pending = 1;
    enum err e = ERR_OK;
    s->outcome_count = 0;
    for (int i = from; i < from + BATCH && !e; i++) {
        snprintf(payload, sizeof payload, "%d", i);
        const struct message m = session_message("k", payload);
        e = kafka_broker.publish(&s->broker, 0, &m, (uint64_t)i, &s->err);
    }
    while (!e && pending)
        e = kafka_broker.publish_step(&s->broker, 200, &pending, &s->err);
    for (size_t i = 0; !e && i < BATCH; i++)
        e = s->outcomes[i].outcome == OUTCOME_CONFIRMED ? ERR_OK : ERR_CLOSED;
    return e;
}

/* One life of it: until all is done, or something fails. */
static enum err operate(struct session_of_test *s, int total, void (*each)(int at))
{
    char note[32];
    int at;
    enum err e = claim_again(s, &at);
    for (; !e && at < total; at += BATCH) {
        if (each)
            each(at);
        e = publish_batch(s, at);
        snprintf(note, sizeof note, "%d", at + BATCH);
        const struct commit commit = {.claim = claim, .note = note};
        session_deadline(s, 10000);
        if (!e)
            e = kafka_broker.commit(&s->broker, &commit, &s->err);
    }
    return e;
}

static void expect_each_once(int total)
{
    char payload[16];
    await_decided(topic);
    struct session_of_test *s =
        session_browse(lab_need("SB_KAFKA"), topic, (struct start){.kind = START_BEGINNING}, 0);
    assert_int_equal(s->count, total);
    for (int i = 0; i < total; i++) {
        snprintf(payload, sizeof payload, "%d", i);
        assert_true(bytes_equal(s->messages[i]->payload, bytes_of_text(payload)));
    }
    session_end(s);
    forget(claim);
}

/* ---- kill -9 ---- */

static int told = -1;

static void tell(int at)
{
    (void)at;
    if (write(told, "", 1) != 1)
        _exit(1);
}

/* From its first batch on the child has so many milliseconds. */
static void live_and_be_killed(int total, int ms)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
        told = ends[1];
        signal(SIGPIPE, SIG_DFL);
        _exit(operate(s, total, tell) ? 1 : 0);
    }
    close(ends[1]);
    char byte;
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 15000), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    poll(NULL, 0, ms); /* the moment of its death */
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ends[0]);
}

static void killed_at_any_moment_it_goes_on(void **state)
{
    (void)state;
    enum { TOTAL = 1500 };
    lab_unique("killed", topic, sizeof topic);
    lab_unique("killed", claim, sizeof claim);
    make_topic(topic, 1);
    srand(42);
    for (int i = 0; i < KILLS; i++)
        live_and_be_killed(TOTAL, rand() % 200);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    int at;
    assert_int_equal(claim_again(s, &at), ERR_OK);
    print_message("%d kills within the first %d of %d messages\n", KILLS, at, TOTAL);
    assert_true(at < TOTAL);
    session_end(s);
    s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(operate(s, TOTAL, NULL), ERR_OK);
    session_end(s);
    expect_each_once(TOTAL);
}

/* ---- the broker ---- */

static void kill_broker_once(int at)
{
    static bool done;
    if (done || at < 500)
        return;
    done = true;
    assert_int_equal(
        lab_shell("(tests/lab/lab kill kafka; tests/lab/lab start kafka) > /dev/null 2>&1 &", NULL, 0), 0);
}

static void a_broker_that_is_killed_and_restarted(void **state)
{
    (void)state;
    enum { TOTAL = 1500 };
    int64_t deadline = clock_mono_ns() + 200 * NS_PER_S;
    lab_unique("broker", topic, sizeof topic);
    lab_unique("broker", claim, sizeof claim);
    make_topic(topic, 1);
    enum err e = ERR_CLOSED;
    for (int lives = 0; e; lives++) {
        struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
        assert_true(clock_mono_ns() < deadline);
        e = operate(s, TOTAL, kill_broker_once);
        if (e)
            print_message("life %d: %s [%s] %s\n", lives, s->err.text, err_name(e), s->err.next);
        if (e)
            assert_int_equal(err_policy(e), ERR_POLICY_RETRY);
        session_end(s);
        if (e)
            poll(NULL, 0, 300); /* as the engine's back-off */
    }
    expect_each_once(TOTAL);
}

static int start_broker_again(void **state)
{
    (void)state;
    return lab_get("SB_KAFKA") ? lab_shell("tests/lab/lab start kafka", NULL, 0) : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment_it_goes_on),
        cmocka_unit_test_teardown(a_broker_that_is_killed_and_restarted, start_broker_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
