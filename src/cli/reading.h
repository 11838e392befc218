/* Reading messages for tail, browse, search and export: one session an endpoint, filtered and encoded on its worker, written by
 * the output sink. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_READING_H
#define SIGNALBOX_CLI_READING_H

#include "cli/cli.h"
#include "operations/dedupe_mark.h"

struct reading {
    const struct cli *cli;
    const struct address *addresses; /* several only for a tap */
    size_t address_count;
    enum read_mode mode;
    struct start start;
    int64_t limit;          /* messages to write; -1: no limit */
    int64_t scan_limit;     /* messages to look at; -1: no limit */
    const char *expression; /* filter; NULL: all */
    int fd;                 /* where the lines go */
    bool progress;
    bool whole;               /* also what the configuration's `redact` hides: for archives */
    bool bare;                /* what is written has no place for headers */
    struct dedupe_mark *mark; /* flags duplicates, before the filter sees them; NULL: none */
    /* Appends one message; on a worker, several at once, unless there is one address alone. */
    void (*encode)(void *context, struct buffer *out, const struct message *m);
    /* Instead of it, of one address: takes the message, and nothing is written. False: no more, please; the caller knows why. */
    bool (*take)(void *context, const struct message *m);
    void *context;
};

struct reading_result {
    int code;        /* exit code; messages were printed already */
    int64_t written; /* messages */
    int64_t unknown; /* of which the filter could not tell; said already */
    int64_t scanned, total;
    int64_t goal; /* how many will be scanned, as far as is known: total, or a bound below it */
    bool total_upper;
    bool incomplete;   /* the broker's driver had to end it before what was asked for was read */
    bool closed;       /* nobody reads the output any more: it ended quietly */
    bool whole;        /* ended by itself: neither signal, time-out nor error */
    char stopped[160]; /* why it ended */
};

/* The line that says how far it is, `spent_ns` after the first message: what it took to come is no measure of the rest. 0: it
 * has not come. `what` becomes of those that are written: matched, taken. Returns into. */
char *reading_progress_text(char *into, size_t size, const struct reading_result *now, int64_t spent_ns,
                            const char *what);
void reading_run(const struct reading *reading, struct reading_result *result);
/* Of one that ended without having begun (no answer, a refusal) its message has said all there is to say. */
bool reading_has_begun(const struct reading_result *result);
/* The honest sentence at the end: what was scanned, why it stopped, how many matched. Silenced by --quiet. */
void reading_say_scanned(const struct cli *c, const struct reading_result *result);
/* The command's, of a result that ended without an error: 0, 4 where a filter found nothing, 6 where the reading is incomplete, or
 * nothing was found but the filter could not tell of all. */
int reading_exit_code(const struct reading *reading, const struct reading_result *result);
/* --from, --limit, --where, --partition and the others into a reading. 0 or an exit code after a message. */
int reading_init(struct reading *r, const struct cli *c, enum read_mode mode);
/* The same for one channel's stored messages, with its address, its effect not yet announced. expression NULL: that of --where. */
int reading_init_stored(struct reading *r, struct cli *c, const char *expression, struct address *address);

#endif
