/* What the Kafka driver says when it may not, cannot or must not: each in time, with the reason and the next step.
 * One test kills the broker and starts it again.
 * needs: kafka
 * alone
 * timeout: 120 */
#include "tests/integration/kafka_session.h"

#include "brokers/kafka/kafka_internal.h"

#include <librdkafka/rdkafka.h>

static int64_t took_ms;

static enum err open_timed(struct session_of_test *s, int deadline_ms)
{
    int64_t start = clock_mono_ns();
    session_deadline(s, deadline_ms);
    enum err e = kafka_broker.open(&s->broker, &s->err);
    took_ms = (clock_mono_ns() - start) / NS_PER_MS;
    print_message("%d ms: %s [%s] next: %s\n", (int)took_ms, s->err.text, err_name(e), s->err.next);
    return e;
}

static struct session_of_test *with_login(const char *user, const char *password)
{
    struct session_of_test *s = session_new(lab_need("SB_KAFKA_SASL"));
    s->endpoint.username = user;
    s->endpoint.password = password;
    return s;
}

static void login_plain_and_scram(void **state)
{
    (void)state;
    struct session_of_test *s = with_login(lab_need("SB_KAFKA_USER"), lab_need("SB_KAFKA_PASSWORD"));
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    session_end(s);
    s = with_login(lab_need("SB_KAFKA_USER"), lab_need("SB_KAFKA_PASSWORD"));
    session_option(s, "sasl.mechanisms", "SCRAM-SHA-256");
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    session_end(s);
}

static void wrong_password(void **state)
{
    (void)state;
    struct session_of_test *s = with_login(lab_need("SB_KAFKA_USER"), "wrong-secret");
    assert_int_equal(open_timed(s, 10000), ERR_AUTH);
    assert_true(took_ms < 3000);
    assert_non_null(strstr(s->err.text, "Invalid username or password"));
    assert_null(strstr(s->err.text, "wrong-secret"));
    session_end(s);
    s = with_login(lab_need("SB_KAFKA_USER"), "wrong-secret");
    session_option(s, "sasl.mechanisms", "SCRAM-SHA-256");
    assert_int_equal(open_timed(s, 10000), ERR_AUTH);
    assert_int_equal(strncmp(s->err.next, "check `username`", 16), 0);
    assert_int_equal(strstr(s->err.next, "librdkafka < 2.6.1") != NULL, rd_kafka_version() < 0x020601ff);
    session_end(s);
}

static void no_password(void **state)
{
    (void)state;
    struct session_of_test *s = with_login(lab_need("SB_KAFKA_USER"), NULL);
    assert_int_equal(open_timed(s, 10000), ERR_AUTH);
    assert_non_null(strstr(s->err.next, "password_env"));
    session_end(s);
}

static void wrong_mechanism_and_no_login(void **state)
{
    (void)state;
    struct session_of_test *s = with_login(lab_need("SB_KAFKA_USER"), lab_need("SB_KAFKA_PASSWORD"));
    session_option(s, "sasl.mechanisms", "OAUTHBEARER");
    session_option(s, "enable.sasl.oauthbearer.unsecure.jwt", "true");
    session_option(s, "sasl.oauthbearer.config", "principal=x");
    enum err e = open_timed(s, 10000);
    assert_int_equal(e, ERR_AUTH);
    session_end(s);
    s = session_new(lab_need("SB_KAFKA_SASL"));
    assert_int_equal(open_timed(s, 10000), ERR_AUTH);
    assert_true(took_ms < 5000);
    session_end(s);
}

static void tls_with_and_without_authority(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_KAFKA_TLS"));
    s->endpoint.tls = (struct tls_options){.on = true, .ca = lab_need("SB_CA")};
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    session_end(s);
    s = session_new(lab_need("SB_KAFKA_TLS"));
    s->endpoint.url.scheme = "kafkas";
    assert_int_equal(open_timed(s, 10000), ERR_TLS);
    assert_true(took_ms < 3000);
    assert_non_null(strstr(s->err.next, "ca"));
    session_end(s);
    s = session_new(lab_need("SB_KAFKA_TLS"));
    s->endpoint.tls = (struct tls_options){.on = true, .insecure = true};
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    session_end(s);
    s = session_new(lab_need("SB_KAFKA_TLS"));
    s->endpoint.tls = (struct tls_options){.on = true,
                                           .ca = lab_need("SB_CA"),
                                           .cert = lab_need("SB_CLIENT_CERT"),
                                           .key = lab_need("SB_CLIENT_KEY")};
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    session_end(s);
}

/* The same server by a name that its certificate has not. */
static void the_name_in_the_certificate_is_checked(void **state)
{
    char other[64];
    (void)state;
    snprintf(other, sizeof other, "127.1%s", strrchr(lab_need("SB_KAFKA_TLS"), ':'));
    struct session_of_test *s = session_new(other);
    s->endpoint.tls = (struct tls_options){.on = true, .ca = lab_need("SB_CA")};
    assert_int_equal(open_timed(s, 10000), ERR_TLS);
    assert_non_null(strstr(s->err.next, "that the name in the certificate is the host's"));
    session_end(s);
}

static void login_over_tls(void **state)
{
    (void)state;
    for (int n = 0; n < 4; n++) {
        bool right = n % 2;
        struct session_of_test *s = session_new(lab_need("SB_KAFKA_SASL_TLS"));
        if (n >= 2)
            session_option(s, "sasl.mechanisms", "SCRAM-SHA-512");
        s->endpoint.tls = (struct tls_options){.on = true, .ca = lab_need("SB_CA")};
        s->endpoint.username = lab_need("SB_KAFKA_USER");
        s->endpoint.password = right ? lab_need("SB_KAFKA_PASSWORD") : "wrong-secret";
        assert_int_equal(open_timed(s, 10000), right ? ERR_OK : ERR_AUTH);
        session_end(s);
    }
}

static void plaintext_and_tls_mixed_up(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_KAFKA_TLS"));
    assert_int_equal(open_timed(s, 10000), ERR_CLOSED);
    assert_non_null(strstr(s->err.next, "kafkas://"));
    session_end(s);
    s = session_new(lab_need("SB_KAFKA"));
    s->endpoint.tls = (struct tls_options){.on = true, .ca = lab_need("SB_CA")};
    assert_int_equal(open_timed(s, 10000), ERR_CLOSED);
    assert_non_null(strstr(s->err.next, "kafka://"));
    session_end(s);
}

static void what_is_no_kafka_is_not_called_tls(void **state)
{
    (void)state;
    static const char *const ports[] = {"SB_TCP_GARBAGE", "SB_TCP_CLOSES"};
    for (size_t i = 0; i < 2; i++) {
        struct session_of_test *s = session_new(lab_need(ports[i]));
        assert_true(open_timed(s, 10000) != ERR_OK);
        assert_null(strstr(s->err.next, "speaks TLS"));
        session_end(s);
    }
}

static void options_are_checked(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    session_option(s, "fetch.wait.max.msx", "1");
    assert_int_equal(open_timed(s, 10000), ERR_CONFIG);
    assert_non_null(strstr(s->err.text, "fetch.wait.max.msx"));
    session_end(s);
    s = session_new(lab_need("SB_KAFKA"));
    session_option(s, "group.id", "mine");
    assert_int_equal(open_timed(s, 10000), ERR_CONFIG);
    assert_non_null(strstr(s->err.text, "group.id"));
    session_end(s);
    s = session_new(lab_need("SB_KAFKA"));
    session_option(s, "fetch.wait.max.ms", "100");
    session_option(s, "message.max.bytes", "90000000");
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    session_end(s);
}

/* Without a token the library waited for one; of a keytab it said that its own template lacks it. */
static void what_a_mechanism_lacks_is_said_at_once(void **state)
{
    static const char *const cases[][2] = {{"OAUTHBEARER", "sasl.oauthbearer.config"},
                                           {"GSSAPI", "sasl.kerberos.keytab: FILE"},
                                           {"PLAIN", "give `username`"},
                                           {"SCRAM-SHA-256", "give `username`"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session_of_test *s = session_new(lab_need("SB_KAFKA_SASL"));
        session_option(s, "sasl.mechanisms", cases[i][0]);
        assert_int_equal(open_timed(s, 10000), ERR_CONFIG);
        assert_true(took_ms < 1000);
        assert_non_null(strstr(s->err.next, cases[i][1]));
        session_end(s);
    }
}

/* The user wrote `tls: {ca: FILE}`, not an option of the library's. */
static void a_file_of_tls_is_named(void **state)
{
    (void)state;
    static const struct tls_options wrong[] = {
        {.on = true, .ca = "/no/such/ca.pem"},
        {.on = true, .cert = "/no/such/cert.pem"},
        {.on = true, .key = "/no/such/key.pem"},
        {.on = true, .ca = "tests/integration/test_kafka_failures.c"},
        {.on = true, .cert = "tests/integration/test_kafka_failures.c"},
    };
    static const char *const keys[] = {"tls.ca", "tls.cert", "tls.key", "tls.ca", "tls.cert"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct session_of_test *s = session_new(lab_need("SB_KAFKA_TLS"));
        const char *file = wrong[i].ca ? wrong[i].ca : wrong[i].cert ? wrong[i].cert : wrong[i].key;
        s->endpoint.tls = wrong[i];
        assert_int_equal(open_timed(s, 10000), ERR_CONFIG);
        assert_non_null(strstr(s->err.text, keys[i]));
        assert_non_null(strstr(s->err.text, file));
        assert_null(strstr(s->err.next, "options"));
        session_end(s);
    }
}

static void nobody_there(void **state)
{
    (void)state;
    struct session_of_test *s = session_new(lab_need("SB_REFUSED"));
    assert_int_equal(open_timed(s, 10000), ERR_UNREACHABLE);
    assert_true(took_ms < 3000);
    session_end(s);
    s = session_new("127.0.0.1:9");
    snprintf(s->host, sizeof s->host, "no-such-host.invalid");
    assert_int_equal(open_timed(s, 10000), ERR_UNREACHABLE);
    session_end(s);
}

static void a_silent_broker_times_out(void **state)
{
    (void)state;
    struct lab_chaos chaos;
    assert_true(lab_chaos_start(&chaos, lab_need("SB_KAFKA")));
    assert_true(lab_chaos(&chaos, "stall"));
    struct session_of_test *s = session_new(chaos.address);
    assert_int_equal(open_timed(s, 1500), ERR_TIMEOUT);
    assert_true(took_ms < 2500);
    int64_t start = clock_mono_ns();
    session_end(s);
    assert_true(clock_mono_ns() - start < 3 * NS_PER_S);
    lab_chaos_stop(&chaos);
}

static void a_user_without_rights(void **state)
{
    (void)state;
    char topic[64];
    session_topic("denied", topic);
    struct session_of_test *s = with_login(lab_need("SB_KAFKA_NOBODY"), lab_need("SB_KAFKA_NOBODY_PASSWORD"));
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    enum err e = session_read(s, topic, READ_BROWSE, (struct start){0}, -1, -1, 0);
    print_message("%s [%s]\n", s->err.text, err_name(e));
    assert_int_equal(e, ERR_DENIED);
    session_end(s);
}

/* The library would connect again by itself, but the loss must be seen: the driver reports it, with a policy to retry. */
static void a_killed_broker_is_reported(void **state)
{
    (void)state;
    char topic[64];
    session_topic("killed", topic);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_TAP, (struct start){START_BEGINNING, 0}, -1, -1, 0), ERR_OK);
    assert_int_equal(session_steps(s, 1), ERR_OK);
    struct session_of_test *resting = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(open_timed(resting, 10000), ERR_OK);
    assert_int_equal(lab_shell("tests/lab/lab kill kafka", NULL, 0), 0);
    enum err rest = ERR_OK; /* a session that asks nothing hears of it, too */
    for (int64_t until = clock_mono_ns() + 10 * NS_PER_S; !rest && clock_mono_ns() < until;)
        rest = kafka_broker.rest(&resting->broker, 1000, &resting->err);
    assert_int_equal(rest, ERR_CLOSED);
    session_end(resting);
    enum err e = session_steps(s, SIZE_MAX);
    print_message("%s [%s]\n", s->err.text, err_name(e));
    assert_true(e == ERR_CLOSED || e == ERR_UNREACHABLE);
    assert_int_equal(err_policy(e), ERR_POLICY_RETRY);
    int64_t start = clock_mono_ns();
    session_end(s);
    assert_true(clock_mono_ns() - start < 3 * NS_PER_S);
    assert_int_equal(lab_shell("tests/lab/lab start kafka", NULL, 0), 0);
    s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(open_timed(s, 20000), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_BROWSE, (struct start){0}, -1, -1, 0), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 1);
    session_end(s);
}

static void stop_and_go(const char *signal)
{
    char command[160];
    snprintf(command, sizeof command, "kill -%s $(tests/lab/lab status | awk '/^kafka /{print $3}')", signal);
    assert_int_equal(lab_shell(command, NULL, 0), 0);
}

/* It keeps its connections and says nothing: the library would wait for a minute. */
static void a_frozen_broker_is_reported(void **state)
{
    (void)state;
    char topic[64];
    session_topic("frozen", topic);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_TAP, (struct start){0}, -1, -1, 0), ERR_OK);
    stop_and_go("STOP");
    enum err e = ERR_OK;
    for (int64_t until = clock_mono_ns() + 30 * NS_PER_S; !e && clock_mono_ns() < until;)
        e = kafka_broker.read_step(&s->broker, 500, &s->err);
    stop_and_go("CONT");
    print_message("%s [%s]\n", s->err.text, err_name(e));
    assert_int_equal(e, ERR_TIMEOUT);
    session_end(s);
}

static void ignore_group(void *context, const struct group_row *row)
{
    (void)context;
    (void)row;
}

static void what_a_frozen_broker_is_asked_can_be_cancelled(void **state)
{
    (void)state;
    char topic[64];
    session_topic("asked", topic);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(open_timed(s, 10000), ERR_OK);
    assert_int_equal(kafka_broker.groups(&s->broker, NULL, ignore_group, NULL, &s->err), ERR_OK);
    assert_true(kafka_topic_number(&s->broker, topic, "max.message.bytes") > 0);
    stop_and_go("STOP");
    atomic_store(&s->cancelled, true);
    session_deadline(s, 20000);
    int64_t start = clock_mono_ns();
    int64_t number = kafka_topic_number(&s->broker, topic, "max.message.bytes");
    enum err e = kafka_broker.groups(&s->broker, NULL, ignore_group, NULL, &s->err);
    int64_t took = clock_mono_ns() - start;
    stop_and_go("CONT");
    assert_int_equal(number, -1);
    assert_int_equal(e, ERR_CANCELLED);
    assert_true(took < 5 * NS_PER_S);
    session_end(s);
}

static int let_broker_go(void **state)
{
    (void)state;
    if (lab_get("SB_KAFKA"))
        stop_and_go("CONT");
    return 0;
}

static int start_broker_again(void **state)
{
    (void)state;
    return lab_get("SB_KAFKA") ? lab_shell("tests/lab/lab start kafka", NULL, 0) : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_plain_and_scram),
        cmocka_unit_test(wrong_password),
        cmocka_unit_test(no_password),
        cmocka_unit_test(wrong_mechanism_and_no_login),
        cmocka_unit_test(tls_with_and_without_authority),
        cmocka_unit_test(the_name_in_the_certificate_is_checked),
        cmocka_unit_test(login_over_tls),
        cmocka_unit_test(plaintext_and_tls_mixed_up),
        cmocka_unit_test(what_is_no_kafka_is_not_called_tls),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(what_a_mechanism_lacks_is_said_at_once),
        cmocka_unit_test(a_file_of_tls_is_named),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(a_silent_broker_times_out),
        cmocka_unit_test(a_user_without_rights),
        cmocka_unit_test_teardown(a_frozen_broker_is_reported, let_broker_go),
        cmocka_unit_test_teardown(what_a_frozen_broker_is_asked_can_be_cancelled, let_broker_go),
        cmocka_unit_test_teardown(a_killed_broker_is_reported, start_broker_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
