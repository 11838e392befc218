#include "operations/undo_command.h"

#include "base/text.h"
#include "operations/order.h"

#include <stdio.h>

/* Whether messages go off there one by one. */
static bool gives_back(const struct operation_end *end)
{
    enum channel_kind kind = end->channel.kind;
    return end->ops->lease_open && kind != CHANNEL_STREAM && kind != CHANNEL_EXCHANGE &&
           kind != CHANNEL_TOPIC;
}

const char *undo_why_not(const struct operation_job *job)
{
    const struct plan *p = &job->plan;
    if (plan_archives(p))
        return p->no_archive ? "the broker's own purge has kept nothing" : NULL;
    if (p->kind == OPERATION_RESTORE)
        return "a restore marks nothing: what it has sent cannot be told from what was there";
    if (p->no_mark)
        return "without marks what was sent cannot be told from what was there";
    if (!p->to)
        return "each message goes to where it came from: `signalbox journal` says which to where";
    return !p->sticks && gives_back(&job->to) ? NULL : "nothing can be taken off the destination one by one";
}

static void put_restore(struct buffer *out, const char *archives)
{
    for (const char *at = archives; *at;) {
        size_t len = strcspn(at, "\n");
        char path[4096];
        text_copy_bytes(path, sizeof path, bytes_of(at, len));
        buffer_text(out, at == archives ? "signalbox restore" : " && signalbox restore");
        order_put_word(out, path);
        at += len + (at[len] == '\n');
    }
}

bool undo_moves(const struct plan *p)
{
    return !p->keeps && (p->kind == OPERATION_MOVE || p->kind == OPERATION_REPLAY);
}

char *undo_select(const char *id, char into[UNDO_SELECT_SIZE])
{
    snprintf(into, UNDO_SELECT_SIZE, "headers.x-signalbox-operation~%s/", id);
    return into;
}

const char *undo_command(const struct operation_job *job, const struct operation_counts *counts,
                         struct buffer *into, const char **why)
{
    const struct plan *p = &job->plan;
    const struct journal_operation *r = &job->record;
    bool removes = undo_moves(p);
    size_t start = into->len;
    char select[UNDO_SELECT_SIZE];
    *why = counts->done ? undo_why_not(job) : NULL;
    if (!counts->done || *why)
        return NULL;
    if (plan_archives(p)) {
        if (!r->archive)
            return NULL;
        put_restore(into, r->archive);
    } else {
        buffer_text(into, removes ? "signalbox move" : "signalbox purge");
        order_put_word(into, p->to);
        if (removes) {
            buffer_text(into, " --to");
            order_put_word(into, p->from);
        }
        buffer_text(into, " --select");
        order_put_word(into, undo_select(r->id, select));
    }
    buffer_byte(into, '\0');
    return buffer_ok(into) ? (const char *)into->data + start : NULL;
}
