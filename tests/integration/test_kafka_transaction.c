/* Claims and transactions on the lab's Kafka: what is committed is there once, what is not is not, and of two sessions of one claim one
 * alone goes on.
 * needs: kafka
 * timeout: 120 */
#include "tests/integration/kafka_transaction.h"

static char topic[64], claim[64];

static int forget_last(void **state)
{
    (void)state;
    if (claim[0])
        forget(claim);
    return 0;
}

static void fresh(const char *prefix)
{
    forget_last(NULL);
    lab_unique(prefix, topic, sizeof topic);
    lab_unique(prefix, claim, sizeof claim);
    make_topic(topic, 1);
}

/* ---- visibility ---- */

static void nothing_is_seen_before_its_commit(void **state)
{
    (void)state;
    fresh("visible");
    struct session_of_test *s = claiming(topic, claim, true);
    publish_some(s, 0, 3);
    assert_int_equal(stored(topic), 0);
    commit_note(s, claim, "one");
    assert_int_equal(decided(topic), 3);
    publish_some(s, 0, 2);
    kafka_broker.publish_close(&s->broker);
    session_end(s);
    assert_int_equal(decided(topic), 3);
    expect_note(claim, "one");
}

static void an_aborted_transaction_moves_no_note(void **state)
{
    (void)state;
    fresh("aborted");
    struct session_of_test *s = claiming(topic, claim, true);
    commit_note(s, claim, "progress alone");
    expect_note(claim, "progress alone");
    publish_some(s, 0, 2);
    session_end(s);
    expect_note(claim, "progress alone");
    assert_int_equal(decided(topic), 0);
}

static void places_are_committed_with_what_was_published(void **state)
{
    (void)state;
    char source[64];
    fresh("places");
    lab_unique("source", source, sizeof source);
    make_topic(source, 3);
    const struct channel_name from = {CHANNEL_TOPIC, source};
    struct read_place places[] = {{.partition = 0, .next = 42}, {.partition = 2, .next = 7}},
                      found[] = {{.partition = 0}, {.partition = 1}, {.partition = 2}};
    const struct commit commit = {.claim = claim, .places = places, .channels = &from, .place_count = 2};
    const struct commit asked = {.claim = claim, .places = found, .channels = &from, .place_count = 3};
    struct session_of_test *s = claiming(topic, claim, true);
    publish_some(s, 0, 1);
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.commit(&s->broker, &commit, &s->err), ERR_OK);
    struct session_of_test *other = opened();
    assert_int_equal(kafka_broker.committed(&other->broker, &asked, found, NULL, 0, &other->err), ERR_OK);
    assert_int_equal(found[0].next, 42);
    assert_int_equal(found[1].next, -1);
    assert_int_equal(found[2].next, 7);
    assert_int_equal(kafka_broker.forget(&other->broker, claim, &other->err), ERR_OK);
    assert_int_equal(kafka_broker.committed(&other->broker, &asked, found, NULL, 0, &other->err), ERR_OK);
    assert_int_equal(found[0].next, -1);
    assert_int_equal(kafka_broker.forget(&other->broker, claim, &other->err), ERR_OK); /* it is not there */
    session_end(other);
    session_end(s);
}

/* Forgetting follows a commit at once, and the cluster ends a transaction a moment after it has said so. */
static void what_is_forgotten_does_not_come_back(void **state)
{
    (void)state;
    fresh("forgotten");
    struct session_of_test *s = claiming(topic, claim, true), *other = opened();
    for (int i = 0; i < 20; i++) {
        publish_some(s, 0, 1);
        commit_note(s, claim, "done");
        session_deadline(other, 10000);
        assert_int_equal(kafka_broker.forget(&other->broker, claim, &other->err), ERR_OK);
    }
    session_end(s);
    session_end(other);
    expect_note(claim, "");
}

/* An operation that is resumed may have other destinations first. */
static void the_last_note_counts_wherever_it_stands(void **state)
{
    (void)state;
    char other[64], note[64];
    fresh("note");
    lab_unique("another", other, sizeof other);
    make_topic(other, 1);
    const char *const first[] = {topic, other, topic};
    for (size_t round = 0; round < 3; round++) {
        struct session_of_test *s = claiming(first[round], claim, true);
        for (int i = 0; i < 3; i++) {
            snprintf(note, sizeof note, "round %zu, \"note\" %d \xc3\xa4", round, i);
            commit_note(s, claim, note);
        }
        session_end(s);
        expect_note(claim, note);
    }
}

static void a_note_that_is_too_long_is_said(void **state)
{
    (void)state;
    static char note[5000];
    fresh("long");
    memset(note, 'x', sizeof note - 1);
    struct session_of_test *s = claiming(topic, claim, true);
    const struct commit commit = {.claim = claim, .note = note};
    publish_some(s, 0, 1);
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.commit(&s->broker, &commit, &s->err), ERR_LIMIT);
    print_message("%s; %s\n", s->err.text, s->err.next);
    assert_int_equal(decided(topic), 0);
    publish_some(s, 0, 1); /* the session goes on */
    commit_note(s, claim, "short");
    session_end(s);
    assert_int_equal(decided(topic), 1);
}

/* ---- two of one claim ---- */

static void the_later_session_cuts_the_earlier_one_off(void **state)
{
    (void)state;
    fresh("fenced");
    struct session_of_test *early = claiming(topic, claim, true);
    commit_note(early, claim, "early");
    publish_some(early, 0, 5);
    struct session_of_test *late = claiming(topic, claim, true);
    const struct commit commit = {.claim = claim, .note = "too late"};
    session_deadline(early, 10000);
    assert_int_equal(kafka_broker.commit(&early->broker, &commit, &early->err), ERR_REFUSED);
    assert_non_null(strstr(early->err.text, "another signalbox has taken over"));
    assert_int_equal(err_policy(ERR_REFUSED), ERR_POLICY_USER);
    print_message("%s; %s\n", early->err.text, early->err.next);
    publish_some(late, 0, 2);
    commit_note(late, claim, "late");
    session_end(early);
    session_end(late);
    assert_int_equal(decided(topic), 2);
    expect_note(claim, "late");
}

static void it_is_told_at_its_next_message(void **state)
{
    (void)state;
    fresh("told");
    struct session_of_test *early = claiming(topic, claim, true), *late;
    publish_some(early, 0, 1);
    late = claiming(topic, claim, true);
    struct message m = session_message("k", "v");
    size_t pending;
    enum err e = kafka_broker.publish(&early->broker, 0, &m, 7, &early->err);
    for (int i = 0; i < 20 && !e; i++)
        e = kafka_broker.publish_step(&early->broker, 500, &pending, &early->err);
    assert_int_equal(e, ERR_REFUSED);
    assert_int_equal(kafka_broker.publish(&early->broker, 0, &m, 8, &early->err), ERR_REFUSED);
    assert_non_null(strstr(early->err.text, "another signalbox has taken over"));
    session_end(early);
    session_end(late);
    assert_int_equal(decided(topic), 0);
}

/* Without transactions of the engine's: the same, and an outcome is told when the message can be seen. */
static void a_claim_alone_fences_too(void **state)
{
    (void)state;
    fresh("claim");
    struct session_of_test *early = claiming(topic, claim, false);
    publish_some(early, 0, 3);
    assert_int_equal(decided(topic), 3);
    struct session_of_test *late = claiming(topic, claim, false);
    struct message m = session_message("k", "early");
    size_t pending;
    enum err e = kafka_broker.publish(&early->broker, 0, &m, 7, &early->err);
    for (int i = 0; i < 20 && !e; i++)
        e = kafka_broker.publish_step(&early->broker, 500, &pending, &early->err);
    assert_int_equal(e, ERR_REFUSED);
    publish_some(late, 0, 1);
    session_end(early);
    assert_int_equal(decided(topic), 4);
    session_end(late);
}

static void a_claim_alone_takes_many(void **state)
{
    (void)state;
    enum { MANY = 3500 };
    fresh("many");
    struct session_of_test *s = claiming(topic, claim, false);
    publish_some(s, 0, MANY);
    assert_int_equal(s->outcome_count, MANY);
    session_end(s);
    assert_int_equal(decided(topic), MANY);
}

static void what_a_claim_alone_has_not_ended_is_told_once(void **state)
{
    (void)state;
    fresh("once");
    struct message m = session_message("k", "v");
    struct session_of_test *s = claiming(topic, claim, false);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(kafka_broker.publish(&s->broker, 0, &m, i, &s->err), ERR_OK);
    kafka_broker.publish_close(&s->broker);
    assert_int_equal(s->outcome_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_UNSENT);
    session_end(s);
    assert_int_equal(decided(topic), 0);
}

static void sessions_without_a_claim_have_no_commit(void **state)
{
    (void)state;
    fresh("none");
    const struct commit commit = {.claim = claim, .note = "n"};
    struct session_of_test *s = claiming(topic, NULL, false);
    assert_int_equal(kafka_broker.commit(&s->broker, &commit, &s->err), ERR_USAGE);
    session_end(s);
}

/* ---- what is not decided yet ---- */

/* A session that died between its last offset and its commit: offsets that this group commits for the first time. */
static rd_kafka_t *half_committed(const char *metadata)
{
    char error[256], name[128];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    snprintf(name, sizeof name, "signalbox-%s", claim);
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_need("SB_KAFKA"), error, sizeof error);
    rd_kafka_conf_set(conf, "transactional.id", name, error, sizeof error);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    rd_kafka_topic_partition_list_t *rows = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *row = rd_kafka_topic_partition_list_add(rows, topic, 0);
    row->offset = 1;
    row->metadata = strdup(metadata);
    row->metadata_size = strlen(metadata);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(name);
    assert_null(rd_kafka_init_transactions(rk, 10000));
    assert_null(rd_kafka_begin_transaction(rk));
    assert_null(rd_kafka_send_offsets_to_transaction(rk, rows, group, 10000));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(rows);
    return rk;
}

static enum err ask_within(int ms, struct read_place *place, char note[64])
{
    const struct channel_name from = {CHANNEL_TOPIC, topic};
    const struct commit of = {
        .claim = claim, .places = place, .channels = &from, .place_count = place ? 1 : 0};
    struct session_of_test *s = opened();
    session_deadline(s, ms);
    enum err e = kafka_broker.committed(&s->broker, &of, place, note, 64, &s->err);
    if (e)
        print_message("%s [%s] next: %s\n", s->err.text, err_name(e), s->err.next);
    session_end(s);
    return e;
}

static void an_undecided_commit_is_not_taken_for_none(void **state)
{
    (void)state;
    struct read_place place = {.next = 99};
    char note[64] = "?";
    fresh("undecided");
    rd_kafka_t *rk = half_committed("half");
    assert_int_equal(ask_within(500, &place, note), ERR_BUSY);
    assert_int_equal(ask_within(500, NULL, note), ERR_BUSY);
    assert_int_equal(place.next, 99);
    struct session_of_test *s = claiming(topic, claim, true);
    assert_int_equal(ask_within(5000, &place, note), ERR_OK);
    assert_int_equal(place.next, -1);
    assert_int_equal(ask_within(5000, NULL, note), ERR_OK);
    assert_string_equal(note, "");
    session_end(s);
    rd_kafka_destroy(rk);
}

/* ---- what goes wrong ---- */

/* The coordinator says of a partition that is gone what it says of one that is too new: the library asks until the message is too old. */
static void a_topic_that_is_deleted_meanwhile_aborts(void **state)
{
    (void)state;
    char gone[64];
    fresh("left");
    lab_unique("gone", gone, sizeof gone);
    make_topic(gone, 1);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    session_option(s, "message.timeout.ms", "4000");
    claim_in(s, topic, claim, true);
    also(s, gone);
    publish_some(s, 0, 2);
    delete_topic(gone);
    struct message m = session_message("k", "v");
    assert_int_equal(kafka_broker.publish(&s->broker, 1, &m, 9, &s->err), ERR_OK);
    session_publish_wait(s, 3);
    assert_int_equal(s->outcomes[2].token, 9);
    assert_int_equal(s->outcomes[2].outcome, OUTCOME_UNSENT);
    const struct commit commit = {.claim = claim, .note = "n"};
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.commit(&s->broker, &commit, &s->err), ERR_TIMEOUT);
    assert_non_null(strstr(s->err.text, gone));
    assert_int_equal(decided(topic), 0);
    publish_some(s, 0, 2); /* those that can be sent are sent again */
    commit_note(s, claim, "n");
    session_end(s);
    assert_int_equal(decided(topic), 2);
}

static void a_source_that_is_gone_aborts(void **state)
{
    (void)state;
    fresh("source");
    const struct channel_name from = {CHANNEL_TOPIC, "no-such-source"};
    const struct read_place place = {.partition = 0, .next = 1};
    const struct commit commit = {.claim = claim, .places = &place, .channels = &from, .place_count = 1};
    struct session_of_test *s = claiming(topic, claim, true);
    publish_some(s, 0, 1);
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.commit(&s->broker, &commit, &s->err), ERR_NOTFOUND);
    print_message("%s; %s\n", s->err.text, s->err.next);
    session_end(s);
    assert_int_equal(decided(topic), 0);
}

/* The cluster's clock, not ours: a transaction that nobody ends holds back what follows it. */
static void a_transaction_that_stands_open_is_ended_by_the_cluster(void **state)
{
    (void)state;
    fresh("stale");
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    session_option(s, "transaction.timeout.ms", "2000");
    session_option(s, "message.timeout.ms", "2000");
    claim_in(s, topic, claim, true);
    publish_some(s, 0, 1);
    await_decided(topic);
    const struct commit commit = {.claim = claim, .note = "n"};
    session_deadline(s, 10000);
    enum err e = kafka_broker.commit(&s->broker, &commit, &s->err);
    print_message("%s: %s; %s\n", err_name(e), s->err.text, s->err.next);
    assert_int_equal(e, ERR_REFUSED);
    assert_non_null(strstr(s->err.text, "stood open for"));
    session_end(s);
    assert_int_equal(decided(topic), 0);
    expect_note(claim, "");
}

static void a_claim_that_is_too_long_is_refused(void **state)
{
    (void)state;
    static char name[300];
    fresh("toolong");
    memset(name, 'c', sizeof name - 1);
    struct session_of_test *s = opened();
    const struct publish_request request = {.to = {CHANNEL_ANY, topic}, .claim = name, .transaction = true};
    const struct publish_sink sink = {s, keep_outcome, keep_notice};
    assert_int_equal(kafka_broker.publish_open(&s->broker, &request, &sink, &s->err), ERR_USAGE);
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_seen_before_its_commit),
        cmocka_unit_test(an_aborted_transaction_moves_no_note),
        cmocka_unit_test(places_are_committed_with_what_was_published),
        cmocka_unit_test(what_is_forgotten_does_not_come_back),
        cmocka_unit_test(the_last_note_counts_wherever_it_stands),
        cmocka_unit_test(a_note_that_is_too_long_is_said),
        cmocka_unit_test(the_later_session_cuts_the_earlier_one_off),
        cmocka_unit_test(it_is_told_at_its_next_message),
        cmocka_unit_test(a_claim_alone_fences_too),
        cmocka_unit_test(a_claim_alone_takes_many),
        cmocka_unit_test(what_a_claim_alone_has_not_ended_is_told_once),
        cmocka_unit_test(sessions_without_a_claim_have_no_commit),
        cmocka_unit_test(an_undecided_commit_is_not_taken_for_none),
        cmocka_unit_test(a_topic_that_is_deleted_meanwhile_aborts),
        cmocka_unit_test(a_source_that_is_gone_aborts),
        cmocka_unit_test(a_transaction_that_stands_open_is_ended_by_the_cluster),
        cmocka_unit_test(a_claim_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, forget_last);
}
