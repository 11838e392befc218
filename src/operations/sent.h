/* What earlier operations of a source that keeps its messages have sent: it is not sent to the same place once more. Floor 4. One thread
 * at a time. */
#ifndef SIGNALBOX_OPERATIONS_SENT_H
#define SIGNALBOX_OPERATIONS_SENT_H

#include "operations/journal.h"

#define SENT_BEFORE "an earlier replay has sent it there"

struct sent_row;

/* Zeroed: empty. */
struct sent {
    struct sent_row *rows; /* sorted */
    size_t count, cap;
};

/* ERR_REFUSED: an earlier operation of this one's kind and source has not ended, so that nobody knows what it has sent. Of two that begin
 * at once the earlier one goes on. */
enum err sent_check_alone(struct journal *j, const struct journal_operation *record,
                          struct err_info *err) SB_MUST_USE;
/* Of what is taken off its source: ERR_REFUSED where an earlier move or replay of it was interrupted, since what that has sent may still
 * be there. One that lives holds what it has taken. */
enum err sent_check_taken(struct journal *j, const struct journal_operation *record,
                          struct err_info *err) SB_MUST_USE;
/* Of operations of this one's kind and source, but for itself. Some 24 bytes a message. */
enum err sent_load(struct sent *s, struct journal *j, const struct journal_operation *record,
                   struct err_info *err) SB_MUST_USE;
/* to: KIND:NAME, or the operation's own destination. */
bool sent_has(const struct sent *s, struct position from, const char *to);
void sent_free(struct sent *s);

#endif
