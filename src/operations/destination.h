/* Where an operation's messages go: a publishing session, driven by the operation's own thread. Floor 4. */
#ifndef SIGNALBOX_OPERATIONS_DESTINATION_H
#define SIGNALBOX_OPERATIONS_DESTINATION_H

#include "engine/secret.h"
#include "operations/batch.h"

struct destination;

struct destination_job {
    const struct broker_ops *ops;
    const struct endpoint *endpoint;
    const char *claim; /* the operation's id; see struct publish_request */
    bool transaction;
    /* As of a session; see engine/session.h. May be NULL. */
    enum err (*prepare)(void *context, const struct endpoint *endpoint, struct secret *into,
                        struct err_info *err);
    void (*notice)(void *context, const char *text);
    void *context;
};

/* Connects. wake_fd (an eventfd) ends a wait of destination_step early. The job's strings must outlive it. NULL with *err. */
struct destination *destination_open(const struct destination_job *job, int wake_fd, struct err_info *err);
/* Before the first destination_add; see struct publish_request. It must live as long. */
void destination_fence(struct destination *d, const char *fence);
void destination_close(struct destination **d); /* what has no answer yet stays INTENDED */
void destination_interrupt(
    struct destination *d); /* any thread: whatever it waits for ends soon, with ERR_CANCELLED */

/* One more channel; its number counts from 0. */
enum err destination_add(struct destination *d, const struct channel_name *to, uint32_t flags,
                         int32_t partitions, struct err_info *err) SB_MUST_USE;
/* Sends an item's message to the channel of that number, or `changed` in its place (NULL: as it is). The item must live until it was
 * answered: its state is ARRIVED then,
 * or FAILED with the reason. ERR_BUSY: no room, step first. Refused before it was sent: ERR_OK, and answered. */
enum err destination_put(struct destination *d, struct item *item, size_t to, const struct message *changed,
                         struct err_info *err) SB_MUST_USE;
/* Of a destination that was added with PUBLISH_DRY: what destination_put would refuse, ERR_OK else. */
enum err destination_check(struct destination *d, size_t to, const struct message *m,
                           struct err_info *err) SB_MUST_USE;
/* Serves the connection; *pending: how many have no answer yet. */
enum err destination_step(struct destination *d, int timeout_ms, size_t *pending,
                          struct err_info *err) SB_MUST_USE;
enum err destination_commit(struct destination *d, const struct commit *commit,
                            struct err_info *err) SB_MUST_USE;
struct broker *destination_broker(struct destination *d); /* for questions between two sendings */

#endif
