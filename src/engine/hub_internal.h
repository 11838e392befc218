/* What the hub's files share. Floor 4; private to hub*.c. UI thread only.
 * hub.c makes and ends it, pumps, and keeps endpoints and probes; hub_tail.c opens and fills tails; hub_runs.c knows which
 * of them is shown; hub_attention.c says what somebody should look at. */
#ifndef SIGNALBOX_ENGINE_HUB_INTERNAL_H
#define SIGNALBOX_ENGINE_HUB_INTERNAL_H

#include "engine/hub.h"
#include "engine/hub_event.h"

#define ATTENTION_MOST  256
#define TAIL_MOST_PARTS (2 * HUB_TAIL_MOST) /* each channel may come to stand alone */

struct watch {
    struct session *session;
    struct hub_source source;
    int64_t answered_ns; /* wall clock: since when another session of the endpoint is up; 0: none came up */
};

/* One session of a tail, with the channels that it reads. */
struct tail_part {
    struct session *session;
    struct hub_source source;
    size_t first, count; /* in names and tail.channels; count 0: others have taken over */
};

/* One set of reading sessions with one store generation. */
struct tail_run {
    struct tail_run *next; /* in the list of retired ones */
    uint32_t serial;
    size_t part_count, ended;
    struct tail_part parts[TAIL_MOST_PARTS];
    struct channel_name *names; /* of all channels; sessions hold slices of it */
    struct dedupe_mark *mark;   /* of duplicates; NULL: nobody asked */
    bool mark_said;             /* since when it knows */
    struct filter *filter;      /* of a browse that holds only what it takes; NULL: none */
    struct store *store;
    struct hub_tail tail;
    int64_t second; /* of the newest per_second slot */
    uint64_t bytes_this_second, messages_this_second;
};

struct hub {
    struct config *config;
    const struct registry *registry;
    struct queue *queue;
    struct queue_item *taken; /* taken from the queue, not yet used up */
    struct hub_endpoint *endpoints;
    struct watch *watches;
    size_t endpoint_count;
    struct hub_probe *probes;
    size_t probe_count;
    struct prober *prober;
    struct decode_pool *decode_pool; /* from the first job on */
    struct tail_run *tail;           /* the one that is shown */
    struct tail_run *kept;           /* it was shown, and is shown again should that one not open */
    struct tail_run *beneath; /* a tail that goes on while a browse is shown; hub_tail_back leads to it */
    struct tail_run *retired;
    uint32_t serial;
    struct store *nothing; /* what a hub without a tail holds */
    struct hub_attention attention[ATTENTION_MOST];
    size_t attention_count;
    char notice[240];
    uint64_t notice_serial;
    enum severity notice_severity;
    bool started;
};

void hub_say(struct hub *h, enum severity severity, const char *text); /* the newest notice */
/* Another session of the endpoint is up since then: its watch waits no longer. */
void hub_answered(struct hub *h, const struct config_endpoint *endpoint, int64_t since_ns);
void hub_attend(struct hub *h); /* makes the attention rows anew */

/* hub_tail.c */
uint32_t hub_tail_event(struct hub *h, struct hub_event *e); /* HUB_ bits */
void hub_tail_tick(struct hub *h, int64_t now_ns);           /* begins the next second's slot */
void hub_tail_resume(struct hub *h);                         /* there is room again */

/* hub_runs.c. Runs that were replaced stay listed until their sessions have ended. */
void hub_tail_reap(struct hub *h); /* frees the replaced runs that have ended */
bool hub_tail_join(struct hub *h); /* all replaced runs; false: one was left behind */
void hub_tail_free(struct hub *h); /* after they were joined */

struct tail_run *hub_runs_find(struct hub *h, uint32_t serial); /* NULL: it is gone */
void hub_runs_keep(struct hub *h); /* makes way for another one, for as long as that has not begun */
void hub_runs_settle(
    struct hub *h); /* once its state is another: it takes the kept one's place, or gives it back */
void hub_runs_share(struct hub *h); /* once a store of theirs has more: all stores keep to the one budget */
void hub_run_retire(struct hub *h, struct tail_run **run); /* ends it; *run is NULL then, and may be before */
void hub_run_free(struct tail_run *t);                     /* it was joined, or never started */
bool hub_run_is_browse(const struct tail_run *t);
bool hub_run_has_failed(const struct session_status *status);

#endif
