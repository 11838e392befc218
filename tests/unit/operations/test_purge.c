/* Purges on the memory broker: what goes is in an archive before, whatever breaks. */
#include "tests/unit/operations/rig.h"

#include "operations/identity.h"
#include "operations/preview.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- lines that are cut, clients that crash ---- */

static atomic_int calls_left; /* until it breaks; negative: never */

static bool breaks(void)
{
    return atomic_load(&calls_left) >= 0 && atomic_fetch_sub(&calls_left, 1) == 0;
}

static enum err closed(struct err_info *err)
{
    return err_set(err, ERR_CLOSED, "the line was cut");
}

static enum err cut_settle(struct broker *b, uint64_t handle, enum settle how, struct err_info *err)
{
    return breaks() ? closed(err) : memory_broker.settle(b, handle, how, err);
}

static enum err cut_sync(struct broker *b, struct err_info *err)
{
    return breaks() ? closed(err) : memory_broker.settle_sync(b, err);
}

static enum err cut_lease_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    return breaks() ? closed(err) : memory_broker.lease_step(b, timeout_ms, err);
}

static int setup(void **state)
{
    atomic_store(&calls_left, -1);
    return rig_setup(state);
}

/* ---- rig ---- */

static struct operation_job purge_of(const char *select, int64_t limit)
{
    struct operation_job job = {
        .plan = {.kind = OPERATION_PURGE, .from = "m/from", .select = select, .limit = limit},
        .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
        .decoders = rig_decoders,
        .look_again_ns = 1,
        .record = {.state = OPERATION_RUNNING, .from = "m/from", .counts = {.planned = COUNT_UNKNOWN}},
    };
    rig_begin(&job);
    return job;
}

/* The archives of an operation (-1: however many) hold these numbers, in that order, and nothing else. */
static void assert_archived(const struct operation_job *job, int archives, int first, int count, int step)
{
    struct arena arena;
    char path[4096];
    arena_init(&arena, 1 << 20);
    const char *at = rig_record(job, &arena).archive;
    int have = 0;
    for (; archives < 0 ? at != NULL : archives; archives--) {
        struct archive_file f;
        struct message m;
        assert_non_null(at);
        size_t len = strcspn(at, "\n");
        snprintf(path, sizeof path, "%.*s", (int)len, at);
        at = at[len] ? at + len + 1 : NULL;
        assert_int_equal(archive_file_open(&f, path, NULL), ERR_OK);
        assert_string_equal(f.archive.header.endpoint, "m");
        assert_string_equal(f.archive.header.channel, "from");
        while (!archive_next(&f.archive, &m, NULL))
            rig_assert_number(&m, first + have++ * step);
        archive_file_close(&f);
    }
    assert_null(at);
    assert_int_equal(have, count);
    arena_free(&arena);
}

static int64_t rows_of(const struct operation_job *job, enum delivery state)
{
    struct journal_totals totals;
    struct journal *j = journal_open(NULL);
    assert_int_equal(journal_count(j, job->record.number, &totals, NULL), ERR_OK);
    journal_close(&j);
    return totals.of[state];
}

/* How many files there are in the folder of archives. */
static int files(void)
{
    char folder[128];
    int n = 0;
    snprintf(folder, sizeof folder, "%s/signalbox/archives", rig_home);
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* ---- what it does ---- */

static void all_is_archived_and_removed(void **state)
{
    (void)state;
    rig_publish("from", 0, 5000);
    struct operation_job job = purge_of(NULL, -1);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 5000);
    assert_int_equal(p.counts.planned, 5000);
    assert_int_equal(rig_waiting("from"), 0);
    assert_archived(&job, 1, 0, 5000, 1);
    assert_int_equal(rows_of(&job, DELIVERY_DONE), 5000);
    assert_int_equal(files(), 1);
}

static void what_does_not_match_stays_and_is_not_archived(void **state)
{
    (void)state;
    rig_publish("from", 0, 3000);
    struct operation_job job = purge_of("/[02468]}/", -1);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 1500);
    assert_int_equal(p.unmatched, 1500);
    rig_assert_holds("from", 1, 1500, 2);
    assert_archived(&job, 1, 0, 1500, 2);
}

static void the_first_ones_go_and_no_more(void **state)
{
    (void)state;
    rig_publish("from", 0, 5000);
    struct operation_job job = purge_of(NULL, 1234);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 1234);
    rig_assert_holds("from", 1234, 5000 - 1234, 1);
    assert_archived(&job, 1, 0, 1234, 1);
}

/* More than are held at once: an archive each, and what of it is removed was archived before. */
static void many_go_into_several_archives(void **state)
{
    (void)state;
    for (int selected = 0; selected < 2; selected++) {
        rig_publish("from", 0, 3000);
        struct operation_job job = purge_of(selected ? "/[02468]}/" : NULL, -1);
        job.hold = 700;
        struct operation_progress p = rig_run(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_int_equal(p.counts.done, selected ? 1500 : 3000);
        assert_int_equal(rig_waiting("from"), selected ? 1500 : 0);
        assert_archived(&job, 5, 0, selected ? 1500 : 3000, 1 + selected);
    }
}

/* It gives fewer than it was asked for, and no more until some of those are settled. */
static enum err lease_few(struct broker *b, const struct lease_request *r, const struct lease_sink *sink,
                          struct err_info *err)
{
    struct lease_request few = *r;
    few.window = 60;
    return memory_broker.lease_open(b, &few, sink, err);
}

static void a_broker_that_gives_few_at_a_time_ends_nothing(void **state)
{
    (void)state;
    rig_broker.lease_open = lease_few;
    rig_publish("from", 0, 100);
    struct operation_job job = purge_of(NULL, -1);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 100);
    assert_archived(&job, 2, 0, 100, 1);
}

static void of_nothing_there_is_no_archive(void **state)
{
    (void)state;
    struct operation_job job = purge_of(NULL, -1);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 0);
    assert_int_equal(files(), 0);
}

/* It was cut by a limit of ours: what could not be had back stays. */
static struct lease_sink real_sink;

static enum emit cut_third(void *context, const struct message *borrowed, uint64_t handle)
{
    (void)context;
    struct message m = *borrowed;
    if (bytes_equal_text(m.payload, "{\"n\":3}"))
        m.flags |= MESSAGE_TRUNCATED;
    return real_sink.message(real_sink.context, &m, handle);
}

static enum err lease_with_a_cut_one(struct broker *b, const struct lease_request *r,
                                     const struct lease_sink *sink, struct err_info *err)
{
    struct lease_sink mine = {.message = cut_third, .notice = sink->notice};
    real_sink = *sink;
    return memory_broker.lease_open(b, r, &mine, err);
}

static void what_cannot_be_archived_whole_stays(void **state)
{
    (void)state;
    rig_broker.lease_open = lease_with_a_cut_one;
    rig_publish("from", 0, 10);
    struct operation_job job = purge_of(NULL, -1);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_PARTIAL);
    assert_int_equal(p.counts.done, 9);
    assert_int_equal(p.counts.failed, 1);
    rig_assert_holds("from", 3, 1, 1);
}

/* ---- lines that are cut ---- */

static void break_everywhere(int most, size_t hold)
{
    for (int at = 0; at < most; at += 1 + at / 20) {
        rig_publish("from", 0, 50);
        struct operation_job job = purge_of(NULL, 50);
        job.hold = hold;
        atomic_store(&calls_left, at);
        struct operation_progress p = rig_run(&job);
        if (p.state != OPERATION_DONE)
            fail_msg("cut after %d calls: %s, %s", at, operation_state_name(p.state), p.note);
        assert_int_equal(p.counts.done, 50);
        assert_int_equal(rig_waiting("from"), 0);
        assert_archived(&job, hold ? -1 : 1, 0, 50, 1);
    }
}

static void a_line_that_is_cut_while_it_removes_loses_none(void **state)
{
    (void)state;
    rig_broker.settle = cut_settle;
    break_everywhere(51, 0);
    break_everywhere(51, 13);
}

static void a_line_that_is_cut_between_loses_none(void **state)
{
    (void)state;
    rig_broker.settle_sync = cut_sync;
    rig_broker.lease_step = cut_lease_step;
    break_everywhere(6, 0);
    break_everywhere(12, 13);
}

/* ---- crashes ---- */

/* What a purge of `from` has in the journal and on the disk at some moment: rows of its first messages, and their archive. */
static void pretend(struct operation_job *job, int count, enum delivery rows, bool finished)
{
    char path[4096];
    struct journal *j = journal_open(NULL);
    struct archive_header header = {.endpoint = "m", .url = "memory:", .channel = "from"};
    assert_true(archive_path(job->record.created_ns, "m", "from", 1, path, sizeof path));
    struct archiver *a = archiver_open(path, &header, NULL);
    assert_non_null(a);
    int64_t at = 0;
    for (int i = 0; i < count; i++, at++) {
        struct message *m = memory_get("from", &at, true);
        struct journal_message row = {.sequence = (uint64_t)i + 1, .state = rows, .from = m->position};
        assert_int_equal(identity_of(m, NULL, row.identity, NULL), ERR_OK);
        assert_int_equal(journal_put(j, job->record.number, &row, NULL), ERR_OK);
        assert_int_equal(archiver_put(a, m, NULL), ERR_OK);
        message_unref(&m);
    }
    job->record.archive = path;
    assert_int_equal(journal_update(j, &job->record, NULL), ERR_OK);
    job->record.archive = NULL;
    journal_close(&j);
    if (finished) {
        assert_int_equal(archiver_finish(&a, NULL), ERR_OK);
    } else {
        char name[4200];
        archiver_give_up(&a);
        snprintf(name, sizeof name, "%s.part", path);
        FILE *part = fopen(name, "w");
        assert_non_null(part);
        fclose(part);
    }
}

static void a_crash_while_it_archives_removes_nothing(void **state)
{
    (void)state;
    rig_publish("from", 0, 50);
    struct operation_job job = purge_of(NULL, 50);
    pretend(&job, 20, DELIVERY_INTENDED, false);
    struct operation_progress p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 50);
    assert_archived(&job, 1, 0, 50, 1);
    assert_int_equal(files(), 1); /* the .part is gone */
    assert_int_equal(rig_waiting("from"), 0);
}

/* The archive stands, the journal does not know yet: it is not made anew, and what came later stays. */
static void a_crash_behind_the_archive_removes_what_it_holds(void **state)
{
    (void)state;
    enum delivery known[] = {DELIVERY_INTENDED, DELIVERY_ARRIVED};
    for (int i = 0; i < 2; i++) {
        struct stat before, after;
        char path[4096];
        rig_publish("from", 0, 50);
        struct operation_job job = purge_of(NULL, 50);
        pretend(&job, 50, known[i], true);
        assert_true(archive_path(job.record.created_ns, "m", "from", 1, path, sizeof path));
        assert_int_equal(stat(path, &before), 0);
        rig_publish("from", 50, 7);
        job.record.counts.planned = 50;
        struct operation_progress p = rig_resume(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_int_equal(p.counts.done, 50);
        assert_archived(&job, 1, 0, 50, 1);
        assert_int_equal(stat(path, &after), 0);
        assert_true(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
        rig_assert_holds("from", 50, 7, 1);
        memory_purge("from");
    }
}

/* After each number of removals. */
static void a_crash_while_it_removes_removes_the_rest(void **state)
{
    (void)state;
    for (int removed = 0; removed <= 20; removed++) {
        rig_publish("from", 0, 20);
        struct operation_job job = purge_of(NULL, 20);
        pretend(&job, 20, DELIVERY_ARRIVED, true);
        for (int i = 0; i < removed; i++)
            assert_true(memory_consume("from"));
        rig_publish("from", 20, 5);
        struct operation_progress p = rig_resume(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_int_equal(p.counts.done, 20);
        rig_assert_holds("from", 20, 5, 1);
        memory_purge("from");
    }
}

/* The broker has not seen yet that the client has gone: what that had out comes back later. */
static int leases;

static enum err lease_once_it_is_back(struct broker *b, const struct lease_request *r,
                                      const struct lease_sink *sink, struct err_info *err)
{
    if (++leases == 2)
        for (int64_t at = 8; at < 20; at++)
            memory_settle("from", at, false);
    return memory_broker.lease_open(b, r, sink, err);
}

static void hold(int64_t first, int64_t end)
{
    for (int64_t at = first; at < end; at++) {
        struct message *m = memory_lease("from", &at);
        message_unref(&m);
    }
}

static void what_comes_back_late_is_removed_too(void **state)
{
    (void)state;
    rig_broker.lease_open = lease_once_it_is_back;
    leases = 0;
    rig_publish("from", 0, 20);
    struct operation_job job = purge_of(NULL, 20);
    pretend(&job, 20, DELIVERY_ARRIVED, true);
    for (int i = 0; i < 3; i++)
        assert_true(memory_consume("from"));
    hold(8, 20);
    struct operation_progress p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 20);
    assert_int_equal(rig_waiting("from"), 0);
}

/* Whether it comes back nobody knows. */
static void what_is_with_a_consumer_is_in_doubt(void **state)
{
    (void)state;
    rig_publish("from", 0, 20);
    struct operation_job job = purge_of(NULL, 20);
    pretend(&job, 20, DELIVERY_ARRIVED, true);
    hold(0, 1);
    struct operation_progress p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_PARTIAL);
    assert_int_equal(p.counts.done, 19);
    assert_int_equal(p.counts.in_doubt, 1);
}

/* An archive of the same name that holds something else is not taken for it. */
static void an_archive_that_is_not_its_own_removes_nothing(void **state)
{
    (void)state;
    rig_publish("from", 0, 20);
    struct operation_job job = purge_of(NULL, 20);
    pretend(&job, 20, DELIVERY_INTENDED, true);
    memory_purge("from");
    rig_publish("from", 100, 20);
    struct journal *j = journal_open(NULL);
    assert_int_equal(journal_forget(j, job.record.number, 20, NULL), ERR_OK);
    assert_int_equal(journal_sync(j, NULL), ERR_OK);
    journal_close(&j);
    struct operation_progress p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 20);
    assert_archived(&job, 1, 100, 20, 1);
    assert_int_equal(files(), 2);
}

static void without_its_archive_nothing_more_is_removed(void **state)
{
    (void)state;
    char path[4096];
    rig_publish("from", 0, 20);
    struct operation_job job = purge_of(NULL, 20);
    pretend(&job, 20, DELIVERY_ARRIVED, true);
    assert_true(archive_path(job.record.created_ns, "m", "from", 1, path, sizeof path));
    assert_int_equal(unlink(path), 0);
    struct operation_progress p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_INTERRUPTED);
    assert_non_null(strstr(p.note, "not there any more"));
    rig_assert_holds("from", 0, 20, 1);
}

/* A part of what it is about was archived and removed: it goes on with the rest. */
static void a_crash_between_two_archives_goes_on(void **state)
{
    (void)state;
    rig_publish("from", 0, 50);
    struct operation_job job = purge_of(NULL, 50);
    pretend(&job, 20, DELIVERY_ARRIVED, true);
    for (int i = 0; i < 5; i++)
        assert_true(memory_consume("from"));
    struct operation_progress p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 50);
    assert_archived(&job, 2, 0, 50, 1);
    assert_int_equal(rig_waiting("from"), 0);
}

/* ---- what goes wrong ---- */

/* A disk that is full: here a limit on the size of a file. */
static struct operation_progress run_limited(const struct operation_job *job, rlim_t bytes)
{
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){bytes, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct operation_progress p = rig_run(job);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    return p;
}

static void a_disk_that_is_full_while_it_archives_removes_nothing(void **state)
{
    (void)state;
    static char large[10000];
    memset(large, 'x', sizeof large);
    for (int i = 0; i < 200; i++) {
        struct message m = {.payload = bytes_of(large, sizeof large)};
        assert_int_equal(memory_publish("from", &m, NULL, NULL), ERR_OK);
    }
    struct operation_job job = purge_of(NULL, -1);
    struct operation_progress p = run_limited(&job, 1 << 20);
    assert_int_equal(p.state, OPERATION_FAILED);
    assert_non_null(strstr(p.note, "the archive cannot be written"));
    assert_int_equal(p.error, ERR_IO);
    assert_int_equal(rig_waiting("from"), 200);
    assert_int_equal(files(), 0);
    assert_int_equal(rows_of(&job, DELIVERY_INTENDED), 0);
}

static void a_disk_that_is_full_while_it_journals_removes_nothing(void **state)
{
    (void)state;
    rig_publish("from", 0, 8000);
    struct operation_job job = purge_of(NULL, -1);
    struct operation_progress p = run_limited(&job, 300000);
    assert_int_equal(p.state, OPERATION_INTERRUPTED);
    rig_assert_holds("from", 0, 8000, 1);
    p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_archived(&job, 1, 0, 8000, 1);
    assert_int_equal(files(), 1);
    assert_int_equal(rig_waiting("from"), 0);
}

static void a_failing_archive_is_said_and_changes_nothing(void **state)
{
    (void)state;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/signalbox/archives", rig_home);
    rig_publish("from", 0, 10);
    struct operation_job job = purge_of(NULL, -1);
    FILE *in_the_way = fopen(folder, "w"); /* a file where the folder should be */
    assert_non_null(in_the_way);
    fclose(in_the_way);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_FAILED);
    assert_non_null(strstr(p.note, "archives"));
    assert_int_equal(rows_of(&job, DELIVERY_INTENDED), 0);
    rig_assert_holds("from", 0, 10, 1);
}

/* Who cancels it while it archives wants nothing to go. */
static enum err slow_lease_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    enum err e = memory_broker.lease_step(b, timeout_ms, err);
    return e == ERR_END && atomic_load(&calls_left) < 0 ? ERR_OK : e; /* as if more were to come */
}

static void cancelled_while_it_archives_it_removes_nothing(void **state)
{
    (void)state;
    rig_broker.lease_step = slow_lease_step;
    rig_publish("from", 0, 1500);
    struct operation_job job = purge_of(NULL, -1);
    struct operation *o = operation_start(&job, rig_fd, NULL);
    struct operation_progress p = {.archived = 0};
    int64_t end = clock_mono_ns() + 20 * NS_PER_S;
    while (p.archived < 1500 && clock_mono_ns() < end) {
        struct pollfd fd = {.fd = rig_fd, .events = POLLIN};
        poll(&fd, 1, 100);
        (void)!read(rig_fd, &(uint64_t){0}, sizeof(uint64_t));
        operation_progress(o, &p);
    }
    assert_int_equal(p.archived, 1500);
    operation_cancel(o);
    p = rig_wait(&o);
    assert_int_equal(p.state, OPERATION_CANCELLED);
    assert_int_equal(p.counts.done, 0);
    assert_int_equal(files(), 0);
    rig_assert_holds("from", 0, 1500, 1);
}

/* ---- by places, as a log ---- */

static int truncations;
static int64_t truncated_up_to;
static enum err truncate_says;

/* Of a queue in memory, whose positions are counted from 0. */
static enum err truncate_by_place(struct broker *b, const struct channel_name *channel,
                                  const struct read_places *up_to, int64_t *removed, struct err_info *err)
{
    (void)b;
    struct memory_range range;
    truncations++;
    if (breaks())
        return closed(err);
    if (truncate_says)
        return err_set(err, truncate_says, "the topic is compacted");
    assert_int_equal(up_to->count, 1);
    truncated_up_to = up_to->items[0].next;
    while (memory_range(channel->name, &range) && range.head < truncated_up_to)
        assert_true(memory_consume(channel->name));
    *removed = COUNT_UNKNOWN;
    return breaks() ? closed(err) : ERR_OK;
}

static struct operation_job purge_by_place(void)
{
    struct operation_job job = purge_of(NULL, -1);
    rig_broker.lease_open = NULL;
    rig_broker.truncate = truncate_by_place;
    truncations = 0;
    truncate_says = ERR_OK;
    job.plan.by_place = true;
    return job;
}

static void a_log_is_cut_behind_what_was_archived(void **state)
{
    (void)state;
    struct operation_job job = purge_by_place();
    rig_publish("from", 0, 5000);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 5000);
    assert_int_equal(truncated_up_to, 5000);
    assert_int_equal(truncations, 1);
    assert_archived(&job, 1, 0, 5000, 1);
    assert_int_equal(rig_waiting("from"), 0);
}

static void a_log_whose_answer_is_lost_is_cut_again_at_the_same_place(void **state)
{
    (void)state;
    for (int at = 0; at < 2; at++) {
        struct operation_job job = purge_by_place();
        rig_publish("from", at * 100, 50);
        atomic_store(&calls_left, at);
        struct operation_progress p = rig_run(&job);
        assert_int_equal(p.state, OPERATION_DONE);
        assert_int_equal(p.counts.done, 50);
        assert_int_equal(truncations, 2);
        assert_archived(&job, 1, at * 100, 50, 1);
        assert_int_equal(rig_waiting("from"), 0);
    }
}

static void a_log_that_cannot_be_cut_keeps_all_and_the_archive(void **state)
{
    (void)state;
    struct operation_job job = purge_by_place();
    truncate_says = ERR_REFUSED;
    rig_publish("from", 0, 50);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_INTERRUPTED);
    assert_non_null(strstr(p.note, "compacted"));
    rig_assert_holds("from", 0, 50, 1);
    truncate_says = ERR_OK;
    rig_publish("from", 50, 3);
    p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    rig_assert_holds("from", 50, 3, 1);
}

static void a_crash_while_a_log_is_archived_reads_it_anew(void **state)
{
    (void)state;
    struct operation_job job = purge_by_place();
    rig_publish("from", 0, 50);
    pretend(&job, 20, DELIVERY_INTENDED, false);
    struct operation_progress p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 50);
    assert_archived(&job, 1, 0, 50, 1);
    assert_int_equal(files(), 1);
}

/* ---- by the broker itself ---- */

static void the_brokers_own_purge_archives_nothing_and_says_so(void **state)
{
    (void)state;
    struct operation_job job = purge_of(NULL, -1);
    job.plan.no_archive = true;
    rig_publish("from", 0, 50);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 50);
    assert_non_null(strstr(p.note, "nothing of it can be restored"));
    assert_int_equal(rig_waiting("from"), 0);
    assert_int_equal(files(), 0);
}

static enum err truncate_and_lose_the_line(struct broker *b, const struct channel_name *channel,
                                           const struct read_places *up_to, int64_t *removed,
                                           struct err_info *err)
{
    (void)!memory_broker.truncate(b, channel, up_to, removed, err);
    truncations++;
    return closed(err);
}

/* What came since is not to go. */
static void the_brokers_own_purge_is_not_tried_twice(void **state)
{
    (void)state;
    struct operation_job job = purge_of(NULL, -1);
    job.plan.no_archive = true;
    rig_broker.truncate = truncate_and_lose_the_line;
    truncations = 0;
    rig_publish("from", 0, 50);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_PARTIAL);
    assert_int_equal(p.counts.in_doubt, 1);
    assert_int_equal(truncations, 1);
}

static int64_t stored(void)
{
    struct operation_job job = purge_of(NULL, -1);
    struct preview p;
    assert_int_equal(preview_check(&job, &p, NULL), ERR_OK);
    preview_free(&p);
    return p.stored;
}

/* Also once the oldest have made way for new ones. */
static void its_size_is_that_of_what_is_there(void **state)
{
    (void)state;
    rig_publish("from", 100, 100);
    int64_t all = stored();
    assert_true(all > 0);
    for (int i = 0; i < 50; i++)
        assert_true(memory_consume("from"));
    assert_int_equal(stored(), all / 2);
    assert_int_equal(memory_purge("from"), 50);
    assert_int_equal(stored(), 0);
    for (int i = 0; i < 100; i++)
        rig_publish("from", 100, 100);
    assert_int_equal(rig_waiting("from"), 8192);
    assert_int_equal(stored(), all / 100 * 8192);
    memory_purge("from");
    assert_int_equal(stored(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_is_archived_and_removed),
        TEST(its_size_is_that_of_what_is_there),
        TEST(what_does_not_match_stays_and_is_not_archived),
        TEST(the_first_ones_go_and_no_more),
        TEST(many_go_into_several_archives),
        TEST(a_broker_that_gives_few_at_a_time_ends_nothing),
        TEST(of_nothing_there_is_no_archive),
        TEST(what_cannot_be_archived_whole_stays),
        TEST(a_line_that_is_cut_while_it_removes_loses_none),
        TEST(a_line_that_is_cut_between_loses_none),
        TEST(a_crash_while_it_archives_removes_nothing),
        TEST(a_crash_behind_the_archive_removes_what_it_holds),
        TEST(a_crash_while_it_removes_removes_the_rest),
        TEST(what_comes_back_late_is_removed_too),
        TEST(what_is_with_a_consumer_is_in_doubt),
        TEST(an_archive_that_is_not_its_own_removes_nothing),
        TEST(without_its_archive_nothing_more_is_removed),
        TEST(a_crash_between_two_archives_goes_on),
        TEST(a_disk_that_is_full_while_it_archives_removes_nothing),
        TEST(a_disk_that_is_full_while_it_journals_removes_nothing),
        TEST(a_failing_archive_is_said_and_changes_nothing),
        TEST(cancelled_while_it_archives_it_removes_nothing),
        TEST(a_log_is_cut_behind_what_was_archived),
        TEST(a_log_whose_answer_is_lost_is_cut_again_at_the_same_place),
        TEST(a_log_that_cannot_be_cut_keeps_all_and_the_archive),
        TEST(a_crash_while_a_log_is_archived_reads_it_anew),
        TEST(the_brokers_own_purge_archives_nothing_and_says_so),
        TEST(the_brokers_own_purge_is_not_tried_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
