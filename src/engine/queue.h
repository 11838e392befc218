/* The bounded queue between threads: many producers, one consumer, items and bytes counted, one coalesced eventfd. Floor 4.
 *
 * push consumes what it is given or refuses it; ownership is never in doubt: on false the caller still owns the item.
 * A closed queue refuses. Items are linked through struct queue_item, embedded first in the producer's struct. */
#ifndef SIGNALBOX_ENGINE_QUEUE_H
#define SIGNALBOX_ENGINE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue_item {
    struct queue_item *next;
    size_t bytes;
};

struct queue;

struct queue *queue_new(size_t max_items, size_t max_bytes);
/* Frees the queue and gives what is still inside to release. No thread may use it any more. */
void queue_free(struct queue **q, void (*release)(struct queue_item *));
int queue_fd(const struct queue *q); /* readable while something waits: for poll */
/* Any thread. False: full or closed. `urgent` ignores the bounds (state changes, ends), never the closing. */
bool queue_push(struct queue *q, struct queue_item *item, size_t bytes, bool urgent);
/* Consumer: everything at once in order, NULL when empty; resets the eventfd. Bytes stay charged until queue_credit. */
struct queue_item *queue_take(struct queue *q);
/* Consumer: items of a taken list were used up (stored or freed): their bytes may flow again. */
void queue_credit(struct queue *q, size_t items, size_t bytes);
/* Below half of both bounds: producers that paused may go on. Any thread. */
bool queue_low(const struct queue *q);
void queue_close(struct queue *q);
/* For tests and the status line. */
void queue_counts(const struct queue *q, size_t *items, size_t *bytes);

#endif
