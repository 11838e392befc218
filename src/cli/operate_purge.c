/* What is said of a purge before and after it. */
#include "cli/operate_internal.h"

#include "base/state.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

int operate_purge_plan(struct operating *o)
{
    const struct plan *p = &o->job.plan;
    if (p->tombstones && (p->no_archive || p->limit >= 0))
        return cli_usage("--tombstones goes by keys, archived first: not --limit or --no-archive");
    if (p->no_archive && (p->select || p->limit >= 0))
        return cli_usage("--no-archive is the broker's own purge, which takes all: not --select or --limit");
    return 0;
}

void operate_purge_say_archive(const struct operating *o, const struct preview *p, int64_t n)
{
    char folder[STATE_PATH_SIZE], size[32], room[32], text[120] = "";
    int64_t bytes = preview_archive_size(&o->job, p, n);
    if (!state_path("archives", folder, sizeof folder))
        return;
    if (bytes >= 0)
        snprintf(text, sizeof text, "about %s ", text_bytes(size, sizeof size, (uint64_t)bytes));
    cli_notice(
        o->cli, "they are archived first, %sin %s (%s free), and can be restored from there", text, folder,
        p->room >= 0 ? text_bytes(room, sizeof room, (uint64_t)p->room) : "an unknown number of bytes");
    if (bytes > p->room && p->room >= 0)
        cli_notice(
            o->cli,
            "that is more than there is room for: nothing of what cannot be archived would be removed");
}

void operate_purge_say(const struct operating *o, const struct preview *p, int64_t n)
{
    if (o->job.plan.no_archive) {
        cli_notice(
            o->cli,
            "by the broker's own purge, at once and without an archive: nothing of it can be restored");
        return;
    }
    if (n == 0)
        return;
    operate_purge_say_archive(o, p, n);
    if (o->job.plan.tombstones) {
        cli_notice(
            o->cli,
            "a tombstone, a null payload, is written for each key whose last message is selected: the topic forgets it when it "
            "is compacted next, with all that was ever written to it");
        return;
    }
    cli_notice(o->cli, p->by_place ? "what comes after it has begun stays: all up to there is removed at once"
                                   : "what comes after it has begun stays");
}

/* As the journal has it: one path, or a line each. */
static void take_archives(struct operating *o)
{
    struct journal_operation now;
    struct journal *j = journal_open(NULL);
    if (j && !journal_find(j, o->job.record.id, &o->arena, &now, NULL))
        o->job.record.archive = now.archive;
    journal_close(&j);
}

static void say_archives(const struct operating *o)
{
    const char *at = o->job.record.archive;
    while (at && *at) {
        int len = (int)strcspn(at, "\n");
        cli_notice(o->cli, "archived in %.*s; `signalbox restore` brings it back", len, at);
        at += len + (at[len] == '\n');
    }
}

static const char *count_text(char *into, size_t size, int64_t n)
{
    return n >= 0 ? text_count(into, size, (uint64_t)n) : "an unknown number";
}

static void say_count(const struct operating *o, const char *when, int64_t ready, int64_t unacked)
{
    char text[32], more[64] = "";
    if (unacked > 0)
        snprintf(more, sizeof more, ", and %" PRId64 " with consumers", unacked);
    cli_notice(o->cli, "%s: %s in %s%s", when, count_text(text, sizeof text, ready), o->job.plan.from, more);
}

void operate_purge_report(struct operating *o, const struct operation_progress *p)
{
    int64_t ready, unacked;
    take_archives(o);
    say_archives(o);
    if (p->state == OPERATION_FAILED || preview_count(&o->job, &ready, &unacked, NULL))
        return;
    if (o->before.ready > 0 || o->before.unacked > 0)
        say_count(o, "before", o->before.ready, o->before.unacked);
    say_count(o, "now", ready, unacked);
}
