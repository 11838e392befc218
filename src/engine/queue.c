/* DESIGN. A mutex, a list and an eventfd. The consumer takes everything at once, so that the lock is held for a few
 * instructions on either side; the eventfd is written only when the queue turns from empty to not empty, and reset by the
 * taker under the same lock, so a burst costs one wake-up. Bytes stay charged until the consumer gives credit: what is
 * bounded is what was produced and not yet used up, wherever it is. */
#include "engine/queue.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    pthread_mutex_t lock;
    int fd;
    size_t max_items, max_bytes;
    /* under lock */
    struct queue_item *first, **last;
    size_t items, bytes; /* charged */
    bool closed;
};

struct queue *queue_new(size_t max_items, size_t max_bytes)
{
    struct queue *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (q->fd < 0) {
        free(q);
        return NULL;
    }
    pthread_mutex_init(&q->lock, NULL);
    q->last = &q->first;
    q->max_items = max_items;
    q->max_bytes = max_bytes;
    return q;
}

void queue_free(struct queue **qp, void (*release)(struct queue_item *))
{
    struct queue *q = *qp;
    *qp = NULL;
    if (!q)
        return;
    for (struct queue_item *i = q->first, *next; i; i = next) {
        next = i->next;
        release(i);
    }
    close(q->fd);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

int queue_fd(const struct queue *q)
{
    return q->fd;
}

bool queue_push(struct queue *q, struct queue_item *item, size_t bytes, bool urgent)
{
    pthread_mutex_lock(&q->lock);
    /* One item that is larger than the whole budget passes when nothing else is on its way. */
    bool fits = q->items < q->max_items && (q->bytes + bytes <= q->max_bytes || q->bytes == 0);
    bool taken = !q->closed && (urgent || fits);
    if (taken) {
        if (!q->first)
            (void)!write(q->fd, &(uint64_t){1}, sizeof(uint64_t));
        item->next = NULL;
        item->bytes = bytes;
        *q->last = item;
        q->last = &item->next;
        q->items++;
        q->bytes += bytes;
    }
    pthread_mutex_unlock(&q->lock);
    return taken;
}

struct queue_item *queue_take(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    struct queue_item *first = q->first;
    if (first)
        (void)!read(q->fd, &(uint64_t){0}, sizeof(uint64_t));
    q->first = NULL;
    q->last = &q->first;
    pthread_mutex_unlock(&q->lock);
    return first;
}

void queue_credit(struct queue *q, size_t items, size_t bytes)
{
    pthread_mutex_lock(&q->lock);
    q->items -= items;
    q->bytes -= bytes;
    pthread_mutex_unlock(&q->lock);
}

bool queue_low(const struct queue *q)
{
    size_t items, bytes;
    queue_counts(q, &items, &bytes);
    return items <= q->max_items / 2 && bytes <= q->max_bytes / 2;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_mutex_unlock(&q->lock);
}

void queue_counts(const struct queue *q, size_t *items, size_t *bytes)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&q->lock; /* logically const */
    pthread_mutex_lock(lock);
    *items = q->items;
    *bytes = q->bytes;
    pthread_mutex_unlock(lock);
}
