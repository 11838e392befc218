/* Dead letters, grouped by why they died and where they would go. Floor 4. One thread at a time.
 *
 * In bounded memory: the first REASONS_MOST groups are kept and counted exactly; messages that belong to none of them are counted
 * together (reasons_rest). */
#ifndef SIGNALBOX_OPERATIONS_REASONS_H
#define SIGNALBOX_OPERATIONS_REASONS_H

#include "base/json.h"
#include "engine/redact.h"
#include "operations/dead_letter.h"
#include "operations/rewrite.h"
#include "operations/sent.h"

#define REASONS_MOST 1000

struct reason_group {
    char text[REASON_SIZE]; /* as dead_letter_reason has it: what `--reason` and the plan name it by */
    char to[300];           /* KIND:NAME, or the plan's destination as the journal has it; "" nowhere */
    char why_not[200];      /* they are skipped, or fail: why; "" */
    bool fails;
    int64_t count, bytes;         /* messages, and their payloads */
    int64_t oldest_ns, newest_ns; /* of their deaths, else of the messages; TIME_NONE: none has a time */
    struct position example;      /* of the first; NONE where its source has no positions */
    char label[80];               /* its key or id, else the beginning of its payload: scrubbed */
    int64_t example_ns;           /* TIME_NONE */
    struct header_changes
        changes; /* of the example, where it would be sent: its headers, as they may be shown */
};

struct reasons_job {
    const struct plan *plan; /* a replay */
    const char *cluster;     /* of the source, as its stamps have it, and */
    const char *from;        /* that of the channel that they are in */
    const char *to;          /* the plan's destination as the journal has it; NULL: where each came from */
    const struct redaction *redaction; /* what may not be shown of them; NULL: all may */
    const struct sent *sent;           /* what earlier replays have sent; NULL: nothing */
    /* Is a copy of it there already? to: as the group has it. NULL: nobody knows. */
    bool (*there)(void *context, const char *to, const struct message *m);
    /* Why nothing can be sent there; NULL: it can, or nobody knows. */
    const char *(*missing)(void *context, const char *to);
    void *context;
};

struct reasons;

/* What the job points to must outlive it. NULL: no memory. */
struct reasons *reasons_new(const struct reasons_job *job);
void reasons_free(struct reasons **r);
bool reasons_add(struct reasons *r, const struct message *m); /* would it be sent? */
/* The one with the most messages first; valid until the next reasons_add. */
const struct reason_group *reasons_groups(struct reasons *r, size_t *count);
int64_t reasons_rest(const struct reasons *r);
/* Of all that were added: would not be sent, on purpose, or since they cannot. */
int64_t reasons_skipped(const struct reasons *r);
int64_t reasons_failing(const struct reasons *r);
/* As an array; what is in no group is its last item, whose reason is null. */
void reasons_to_json(struct reasons *r, struct json_writer *w);

#endif
