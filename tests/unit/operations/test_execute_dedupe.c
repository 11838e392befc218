/* Dedupes on the memory broker: one of each stays, what goes is in an archive before, whatever breaks. */
#include "tests/unit/operations/rig.h"

#include "operations/preview.h"

#include <ctype.h>
#include <dirent.h>

/* ---- lines that are cut, clients that crash ---- */

static atomic_int calls_left; /* until it breaks; negative: never */
static enum err breaks_with;  /* a lost connection is made anew, anything else ends the run */

static bool breaks(void)
{
    return atomic_load(&calls_left) >= 0 && atomic_fetch_sub(&calls_left, 1) == 0;
}

static enum err broken(struct err_info *err)
{
    return err_set(err, breaks_with, "it broke");
}

static enum err cut_settle(struct broker *b, uint64_t handle, enum settle how, struct err_info *err)
{
    return breaks() ? broken(err) : memory_broker.settle(b, handle, how, err);
}

static enum err cut_sync(struct broker *b, struct err_info *err)
{
    return breaks() ? broken(err) : memory_broker.settle_sync(b, err);
}

static enum err cut_lease_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    return breaks() ? broken(err) : memory_broker.lease_step(b, timeout_ms, err);
}

static enum err cut_publish_step(struct broker *b, int timeout_ms, size_t *pending, struct err_info *err)
{
    return breaks() ? broken(err) : memory_broker.publish_step(b, timeout_ms, pending, err);
}

static int leases;
static const char *comes_between;
static int goes_between;

/* Between the look and the removing. */
static enum err lease_after_others(struct broker *b, const struct lease_request *r,
                                   const struct lease_sink *sink, struct err_info *err);

static int setup(void **state)
{
    atomic_store(&calls_left, -1);
    breaks_with = ERR_CLOSED;
    leases = goes_between = 0;
    comes_between = "";
    return rig_setup(state);
}

/* ---- rig: a message a letter, whose id it is, however large it is written ---- */

static void fill(const char *channel, const char *letters)
{
    for (const char *c = letters; *c; c++) {
        char id = (char)tolower(*c);
        struct message m = {.payload = bytes_of(c, 1), .id = bytes_of(&id, 1), .time_ns = 5};
        assert_int_equal(memory_publish(channel, &m, NULL, NULL), ERR_OK);
    }
}

static enum err lease_after_others(struct broker *b, const struct lease_request *r,
                                   const struct lease_sink *sink, struct err_info *err)
{
    if (++leases == 2) {
        for (; goes_between; goes_between--)
            assert_true(memory_consume("from"));
        fill("from", comes_between);
    }
    return memory_broker.lease_open(b, r, sink, err);
}

static void assert_letters(const char *channel, const char *letters)
{
    char have[256] = "";
    struct message *m;
    size_t n = 0;
    for (int64_t at = 0; n < sizeof have - 1 && (m = memory_get(channel, &at, true)); at++) {
        have[n++] = (char)m->payload.data[0];
        message_unref(&m);
    }
    have[n] = '\0';
    if (strcmp(have, letters) != 0)
        fail_msg("%s holds %s, not %s", channel, have, letters);
}

static struct operation_job dedupe_of(struct plan plan)
{
    plan.kind = OPERATION_DEDUPE;
    plan.from = "m/from";
    plan.by = plan.by ? plan.by : "id";
    plan.limit = -1;
    struct operation_job job = {
        .plan = plan,
        .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
        .decoders = rig_decoders,
        .look_again_ns = 1,
        .record = {.state = OPERATION_RUNNING, .from = "m/from", .counts = {.planned = COUNT_UNKNOWN}},
    };
    if (plan.to) {
        job.to = (struct operation_end){&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "to"}};
        job.record.to = plan.to;
    }
    rig_begin(&job);
    return job;
}

/* What the archives of an operation hold, in their order. */
static void archived(const struct operation_job *job, char *into, size_t size)
{
    struct arena arena;
    char path[4096];
    size_t n = 0;
    arena_init(&arena, 1 << 20);
    for (const char *at = rig_record(job, &arena).archive; at && *at;) {
        struct archive_file f;
        struct message m;
        int len = (int)strcspn(at, "\n");
        snprintf(path, sizeof path, "%.*s", len, at);
        at += len + (at[len] == '\n');
        assert_int_equal(archive_file_open(&f, path, NULL), ERR_OK);
        while (!archive_next(&f.archive, &m, NULL) && n < size - 1)
            into[n++] = (char)m.payload.data[0];
        archive_file_close(&f);
    }
    into[n] = '\0';
    arena_free(&arena);
}

static void assert_archived(const struct operation_job *job, const char *letters)
{
    char have[256];
    archived(job, have, sizeof have);
    if (strcmp(have, letters) != 0)
        fail_msg("archived is %s, not %s", have, letters);
}

/* Nothing of it is left in the folder of operations. */
static void assert_no_list(void)
{
    char folder[128];
    snprintf(folder, sizeof folder, "%s/signalbox/operations", rig_home);
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strstr(e->d_name, ".extras"))
            fail_msg("%s is left", e->d_name);
    if (d)
        closedir(d);
}

static void expect(struct plan plan, const char *queue, const char *left, const char *gone)
{
    fill("from", queue);
    struct operation_job job = dedupe_of(plan);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, strlen(gone));
    assert_int_equal(p.counts.planned, strlen(gone));
    assert_letters("from", left);
    assert_archived(&job, gone);
    assert_no_list();
    memory_purge("from");
}

/* ---- what it does ---- */

static void one_of_each_stays(void **state)
{
    (void)state;
    expect((struct plan){.by = "id"}, "abacabd", "abcd", "aab");
    expect((struct plan){.keep_last = true}, "abacabd", "cabd", "aba");
    expect((struct plan){.by = "body"}, "aAaab", "aAb", "aa");
    expect((struct plan){.by = "id"}, "abc", "abc", "");
    expect((struct plan){.by = "id"}, "", "", "");
    expect((struct plan){.by = "key"}, "aa", "aa", ""); /* they have none */
}

static void groups_whose_bodies_differ_stay_unless_they_are_asked_for(void **state)
{
    (void)state;
    expect((struct plan){.by = "id"}, "aAbbaA", "aAbaA", "b");
    expect((struct plan){.differing = true}, "aAbbaA", "ab", "AbaA");
    expect((struct plan){.differing = true, .keep_last = true}, "aAbbaA", "bA", "aAba");
}

static void only_what_is_selected_is_looked_at(void **state)
{
    (void)state;
    expect((struct plan){.select = "b"}, "aabbab", "aaba", "bb");
}

static void many_go_into_several_archives(void **state)
{
    (void)state;
    fill("from", "abcdabcdabcdabcdabcd");
    struct operation_job job = dedupe_of((struct plan){.by = "id"});
    job.hold = 3;
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_letters("from", "abcd");
    assert_archived(&job, "abcdabcdabcdabcd");
}

/* ---- what others do meanwhile ---- */

static void what_comes_after_the_look_stays(void **state)
{
    (void)state;
    for (int last = 0; last < 2; last++) {
        leases = 0;
        rig_broker.lease_open = lease_after_others;
        comes_between = "abz";
        fill("from", "abab");
        struct operation_job job = dedupe_of((struct plan){.keep_last = last});
        struct operation_progress p = rig_run(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_letters("from", "ababz");
        assert_archived(&job, "ab");
        memory_purge("from");
    }
}

/* What was to be kept has gone: another one of the group stays in its place. */
/* No more go than were counted when somebody said yes: the others are no reason to look for them once more. */
static void extras_beyond_the_limit_are_not_missed(void **state)
{
    (void)state;
    struct operation_job job = dedupe_of((struct plan){.by = NULL});
    fill("from", "aabbccdd");
    job.plan.limit = 2;
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 2);
    assert_int_equal(p.counts.planned, 2);
    assert_string_equal(p.note, "");
    assert_letters("from", "abccdd");
}

static void of_each_group_one_stays_whatever_is_consumed(void **state)
{
    (void)state;
    rig_broker.lease_open = lease_after_others;
    goes_between = 1;
    fill("from", "aAbb");
    struct operation_job job = dedupe_of((struct plan){.differing = true});
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 1);
    assert_int_equal(p.counts.skipped, 1);
    assert_letters("from", "Ab");
    assert_archived(&job, "b");
}

/* ---- lines that are cut, crashes ---- */

static void count_letters(const char *letters, int *into)
{
    memset(into, 0, 128 * sizeof *into);
    for (; *letters; letters++)
        into[(uint8_t)*letters & 127]++;
}

/* Each letter as often as it should be; of those that look the same any may be the one in the archive. */
static void assert_removed(const struct operation_job *job, const char *gone)
{
    char have[256];
    int a[128], b[128];
    archived(job, have, sizeof have);
    count_letters(have, a);
    count_letters(gone, b);
    if (memcmp(a, b, sizeof a) != 0)
        fail_msg("archived is %s, not %s", have, gone);
}

struct breaking {
    const char *queue, *left, *gone;
    struct plan plan;
};

static void break_at(const struct breaking *k, int at, size_t hold)
{
    fill("from", k->queue);
    struct operation_job job = dedupe_of(k->plan);
    job.hold = hold;
    atomic_store(&calls_left, at);
    struct operation_progress p = rig_run(&job);
    if (breaks_with != ERR_CLOSED && p.state == OPERATION_INTERRUPTED)
        p = rig_resume(&job);
    else if (breaks_with != ERR_CLOSED && p.state == OPERATION_FAILED) { /* before anything was changed */
        assert_letters("from", k->queue);
        memory_purge("from");
        return;
    }
    if (p.state != OPERATION_DONE || p.counts.done != (int64_t)strlen(k->gone))
        fail_msg("broken after %d calls: %s, %d done, %d in doubt, %s", at, operation_state_name(p.state),
                 (int)p.counts.done, (int)p.counts.in_doubt, p.note);
    assert_letters("from", k->left);
    assert_removed(&job, k->gone);
    assert_no_list();
    memory_purge("from");
}

static const struct breaking breakings[] = {
    {"abcabcabcd", "abcd", "abcabc", {.by = "id"}},
    {"abcabcabcd", "abcd", "abcabc", {.by = "id", .keep_last = true}},
    {"aaaaaaaaaa", "a", "aaaaaaaaa", {.by = "id"}},
    {"aAbAaBbccd", "abcd", "AAaBbc", {.by = "id", .differing = true}},
    {"aAbAaBbccd", "abcd", "aAAbBc", {.by = "id", .differing = true, .keep_last = true}},
};

static void break_everywhere(enum err with, int most)
{
    breaks_with = with;
    for (size_t i = 0; i < sizeof breakings / sizeof *breakings; i++)
        for (int at = (int)i % 2; at < most; at += 2)
            break_at(&breakings[i], at, at / 2 % 2 ? 3 : 0);
}

static void a_line_that_is_cut_loses_none_and_leaves_one_of_each(void **state)
{
    (void)state;
    rig_broker.settle = cut_settle;
    break_everywhere(ERR_CLOSED, 24);
    rig_broker = memory_broker;
    rig_broker.settle_sync = cut_sync;
    rig_broker.lease_step = cut_lease_step;
    break_everywhere(ERR_CLOSED, 14);
}

static void a_crash_loses_none_and_leaves_one_of_each(void **state)
{
    (void)state;
    rig_broker.settle = cut_settle;
    break_everywhere(ERR_DENIED, 24);
    rig_broker = memory_broker;
    rig_broker.settle_sync = cut_sync;
    rig_broker.lease_step = cut_lease_step;
    break_everywhere(ERR_DENIED, 14);
}

/* Likes of what was removed have come meanwhile: they are none of its. */
static void what_comes_after_a_crash_stays(void **state)
{
    (void)state;
    breaks_with = ERR_DENIED;
    rig_broker.settle = cut_settle;
    fill("from", "abcabcabc");
    struct operation_job job = dedupe_of((struct plan){.by = "id"});
    atomic_store(&calls_left, 9 + 5); /* the look has settled nine; then the third removal */
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_INTERRUPTED);
    fill("from", "zz");
    p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 6);
    assert_letters("from", "abczz");
}

static void without_its_list_nothing_more_is_removed(void **state)
{
    (void)state;
    breaks_with = ERR_DENIED;
    rig_broker.settle = cut_settle;
    fill("from", "abcabcabc");
    struct operation_job job = dedupe_of((struct plan){.by = "id"});
    atomic_store(&calls_left, 9 + 3);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_INTERRUPTED);
    char command[200];
    snprintf(command, sizeof command, "rm '%s'/signalbox/operations/*.extras", rig_home);
    assert_int_equal(system(command), 0);
    p = rig_resume(&job);
    assert_non_null(strstr(p.note, "not there any more"));
    assert_letters("from", "abcabcabc");
}

/* ---- into another channel ---- */

static void a_copy_has_one_of_each(void **state)
{
    (void)state;
    for (int last = 0; last < 2; last++) {
        fill("from", "abaAcab");
        struct operation_job job =
            dedupe_of((struct plan){.to = "m/to", .keep_last = last, .differing = true});
        struct operation_progress p = rig_run(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_int_equal(p.counts.done, 3);
        assert_letters("to", last ? "cab" : "abc");
        assert_letters("from", "abaAcab");
        assert_no_list();
        memory_purge("from");
        memory_purge("to");
    }
}

static void a_copy_that_breaks_goes_on(void **state)
{
    (void)state;
    rig_broker.publish_step = cut_publish_step;
    breaks_with = ERR_DENIED;
    for (int last = 0; last < 2; last++)
        for (int at = 0; at < 8; at++) {
            fill("from", "abacadab");
            struct operation_job job = dedupe_of((struct plan){.to = "m/to", .keep_last = last});
            atomic_store(&calls_left, at);
            struct operation_progress p = rig_run(&job);
            if (p.state == OPERATION_INTERRUPTED)
                p = rig_resume(&job);
            if (p.state == OPERATION_FAILED) /* before the first one had left */
                p = (assert_letters("to", ""), job = dedupe_of(job.plan), rig_run(&job));
            assert_int_equal(p.state, OPERATION_DONE);
            assert_letters("to", last ? "cdab" : "abcd");
            memory_purge("from");
            memory_purge("to");
        }
}

static void a_topic_is_copied_and_nothing_is_removed_of_it(void **state)
{
    (void)state;
    struct preview preview;
    atomic_bool cancelled = false;
    struct err_info err = {.code = ERR_OK};
    assert_int_equal(memory_declare("log", CHANNEL_TOPIC, NULL, NULL), ERR_OK);
    fill("log", "abacabA");
    struct operation_job job = dedupe_of((struct plan){.to = "m/to"});
    job.from.channel = (struct channel_name){CHANNEL_TOPIC, "log"};
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_letters("to", "abacaA");
    job = dedupe_of((struct plan){.by = "id"});
    job.from.channel = (struct channel_name){CHANNEL_TOPIC, "log"};
    assert_int_equal(preview_make(&job, &cancelled, &preview, &err), ERR_REFUSED);
    assert_non_null(strstr(err.next, "--to"));
}

/* ---- the dry run ---- */

static void assert_would(struct plan plan, int64_t matched, uint64_t groups, uint64_t extras)
{
    struct preview p;
    atomic_bool cancelled = false;
    struct operation_job job = dedupe_of(plan);
    assert_int_equal(preview_make(&job, &cancelled, &p, NULL), ERR_OK);
    assert_int_equal(p.looked, rig_waiting("from"));
    assert_int_equal(p.matched, matched);
    assert_int_equal(p.duplicates.groups, groups);
    assert_int_equal(p.duplicates.extras, extras);
    assert_true(p.whole);
    preview_free(&p);
}

/* Letters are ids, and capitals other bodies. */
static void a_dry_run_counts_what_would_go(void **state)
{
    (void)state;
    fill("from", "abacabA");
    assert_would((struct plan){.by = "id"}, 1, 2, 4); /* those of a differ */
    assert_would((struct plan){.by = "id", .differing = true}, 4, 2, 4);
    assert_would((struct plan){.by = "id", .differing = true, .to = "m/to"}, 3, 2, 4);
    assert_would((struct plan){.by = "id", .select = "id=b"}, 1, 1, 1);
    assert_would((struct plan){.by = "id", .select = "id=c"}, 0, 0, 0);
}

/* ---- tombstones ---- */

static int reads;

/* Before what came since is looked at. */
static enum err read_after_others(struct broker *b, const struct read_request *r,
                                  const struct read_sink *sink, struct err_info *err)
{
    struct message m = {.key = BYTES_LITERAL("1"), .payload = BYTES_LITERAL("n"), .time_ns = 5};
    if (++reads == 3)
        assert_int_equal(memory_publish("log", &m, NULL, NULL), ERR_OK);
    return memory_broker.read_open(b, r, sink, err);
}

static void fill_log(const char *letters)
{
    for (const char *c = letters; *c; c++) {
        char key = (char)(tolower(*c) - 'a' + '0');
        struct message m = {.payload = bytes_of(c, 1), .key = bytes_of(&key, 1), .time_ns = 5};
        assert_int_equal(memory_publish("log", &m, NULL, NULL), ERR_OK);
    }
}

/* What is the last of each key: '-' is a tombstone. */
static void assert_last(const char *keys, const char *last)
{
    char have[64] = "";
    for (size_t i = 0; keys[i]; i++) {
        struct message *m;
        for (int64_t at = 0; (m = memory_get("log", &at, false)); at++) {
            if (bytes_equal(m->key, bytes_of(keys + i, 1)))
                have[i] = m->payload.data ? (char)m->payload.data[0] : '-';
            message_unref(&m);
        }
    }
    assert_string_equal(have, last);
}

static struct operation_job tombstones_of(const char *select)
{
    struct operation_job job = dedupe_of((struct plan){.select = select});
    job.plan.kind = OPERATION_PURGE;
    job.plan.tombstones = job.plan.by_place = job.plan.keeps = true;
    job.from.channel = (struct channel_name){CHANNEL_TOPIC, "log"};
    rig_begin(&job);
    return job;
}

/* Its last message is what a key is selected by, and what is archived of it. */
static void keys_go_by_tombstones(void **state)
{
    (void)state;
    assert_int_equal(memory_declare("log", CHANNEL_TOPIC, NULL, NULL), ERR_OK);
    fill_log("aAbBBbcCd");
    struct operation_job job = tombstones_of("'A' | 'b' | 'c'"); /* the last of c is another one */
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 2);
    assert_archived(&job, "Ab");
    assert_last("0123", "--Cd");
    job = tombstones_of(NULL);
    p = rig_run(&job);
    assert_int_equal(p.counts.done, 2); /* those that are gone are not sent again */
    assert_last("0123", "----");
}

static void a_key_that_something_newer_has_come_for_stays(void **state)
{
    (void)state;
    reads = 0;
    assert_int_equal(memory_declare("log", CHANNEL_TOPIC, NULL, NULL), ERR_OK);
    rig_broker.read_open = read_after_others;
    fill_log("abc");
    struct operation_job job = tombstones_of(NULL);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 2);
    assert_int_equal(p.counts.skipped, 1);
    assert_last("012", "-n-");
}

static void tombstones_that_were_interrupted_are_sent_by_a_resume(void **state)
{
    (void)state;
    assert_int_equal(memory_declare("log", CHANNEL_TOPIC, NULL, NULL), ERR_OK);
    rig_broker.publish_step = cut_publish_step;
    breaks_with = ERR_DENIED;
    fill_log("abc");
    struct operation_job job = tombstones_of(NULL);
    atomic_store(&calls_left, 0);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_INTERRUPTED);
    p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 3);
    assert_archived(&job, "abc");
    assert_last("012", "---");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_of_each_stays, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(groups_whose_bodies_differ_stay_unless_they_are_asked_for, setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(only_what_is_selected_is_looked_at, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(many_go_into_several_archives, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(what_comes_after_the_look_stays, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(extras_beyond_the_limit_are_not_missed, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(of_each_group_one_stays_whatever_is_consumed, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_line_that_is_cut_loses_none_and_leaves_one_of_each, setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(a_crash_loses_none_and_leaves_one_of_each, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(what_comes_after_a_crash_stays, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(without_its_list_nothing_more_is_removed, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_copy_has_one_of_each, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_copy_that_breaks_goes_on, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_dry_run_counts_what_would_go, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(keys_go_by_tombstones, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_key_that_something_newer_has_come_for_stays, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(tombstones_that_were_interrupted_are_sent_by_a_resume, setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(a_topic_is_copied_and_nothing_is_removed_of_it, setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
