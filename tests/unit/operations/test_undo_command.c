/* How an operation is taken back, as a command. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "brokers/memory/memory.h"
#include "operations/undo_command.h"

static const struct endpoint endpoint = {.name = "m"};

static struct operation_job job_of(enum operation_kind kind)
{
    struct operation_job job = {.plan = {.kind = kind, .from = "m/from", .to = "m/it's"},
                                .from = {&memory_broker, &endpoint, {CHANNEL_QUEUE, "from"}},
                                .to = {&memory_broker, &endpoint, {CHANNEL_QUEUE, "it's"}},
                                .record = {.kind = kind, .id = "abcdefghijklmnop"}};
    return job;
}

static void assert_undo(const struct operation_job *job, int64_t done, const char *command, const char *word)
{
    struct operation_counts counts = {.done = done};
    struct buffer out;
    const char *why = NULL;
    buffer_init(&out, MIB);
    const char *undo = undo_command(job, &counts, &out, &why);
    if (command)
        assert_string_equal(undo, command);
    else
        assert_null(undo);
    if (word)
        assert_non_null(strstr(why, word));
    else
        assert_null(why);
    buffer_free(&out);
}

static void what_was_moved_moves_back(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    assert_undo(
        &job, 3,
        "signalbox move 'm/it'\\''s' --to m/from --select 'headers.x-signalbox-operation~abcdefghijklmnop/'",
        NULL);
    assert_undo(&job, 0, NULL, NULL);
    job.plan.sticks = true; /* a stream, whatever it was called */
    assert_undo(&job, 3, NULL, "nothing can be taken off the destination");
    job.plan.sticks = false;
    job.plan.no_mark = true;
    assert_undo(&job, 3, NULL, "marks");
}

static void what_was_copied_goes_off_again(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_COPY);
    assert_undo(&job, 3,
                "signalbox purge 'm/it'\\''s' --select 'headers.x-signalbox-operation~abcdefghijklmnop/'",
                NULL);
    job.to.channel.kind = CHANNEL_TOPIC;
    assert_undo(&job, 3, NULL, "one by one");
    job = job_of(OPERATION_REPLAY);
    job.plan.keeps = true;
    assert_undo(&job, 3,
                "signalbox purge 'm/it'\\''s' --select 'headers.x-signalbox-operation~abcdefghijklmnop/'",
                NULL);
    job.plan.to = NULL;
    assert_undo(&job, 3, NULL, "journal");
}

static void what_was_purged_is_restored(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_PURGE);
    job.plan.to = NULL;
    job.record.archive = "/a/one.sba\n/a/two.sba";
    assert_undo(&job, 3, "signalbox restore /a/one.sba && signalbox restore /a/two.sba", NULL);
    job.plan.no_archive = true;
    assert_undo(&job, 3, NULL, "kept nothing");
    job = job_of(OPERATION_RESTORE);
    assert_undo(&job, 3, NULL, "marks nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_moved_moves_back),
        cmocka_unit_test(what_was_copied_goes_off_again),
        cmocka_unit_test(what_was_purged_is_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
