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
