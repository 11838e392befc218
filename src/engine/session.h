/* A session: one worker thread, one broker connection, one purpose. Floor 4.
 *
 * The worker opens the driver, does its job, and on errors with policy RETRY closes, waits (back-off 0.5 s doubling to 30 s,
 * +-25 % jitter) and opens again with the next generation, if the job asks for that. Everything it has to say goes to one
 * session_sink, called on the worker thread; the console's sink pushes into its queue, the command line's prints. */
#ifndef SIGNALBOX_ENGINE_SESSION_H
#define SIGNALBOX_ENGINE_SESSION_H

#include "engine/redact.h"
#include "engine/secret.h"
#include "model/broker.h"

enum session_state { SESSION_CONNECTING, SESSION_UP, SESSION_BACKOFF, SESSION_ENDED };

/* After a lost connection: what came meanwhile is missing of all channels, of those that the broker does not keep, of none; or
 * a channel was deleted and made anew, and is read from its beginning. */
enum session_gap { GAP_ALL, GAP_PART, GAP_NONE, GAP_ANEW };

struct session_status {
    enum session_state state;
    uint32_t generation;           /* counts opens, from 1 */
    bool was_up;                   /* a reading job: it was up before this state */
    int64_t since_ns;              /* wall clock of this state */
    int64_t retry_at_ns;           /* wall clock, BACKOFF only */
    enum session_gap gap;          /* UP again after a loss */
    struct err_info err;           /* BACKOFF and ENDED by failure; code is ERR_OK or ERR_END otherwise */
    struct read_progress progress; /* of a reading job */
};

struct session_sink {
    void *context;
    /* A message, borrowed. What it returns goes to the driver; after EMIT_PAUSE call session_resume when there is room. */
    enum emit (*message)(void *context, const struct message *borrowed);
    /* Hand on what is batched: the source has nothing more for now, or there may be room again. False: there is no room, and
     * session_resume will be called; a paused source stays so. May be NULL. */
    bool (*idle)(void *context);
    void (*status)(void *context, const struct session_status *status);
    void (*notice)(void *context, const char *text);
    void (*listed)(void *context, struct channel_list *list); /* watching job; takes the reference over */
    void (*sampled)(void *context, const struct sample *sample);
};

enum job_kind {
    JOB_READ,  /* tap or browse */
    JOB_WATCH, /* open, ping and list every interval: the broker's probe and its channels */
};

struct job {
    enum job_kind kind;
    bool reconnect;                    /* go on after RETRY errors; always true makes sense for the console */
    struct read_request read;          /* JOB_READ; strings must outlive the session */
    const struct redaction *redaction; /* JOB_READ: what is hidden; NULL: nothing, as archives need it */
    const char *pattern;               /* JOB_WATCH: channels to list, NULL all */
    uint32_t list_flags;
    int64_t every_ns, timeout_ns; /* JOB_WATCH */
    /* Worker, before each connection: finds the password; it may take its time. A server that refuses it is told to
     * secret_refused. NULL, or nothing found: the endpoint's own counts. */
    enum err (*prepare)(void *context, const struct endpoint *endpoint, struct secret *into,
                        struct err_info *err) SB_MUST_USE;
    void *prepare_context;
};

struct session;

/* Starts the worker. endpoint, ops and the job's strings must outlive it. NULL with *err. */
struct session *session_start(const struct broker_ops *ops, const struct endpoint *endpoint,
                              const struct job *job, const struct session_sink *sink, struct err_info *err);
void session_resume(struct session *s);  /* any thread: there is room again after EMIT_PAUSE */
void session_refresh(struct session *s); /* any thread: list and ping now; retry now when in back-off */
void session_cancel(struct session *s);  /* any thread: end soon; returns at once */
/* Waits for the worker to end (a cancelled one gets 5 s, then it is left behind and false comes back: the driver's library
 * does not return; its memory is given up on purpose). Nulls *s. */
bool session_join(struct session **s);

#endif
