/* Where a dead letter goes, by a plan and its headers. Floor 4. Any thread. */
#ifndef SIGNALBOX_OPERATIONS_DEAD_LETTER_H
#define SIGNALBOX_OPERATIONS_DEAD_LETTER_H

#include "model/message.h"
#include "operations/plan.h"

struct dead_letter {
    enum channel_kind kind;
    struct bytes name; /* a slice of its headers; null: the plan's own destination, or nowhere */
    char why_not[80];  /* it goes nowhere: why; "" */
};

/* from: the name of the channel that it is in. */
void dead_letter_way(const struct plan *p, const char *from, const struct message *m,
                     struct dead_letter *way);

/* Why it died, as it is grouped by: "rejected: field total missing", REASON_NONE where no header tells. Numbers of four digits and more,
 * and other ids, are a # there, so that what differs in them alone is one reason. One line, scrubbed. Returns into. */
#define REASON_NONE "no reason told"
#define REASON_SIZE 200
char *dead_letter_reason(struct headers headers, char into[REASON_SIZE]);
/* Is that reason one of them? chosen: a line each, a whole reason or what stands before its colon. */
bool dead_letter_is_chosen(const char *chosen, const char *reason);

#endif
