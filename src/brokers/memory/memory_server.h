/* The in-process server behind the `memory` broker: queues and topics with dead letters, for the demo, the tests and the
 * load generator. Floor 3. Any thread.
 *
 * There is one server a process, as there is one process: sessions find it as they would find a host. Channels are bounded
 * (messages and bytes): a full topic forgets its oldest, a full queue dead-letters or forgets its oldest, as brokers do. */
#ifndef SIGNALBOX_BROKERS_MEMORY_SERVER_H
#define SIGNALBOX_BROKERS_MEMORY_SERVER_H

#include "model/channel.h"

/* Creates a channel (QUEUE or TOPIC); the same again is no error. dead_letters: queue for what is rejected or pushed out;
 * NULL none. ERR_LIMIT, ERR_NOMEM. */
enum err memory_declare(const char *name, enum channel_kind kind, const char *dead_letters,
                        struct err_info *err) SB_MUST_USE;
/* Appends a copy; *sequence (may be NULL) is its position. ERR_NOTFOUND, ERR_LIMIT, ERR_NOMEM. */
enum err memory_publish(const char *channel, const struct message *m, int64_t *sequence,
                        struct err_info *err) SB_MUST_USE;
/* What a consumer does with the head of a queue: take it (true: there was one), or reject it to the dead letter queue with
 * the reason in the headers x-death-queue and x-death-reason. */
bool memory_consume(const char *queue);
bool memory_reject(const char *queue, const char *reason);
void memory_list(const char *pattern, struct channel_list *list);
/* Tests: forgets everything. No session may be open. */
void memory_reset(void);

/* ---- for the driver ---- */

struct memory_range {
    enum channel_kind kind;
    int64_t first, next; /* sequences stored: [first, next) */
    int64_t head;        /* first unconsumed; a topic's first */
};
bool memory_range(const char *channel, struct memory_range *range);
/* A reference to the message with that sequence, or of the oldest one after it when it is gone already (*sequence is
 * moved); NULL: none yet. waiting: only what a queue has ready. */
struct message *memory_get(const char *channel, int64_t *sequence, bool waiting);
/* Takes the first message of a queue from *sequence on that is ready, and moves *sequence to it; NULL: none. Nobody else sees it until it
 * is settled: removed, or back at its place. */
struct message *memory_lease(const char *queue, int64_t *sequence);
void memory_settle(const char *queue, int64_t sequence, bool remove);
bool memory_count(const char *channel, int64_t *waiting,
                  int64_t *leased);        /* false: there is no such channel */
int64_t memory_purge(const char *channel); /* all that are ready; how many */
/* fd (an eventfd) is written whenever something is published anywhere; one write until memory_listen_again. -1: no memory. */
int memory_listen(int fd);
void memory_listen_again(int listener);
void memory_unlisten(int listener);

#endif
