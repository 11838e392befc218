/* An order: an operation that somebody asks for, with both of its ends, before it is one; what the screen and the command line share of
 * making it. Floor 4. Any thread, where nothing else is said. */
#ifndef SIGNALBOX_OPERATIONS_ORDER_H
#define SIGNALBOX_OPERATIONS_ORDER_H

#include "engine/config.h"
#include "operations/preview.h"

struct order {
    struct plan plan;
    struct address from,
        to; /* from: of a restore without endpoint. to: of a replay home its source's endpoint; of a purge zeroed */
    const char *config; /* the file that --config names; NULL: none. It outlives what has the order */
    bool glance;        /* its dry run counts, and looks at no message: that would leave a mark */
};

/* Are these one channel, also where they are written differently? */
bool order_is_same(const struct address *a, const struct address *b);
/* The journal's word for a channel, however it was typed: with it earlier operations of it are found. */
const char *order_canonical(const struct address *a, struct arena *arena);
/* As it is written on a command line; of an endpoint given by URL that. NULL: no memory. */
const char *order_address(const struct address *a, struct arena *arena);
/* A word of a shell's command line, quoted where need be, behind a space. */
void order_put_word(struct buffer *out, const char *word);
/* Who gives it, and where: at least 64 and 256 bytes. */
void order_person(char *who, size_t who_size, char *host, size_t host_size);
/* Is the channel changed by it: the source of what is taken off, or the destination? */
bool order_takes(const struct plan *p);

/* The line of the shell that does the same, with --execute, and --write or --confirm where that needs them. */
void order_command(const struct order *o, struct buffer *out);
/* What cannot be meant: ERR_REFUSED or ERR_USAGE with the reason. Nothing is looked up. */
enum err order_check(const struct order *o, struct err_info *err) SB_MUST_USE;
/* For that: ERR_REFUSED where it goes onto itself. */
enum err order_check_ends(const struct plan *p, const struct address *from, const struct address *to,
                          struct err_info *err) SB_MUST_USE;
/* How many messages it is about, COUNT_UNKNOWN: those that it would send, and those that it would skip. */
int64_t order_about(const struct plan *p, const struct preview *seen);
/* How many of them it would send. */
/* That is an upper bound, since the broker counts one. */
bool order_is_upper(const struct plan *p, const struct preview *seen);
int64_t order_planned(const struct plan *p, const struct preview *seen);
/* As it was counted: what comes later is not part of it. */
void order_bound(struct plan *p, const struct preview *counted);
/* What was seen goes into the plan; what the source cannot do is ERR_REFUSED. */
enum err order_settle(struct plan *p, const struct preview *seen, struct err_info *err) SB_MUST_USE;

/* ERR_REFUSED: the destination would lose messages for want of room, by what was counted and looked at. What cannot be known before its
 * messages come (a selection, unlooked at) is ERR_OK: then the operation stops where there is no more room. */
enum err order_fits(const struct plan *p, const struct preview *seen, struct err_info *err) SB_MUST_USE;

/* Names it, takes its lock and writes it into the journal. record->plan is a view of *plan. The lock's descriptor (operation_unlock is
 * due), or -1 with *err. `create` writes the row (NULL: journal_create). */
typedef enum err order_create(void *context, struct journal *j, struct journal_operation *record,
                              struct err_info *err);
int order_begin(struct operation_job *job, struct buffer *plan, order_create *create, void *context,
                struct err_info *err);

#endif
