/* What the files of this folder share: one session. Its worker calls everything here. */
#ifndef SIGNALBOX_BROKERS_MEMORY_SESSION_H
#define SIGNALBOX_BROKERS_MEMORY_SESSION_H

#include "brokers/memory/memory.h"
#include "brokers/memory/memory_server.h"

#include <sys/eventfd.h>

#define MOST_READ_CHANNELS 64
#define MOST_DESTINATIONS  64
#define STEP_BATCH         1000

struct cursor {
    const struct origin *origin;
    char name[256];
    int64_t at, end; /* end: browse stops there; INT64_MAX for a tap */
};

/* What is out of a queue, by sequence; see memory_change.c. */
struct memory_lease {
    struct lease_sink sink;
    size_t window, out; /* out: handed over, neither settled nor kept */
    int64_t left;       /* to be handed over */
    int64_t *held;      /* sequences that were not removed, in their order */
    size_t held_count, held_cap;
};

struct memory_state {
    atomic_int event_fd; /* interrupt may come while it is made */
    int listener;
    /* reading; cursors[0] and paused also of a lease */
    struct read_sink sink;
    struct cursor cursors[MOST_READ_CHANNELS];
    size_t cursor_count, next_cursor;
    struct read_progress progress;
    int64_t left; /* until the limit; INT64_MAX none */
    bool browse, paused, stopped;
    struct memory_lease lease;
    /* publishing */
    char destinations[MOST_DESTINATIONS][256];
    size_t destination_count;
    struct publish_sink publish;
    bool dry; /* PUBLISH_DRY */
};

/* ERR_NOTFOUND, with the nearest name. */
enum err memory_not_found(const char *name, struct err_info *err);
void memory_read_pause(struct broker *b, bool pause);

/* ---- memory_change.c ---- */

enum err memory_lease_open(struct broker *b, const struct lease_request *request,
                           const struct lease_sink *sink, struct err_info *err) SB_MUST_USE;
enum err memory_lease_step(struct broker *b, int timeout_ms, struct err_info *err) SB_MUST_USE;
enum err memory_settle_one(struct broker *b, uint64_t handle, enum settle how,
                           struct err_info *err) SB_MUST_USE;
enum err memory_settle_sync(struct broker *b, struct err_info *err) SB_MUST_USE;
enum err memory_lease_close(struct broker *b, int64_t *returned, struct err_info *err) SB_MUST_USE;
enum err memory_count_channel(struct broker *b, const struct channel_name *channel, int64_t *ready,
                              int64_t *unacked, struct err_info *err) SB_MUST_USE;
enum err memory_truncate(struct broker *b, const struct channel_name *channel,
                         const struct read_places *up_to, int64_t *removed, struct err_info *err) SB_MUST_USE;
enum err memory_publish_open(struct broker *b, const struct publish_request *request,
                             const struct publish_sink *sink, struct err_info *err) SB_MUST_USE;
enum err memory_publish_message(struct broker *b, size_t to, const struct message *m, uint64_t token,
                                struct err_info *err) SB_MUST_USE;
enum err memory_publish_step(struct broker *b, int timeout_ms, size_t *pending,
                             struct err_info *err) SB_MUST_USE;
void memory_publish_close(struct broker *b);

/* What a sink is given of a message that is stored. */
static inline struct message memory_borrow(const struct message *stored, const struct origin *origin)
{
    struct message m = message_borrow(stored);
    m.origin = origin;
    m.received_ns = clock_wall_ns();
    return m;
}

#endif
