/* What workers tell the hub, and the sinks that do it. Floor 4; private to the hub.
 * Constructors run on worker threads; the UI thread uses events up and releases them. */
#ifndef SIGNALBOX_ENGINE_HUB_EVENT_H
#define SIGNALBOX_ENGINE_HUB_EVENT_H

#include "engine/filter.h"
#include "engine/queue.h"
#include "engine/session.h"
#include "model/sample.h"
#include "operations/dedupe_mark.h"

#define HUB_BATCH 64

enum hub_source_kind { HUB_SOURCE_ENDPOINT, HUB_SOURCE_PROBE, HUB_SOURCE_TAIL, HUB_SOURCE_DECODER };
enum hub_event_kind {
    HUB_EVENT_BATCH,
    HUB_EVENT_STATUS,
    HUB_EVENT_NOTICE,
    HUB_EVENT_LIST,
    HUB_EVENT_SAMPLE,
    HUB_EVENT_DECODED
};

struct hub_event {
    struct queue_item item; /* first: events travel as their items */
    enum hub_source_kind source;
    enum hub_event_kind kind;
    size_t index;    /* endpoint, probe or session of a tail */
    uint32_t serial; /* of the tail */
    union {
        struct {
            size_t count;
            struct message *messages[HUB_BATCH];
        } batch;
        struct session_status status;
        char notice[240];
        struct channel_list *list;
        struct sample sample;
    };
};

/* One session's way to the hub. Worker's, except `paused`. */
struct hub_source {
    struct queue *queue;
    enum hub_source_kind kind;
    size_t index;
    uint32_t serial;
    struct hub_event *batch; /* being filled, or refused by a full queue */
    size_t batch_bytes;
    struct dedupe_mark *mark;     /* flags duplicates, before the filter sees them; NULL: none */
    const struct filter *filter;  /* messages that it does not take go no further; NULL: all go on */
    int64_t left;                 /* so many more are taken; negative: no limit */
    size_t room;                  /* bytes that its store has left for what is stored; SIZE_MAX: it evicts */
    bool took;                    /* something, which may be larger than all the room */
    atomic_bool full;             /* there was no more room */
    atomic_uint_fast64_t unknown; /* messages of which the filter could not tell */
    atomic_bool paused;
};

void hub_source_init(struct hub_source *s, struct queue *queue, enum hub_source_kind kind, size_t index,
                     uint32_t serial);
void hub_source_free(struct hub_source *s); /* after its session ended */
struct session_sink hub_source_sink(struct hub_source *s);
bool hub_source_was_paused(struct hub_source *s);                                    /* and forgets it */
void hub_push_probe(struct queue *queue, size_t index, const struct sample *sample); /* any thread */
void hub_push_decoded(struct queue *queue);                                          /* any thread */
void hub_event_release(struct queue_item *item);
void hub_events_free(struct queue_item **list);

#endif
