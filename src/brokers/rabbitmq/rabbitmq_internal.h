/* What the files of this folder share. A session's worker calls everything here. */
#ifndef SIGNALBOX_BROKERS_RABBITMQ_INTERNAL_H
#define SIGNALBOX_BROKERS_RABBITMQ_INTERNAL_H

#include "base/arena.h"
#include "brokers/rabbitmq/rabbitmq.h"
#include "brokers/rabbitmq/rabbitmq_library.h"
#include "model/field.h"

#include <pthread.h>

#define RABBIT_CHANNEL       1
#define RABBIT_PROBE_CHANNEL 2 /* for questions whose answer may close the channel */
#define RABBIT_HEARTBEAT_S   30
#define RABBIT_RPC_S         10 /* what the broker has to answer in */
#define RABBIT_MOST_CHANNELS 32

struct http_client;
struct rabbit_lease;
struct rabbit_reader;
struct rabbit_writer;

struct rabbit {
    amqp_connection_state_t connection; /* NULL: not open */
    int fd;                             /* of its socket, our own: the library closes another one; -1: none */
    pthread_mutex_t cut_lock; /* zeroed is unlocked and ready (glibc), since interrupt may come before open */
    bool may_cut;             /* under cut_lock; see rabbit_may_cut */
    bool asked;               /* within the TLS handshake, for a client certificate */
    bool stands;              /* under cut_lock: there is a connection, which fd is of */
    bool logged_in;
    bool lost;       /* nothing is answered any more: what waits for an answer waits in vain */
    bool silent;     /* it is lost because the broker left a question unanswered */
    bool blocked;    /* connection.blocked: an alarm stops publishers */
    int64_t beat_ns; /* monotonic: when a paused reader owes the next heartbeat */
    char version[32];
    /* management API */
    struct http_client *http;
    char api[512];     /* base URL, without /api; "" none */
    bool api_refused;  /* tried once, and it will not work */
    bool api_answers;  /* it has, on this connection: when it is slow it is asked again */
    bool api_knows_us; /* login and tag are good for something: what it refuses, it refuses for that path */
    bool said_no_alarms;
    enum err api_code;
    char api_why[200]; /* why, in one sentence */
    struct rabbit_reader *reader;
    struct rabbit_writer *writer;
    struct rabbit_lease *lease; /* then the reader is what it knows of its queue */
    amqp_channel_t channels;    /* the highest that was opened, beyond those above; 0: none */
};

/* ---- AMQP (rabbitmq_amqp.c) ---- */

enum err rabbit_connect(struct broker *b, struct err_info *err) SB_MUST_USE;
void rabbit_disconnect(struct broker *b);
void rabbit_interrupt(struct broker *b); /* any thread */
/* The library waits for the server's answers (login, declarations, bindings), and a frozen server gives none. While this is on, a
 * cancel ends such a wait by ending the connection; so never while messages are held that must be given back. False: there was a
 * cancel already, and it stays off. */
bool rabbit_may_cut(struct broker *b, bool on);
/* From now on that connection can be cut; fd stays the library's. Until rabbit_disconnect. */
enum err rabbit_keep_socket(struct broker *b, int fd, struct err_info *err) SB_MUST_USE;
/* Our error for a reply of the library; what: "tap queue", for the sentence. The channel is opened again where the server
 * closed it. ERR_OK for a normal reply. */
enum err rabbit_reply(struct broker *b, amqp_rpc_reply_t reply, const char *what, struct err_info *err);
enum err rabbit_last_reply(struct broker *b, const char *what, struct err_info *err);
/* The same of another channel. */
enum err rabbit_reply_on(struct broker *b, amqp_channel_t channel, amqp_rpc_reply_t reply, const char *what,
                         struct err_info *err);
enum err rabbit_status(struct broker *b, int status, struct err_info *err); /* amqp_status_enum */
/* Says that the broker gives no sign of life, with which the connection is lost. ERR_TIMEOUT. */
enum err rabbit_unanswered(struct broker *b, struct err_info *err);
/* Waits until frames can be read, wake_fd is readable or the time is over; sends heartbeats when due. */
void rabbit_wait(struct broker *b, int timeout_ms);
/* The same for a paused reader: what waits in the socket wakes nobody, and heartbeats go out all the same. */
enum err rabbit_wait_paused(struct broker *b, int timeout_ms, struct err_info *err) SB_MUST_USE;
/* Handles a frame that is no delivery: closes, blocked, cancel. */
enum err rabbit_other_frame(struct broker *b, const amqp_frame_t *frame, struct err_info *err) SB_MUST_USE;
/* Closes the probe channel after the answer to a question. ERR_NOTFOUND, or ERR_FAILED: the broker refused, and said why. */
enum err rabbit_probe_end(struct broker *b, amqp_rpc_reply_t reply, char *said, size_t size);
/* ERR_NOTFOUND: there is no such exchange. On a channel of its own, so that the reading one stays open. */
enum err rabbit_probe_exchange(struct broker *b, const char *name);
/* Takes whatever is there without waiting; for sessions that have nothing open. */
enum err rabbit_serve(struct broker *b, struct err_info *err) SB_MUST_USE;
/* What is left until the deadline, as the library takes it. */
struct timeval rabbit_time_left(const struct broker *b);
/* Of what failed at one host, the endpoint says it; "HOST: why" of the dialer, whose place is HOST:PORT, becomes "why (HOST:PORT)". */
enum err rabbit_say_host(const struct broker *b, const char *host, struct err_info *err);
amqp_bytes_t rabbit_text(const char *text);
/* A text that the server has told of itself when it was connected to; into stays as it is where it has not. */
void rabbit_server_says(const struct rabbit *r, const char *property, char *into, size_t size);
char *rabbit_copy(char *into, size_t size, amqp_bytes_t from);

/* ---- TLS (rabbitmq_tls.c) ---- */

/* Gives the connection, which has no socket yet, one over TLS; r->fd is it. */
enum err rabbit_open_tls(struct broker *b, const char *host, int port, struct err_info *err) SB_MUST_USE;
/* After a handshake or a login that failed: the server misses a client certificate or refuses ours, as far as that can be known. Fills
 * err and gives its code; ERR_OK: it is something else. */
enum err rabbit_certificate_refused(struct broker *b, struct err_info *err);

/* ---- what the broker hands out (rabbitmq_delivery.c) ---- */

/* Borrows from the connection until its buffers are released (amqp_maybe_release_buffers), but for what is owned. */
struct rabbit_delivery {
    amqp_channel_t channel;
    uint64_t tag;
    bool redelivered;
    amqp_bytes_t consumer, exchange, routing_key; /* consumer: its tag */
    const amqp_basic_properties_t *properties;
    struct bytes body;
    uint8_t *owned;       /* a body of several frames */
    struct message *kept; /* then: what rabbit_message makes of the rest, since the frames are gone */
    char consumer_text[32];
};
enum rabbit_came { RABBIT_NOTHING, RABBIT_DELIVERY, RABBIT_OTHER };
/* The next frame, or the delivery that it begins, which the caller frees. RABBIT_OTHER: the frame is the caller's to handle. */
enum err rabbit_receive(struct broker *b, int timeout_ms, struct rabbit_delivery *d, amqp_frame_t *frame,
                        enum rabbit_came *came, struct err_info *err) SB_MUST_USE;
/* The properties and the body that follow a method which carries a message, whose own members the caller has set (zeroed: it has none);
 * nothing is to be freed where it fails. */
enum err rabbit_content(struct broker *b, struct rabbit_delivery *d, struct err_info *err) SB_MUST_USE;
void rabbit_delivery_free(struct rabbit_delivery *d);

/* ---- typed tables and messages (rabbitmq_table.c) ---- */

struct headers rabbit_headers(const amqp_table_t *table, struct arena *arena);
bool rabbit_table(struct headers headers, struct arena *arena,
                  amqp_table_t *table); /* false: out of memory */
/* Properties (the routing key is one: AMQP has no message key), headers, payload, id and time of a delivered message; slices
 * borrow from it and from the arena. */
void rabbit_message(struct message *m, const struct rabbit_delivery *d, struct arena *arena);
/* What the type of that property is on the wire, where a table carries it as another integer (the firehose does); and the id
 * and time that a property of that name gives the message. */
struct value rabbit_property(struct message *m, const struct header *property);
/* Headers in which the broker counts for itself how often a message was given out (the driver's `counters`). */
extern const char *const rabbit_counters[];
/* The other way. exchange and routing_key of the original are not part of it, nor are those counters. */
enum err rabbit_properties(const struct message *m, struct arena *arena, amqp_basic_properties_t *to,
                           struct err_info *err) SB_MUST_USE;

/* ---- management API (rabbitmq_management.c) ---- */

/* A parsed answer; the tree lives in the arena. */
struct rabbit_answer {
    struct arena arena;
    struct field_tree tree;
    struct buffer *body;
};
/* GET or PUT of a path below /api; what the API refuses for good is remembered. answer may be NULL. */
enum err rabbit_api(struct broker *b, const char *method, const char *path, const char *json,
                    struct rabbit_answer *answer, struct err_info *err) SB_MUST_USE;
void rabbit_answer_free(struct rabbit_answer *a);
/* Members of an object by name; NULL where there is none. */
const struct field *rabbit_member(const struct rabbit_answer *a, const struct field *object,
                                  const char *name);
int64_t rabbit_number(const struct rabbit_answer *a, const struct field *object,
                      const char *name); /* what can be counted; COUNT_UNKNOWN: it is none */
/* Of one of the statistics, as "publish_details"; -1: none. */
double rabbit_rate(const struct rabbit_answer *a, const struct field *stats, const char *name);
bool rabbit_truth(const struct rabbit_answer *a, const struct field *object, const char *name);
char *rabbit_string(const struct rabbit_answer *a, const struct field *object, const char *name, char *into,
                    size_t size);
const struct field *rabbit_first(const struct rabbit_answer *a, const struct field *list);
const struct field *rabbit_next(const struct rabbit_answer *a, const struct field *list,
                                const struct field *item);
/* "queues/VHOST/NAME" with both percent-encoded; NAME NULL: without it. */
void rabbit_path(const struct broker *b, char *into, size_t size, const char *kind, const char *name,
                 const char *rest);

enum err rabbit_list(struct broker *b, const char *pattern, uint32_t flags, struct channel_list *list,
                     struct err_info *err) SB_MUST_USE;
/* ---- whether it lives (rabbitmq_health.c) ---- */

/* One round trip without any effect, by the broker's deadline and within eight seconds: a frozen broker keeps its connections, and of
 * its heartbeats two must be missed. ERR_TIMEOUT: the connection is lost. */
enum err rabbit_ask(struct broker *b, struct err_info *err) SB_MUST_USE;
/* The same of a connection that is read from, where the answer comes behind messages, which a slow line takes its time for: any byte is a
 * sign of life. The answer is left to the frame loop, which ignores it. */
enum err rabbit_listen(struct broker *b, struct err_info *err) SB_MUST_USE;
/* While this is on, the answer to a question may take as long as anything comes (two heartbeats of silence end it); so only where it can
 * be cut, see rabbit_may_cut. */
void rabbit_be_patient(struct broker *b, bool on);
enum err rabbit_ping(struct broker *b, struct sample *sample, struct err_info *err);
/* By the management API, where it tells: they make what is up degraded. */
void rabbit_look_for_alarms(struct broker *b, struct sample *sample);

/* ---- what a channel is (rabbitmq_find.c) ---- */

struct rabbit_channel {
    enum channel_kind kind; /* QUEUE, STREAM or EXCHANGE */
    char type[64];          /* "classic" "quorum" "stream"; an exchange's type; "" unknown */
    int64_t depth;          /* messages ready; COUNT_UNKNOWN */
    int64_t consumers;
    int64_t unacked; /* with consumers, or on their way back; COUNT_UNKNOWN */
    int64_t
        delivery_limit; /* -1: none, or not known: the smallest of argument, effective definition and policies */
    bool limit_unknown;  /* policies that may set one could not be read */
    int64_t redelivered; /* deliveries of returned messages, ever, over all of them; COUNT_UNKNOWN */
    bool exclusive, single_active, auto_delete;
    bool by_amqp; /* the management API did not tell */
};
/* ERR_NOTFOUND with the nearest name where the management API knows names; ERR_USAGE: a queue and an exchange are called so, and
 * the name says no kind, or it is no stream. */
enum err rabbit_find(struct broker *b, const struct channel_name *name, struct rabbit_channel *found,
                     struct err_info *err) SB_MUST_USE;
/* A queue's or stream's depth and consumers; its type and kind where the broker tells it, else "" and CHANNEL_ANY. */
enum err rabbit_find_queue_by_amqp(struct broker *b, const char *name, struct rabbit_channel *found,
                                   struct err_info *err) SB_MUST_USE;
/* How many are ready now. (rabbitmq_take.c) */
enum err rabbit_ready_on(struct broker *b, amqp_channel_t channel, const char *queue, bool quorum,
                         int64_t *ready, int64_t *consumers, struct err_info *err) SB_MUST_USE;
enum err rabbit_ready(struct broker *b, const char *queue, int64_t *ready, int64_t *consumers,
                      struct err_info *err) SB_MUST_USE;
/* Without any effect: "classic", "quorum" or "stream"; "" it cannot be known. (rabbitmq_type.c) */
enum err rabbit_ask_type(struct broker *b, const char *queue, char *type, size_t size);
/* Lowers *limit (-1: none) to the smallest of all policies for that queue. (rabbitmq_policies.c) */
enum err rabbit_policy_limit(struct broker *b, const char *queue, int64_t *limit,
                             struct err_info *err) SB_MUST_USE;
/* Of kind "policies" or "operator-policies" the definition that wins for that queue; NULL: none matches. Unless it fails *a, whose it
 * is, is the caller's to free. */
enum err rabbit_policy_of(struct broker *b, const char *kind, const char *queue, const char *type,
                          struct rabbit_answer *a, const struct field **definition,
                          struct err_info *err) SB_MUST_USE;
/* The default exchange, which has no name, and `amq.default` in the management API. */
bool rabbit_is_default(const struct channel_name *name);
/* An exchange of that type gives each message to one of its queues: a tap there would take a share from the others. */
bool rabbit_exchange_steals(const char *type);
/* One of that type gives its last messages to each new binding, as if they came now. */
bool rabbit_exchange_repeats(const char *type);

/* ---- what a dry run asks (rabbitmq_routes.c) ---- */

/* Whether the login may send to an exchange ("": the default one), without any effect. False: that is not known. True: err has
 * ERR_OK, or what sending would fail with. Permissions on topics are not asked. */
bool rabbit_ask_write(struct broker *b, const char *exchange, struct err_info *err);
/* What is bound to an exchange, for a dry run. NULL: unknown, or what it does not route is passed on. */
struct rabbit_routes *rabbit_routes_new(struct broker *b, const char *exchange);
void rabbit_routes_free(struct rabbit_routes **r);
/* A message with that key would be sent; what is certain not to arrive is counted, and said at the end. r may be NULL. */
void rabbit_routes_take(struct rabbit_routes *r, struct bytes key);
void rabbit_routes_say(const struct rabbit_routes *r, const char *exchange, const struct publish_sink *sink);

/* ---- what is on its way (rabbitmq_claim.c, rabbitmq_barrier.c) ---- */

#define RABBIT_CLAIM "signalbox.claim." /* of the queues that claims make */
/* Waits until no other session has that claim; then it is that channel's until it ends. ERR_BUSY: not by the deadline. */
enum err rabbit_claim(struct broker *b, amqp_channel_t channel, const char *claim,
                      const struct publish_sink *sink, struct err_info *err) SB_MUST_USE;
/* What that channel, or one that has ended, has sent to a quorum queue is dealt with when this returns. rounds: 2 where more than 32 of
 * its acknowledgements may be under way, else 1. */
enum err rabbit_barrier(struct broker *b, amqp_channel_t channel, const char *queue, int rounds,
                        struct err_info *err) SB_MUST_USE;

/* ---- what a message may not have (rabbitmq_checks.c) ---- */

/* Any error is the message's own; the session goes on. */
enum err rabbit_check_message(const struct broker *b, const struct message *m, bool to_stream,
                              struct err_info *err) SB_MUST_USE;
/* Its properties must fit into one frame; they are borrowed. */
enum err rabbit_check_room(const struct broker *b, struct arena *arena, amqp_basic_properties_t *properties,
                           struct err_info *err) SB_MUST_USE;

/* ---- reading and publishing ---- */

/* Switches off what a killed process has left on, and says so. After each connect. */
void rabbit_firehose_clean(struct broker *b);
enum err rabbit_read_open(struct broker *b, const struct read_request *r, const struct read_sink *sink,
                          struct err_info *err) SB_MUST_USE;
enum err rabbit_read_step(struct broker *b, int timeout_ms, struct err_info *err) SB_MUST_USE;
void rabbit_read_pause(struct broker *b, bool pause);
void rabbit_read_progress(struct broker *b, struct read_progress *progress);
void rabbit_read_places(struct broker *b, struct read_places *places); /* of streams alone */
enum err rabbit_read_close(struct broker *b, struct err_info *err) SB_MUST_USE;

enum err rabbit_publish_open(struct broker *b, const struct publish_request *request,
                             const struct publish_sink *sink, struct err_info *err) SB_MUST_USE;
enum err rabbit_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                        struct err_info *err) SB_MUST_USE;
enum err rabbit_publish_step(struct broker *b, int timeout_ms, size_t *pending,
                             struct err_info *err) SB_MUST_USE;
void rabbit_publish_close(struct broker *b);

/* ---- leasing (rabbitmq_lease.c, rabbitmq_settle.c), counting and purging (rabbitmq_count.c) ---- */

enum err rabbit_lease_open(struct broker *b, const struct lease_request *request,
                           const struct lease_sink *sink, struct err_info *err) SB_MUST_USE;
enum err rabbit_lease_step(struct broker *b, int timeout_ms, struct err_info *err) SB_MUST_USE;
void rabbit_lease_pause(struct broker *b, bool pause);
enum err rabbit_settle(struct broker *b, uint64_t handle, enum settle how, struct err_info *err) SB_MUST_USE;
enum err rabbit_settle_sync(struct broker *b, struct err_info *err) SB_MUST_USE;
enum err rabbit_lease_close(struct broker *b, int64_t *returned, struct err_info *err) SB_MUST_USE;
enum err rabbit_count(struct broker *b, const struct channel_name *channel, int64_t *ready, int64_t *unacked,
                      struct err_info *err) SB_MUST_USE;
/* By arguments and policies, as the management API tells. (rabbitmq_bounds.c) */
enum err rabbit_bounds(struct broker *b, const struct channel_name *channel, struct channel_bounds *into,
                       struct err_info *err) SB_MUST_USE;
enum err rabbit_truncate(struct broker *b, const struct channel_name *channel,
                         const struct read_places *up_to, int64_t *removed, struct err_info *err) SB_MUST_USE;
/* The next channel of the connection that nothing else uses. 0: it could not be opened. */
amqp_channel_t rabbit_new_channel(struct broker *b, struct err_info *err);

#endif
