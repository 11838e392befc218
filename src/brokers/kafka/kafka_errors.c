#include "brokers/kafka/kafka_internal.h"

#include "net/client_certificate.h"

#include <stdio.h>

enum err kafka_err(rd_kafka_resp_err_t e)
{
    switch (e) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return ERR_OK;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE: return ERR_AUTH;
    case RD_KAFKA_RESP_ERR__SSL: return ERR_TLS;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION: return ERR_UNREACHABLE;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT: return ERR_TIMEOUT;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION: return ERR_DENIED;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: return ERR_NOTFOUND;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: return ERR_EXISTS;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION: return ERR_UNSUPPORTED;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE: return ERR_LIMIT;
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL: return ERR_BUSY;
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT: return ERR_CONFIG;
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return ERR_USAGE;
    case RD_KAFKA_RESP_ERR__BAD_MSG: return ERR_PROTOCOL;
    default: return ERR_FAILED;
    }
}

/* A partition's leader is not known, not there or not ready: the cluster mends that by itself. */
bool kafka_is_electing(rd_kafka_resp_err_t e)
{
    return e == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || e == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           e == RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE || e == RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH ||
           e == RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH || e == RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE;
}

/* librdkafka before it answers SCRAM in a way that Kafka 4.x refuses, in the very words of a wrong password. */
#define SCRAM_MENDED 0x020601ff

static const char closed_in_handshake[] = "the connection was closed while TLS was agreed on";
static const char speaks_it_tls[] = "does this port speak TLS? If not, use kafka://";

/* What the library and the brokers say, in their words, and what that means here (seen with librdkafka 2.0.2 and Kafka
 * 3.9). First match wins. Not decisive: a guess of the library's, or what a broker that is just starting may cause too. */
static const struct meaning {
    const char *words;
    enum err code;
    bool decisive;
    const char *said; /* in the field's words; NULL: the library's will do */
    const char *next;
} meanings[] = {
    /* What another protocol answers is read as a length: "HTTP", "AMQP". */
    {"1213486160", ERR_PROTOCOL, true, "the port speaks HTTP, not Kafka", "check host and port"},
    {"1095586128", ERR_PROTOCOL, true, "the port speaks AMQP, not Kafka", "check host and port"},
    {"Invalid response size", ERR_PROTOCOL, true, "what answers does not speak Kafka", "check host and port"},
    /* Said of every port that closes. The alert of a TLS server is a byte too short for the library to look at it. */
    {"SSL listener", ERR_CLOSED, false, "the connection was closed without an answer",
     "is it TLS? Then use kafkas:// or `tls: {...}`; if not, check that the port is Kafka's"},
    {"PLAINTEXT broker listener", ERR_CLOSED, false, closed_in_handshake, speaks_it_tls},
    {"unexpected eof", ERR_CLOSED, false, closed_in_handshake, speaks_it_tls},
    {"certificate verify failed", ERR_TLS, true, NULL,
     "check tls: {ca: FILE} or ?ca=FILE, and that the name in the certificate is the host's"},
    {"wrong version number", ERR_TLS, true, "what answers there speaks no TLS",
     "use kafka:// or another port"},
    {"SSL handshake", ERR_TLS, true, NULL, "check the port, and `tls:` of this endpoint"},
    {"might require SASL", ERR_AUTH, false, NULL, "the port wants a login: give `username` and a password"},
    {"Unsupported SASL mechanism", ERR_AUTH, true, NULL,
     "set `options: {sasl.mechanisms: ...}` to one that the broker has"},
    {"Invalid username or password", ERR_AUTH, true, NULL, "check `username` and the password"},
    {"Failed to resolve", ERR_UNREACHABLE, false, NULL,
     "check the name; a cluster that answers may call its brokers by names unknown on this machine"},
    {"Connection refused", ERR_UNREACHABLE, false, NULL, "check host and port, and that the broker runs"},
};

static const struct meaning *look_up(const char *text)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strstr(text, meanings[i].words))
            return &meanings[i];
    return NULL;
}

static const char *next_of(const struct kafka_state *s, enum err code, const char *known)
{
    if (code == ERR_AUTH && s->scram)
        return rd_kafka_version() < SCRAM_MENDED
                   ? "check `username` and the password; if they are right: Kafka 4.x refuses the SCRAM of this "
                     "library (librdkafka < 2.6.1), so use PLAIN over TLS, or a newer library"
                   : "check `username`, the password and `options: {sasl.mechanisms: ...}`";
    if (known)
        return known;
    switch (code) {
    case ERR_AUTH: return "check `username`, the password and `options: {sasl.mechanisms: ...}`";
    case ERR_TLS: return "check `tls:` of this endpoint";
    case ERR_UNREACHABLE: return "check host and port, and that the broker runs";
    case ERR_TIMEOUT: return "check host, port and what lies between";
    case ERR_DENIED: return "ask for an ACL that allows this";
    default: return NULL;
    }
}

enum err kafka_fail(const struct broker *b, rd_kafka_resp_err_t e, const char *what, struct err_info *err)
{
    bool electing = kafka_is_electing(e);
    enum err code = kafka_err(e);
    const char *next = next_of(b->state, code, electing ? "try again in a moment" : NULL);
    err_set(err, code, "%s: %s", what,
            electing ? "the cluster is still electing leaders" : rd_kafka_err2str(e));
    err_where(err, "%s", b->endpoint->name);
    if (next)
        err_next(err, "%s", next);
    return code;
}

/* "[ssl://]HOST:PORT/ID: Connect to ipv4#HOST:PORT failed: WHY (after 3ms in state CONNECT, ...)" becomes "WHY (HOST:PORT)": on a
 * row of a list the reason must come first. */
static void plain_words(const char *reason, const struct meaning *known, char *into, size_t size)
{
    const char *scheme = strstr(reason, "://"), *colon = strstr(reason, ": ");
    const char *host = scheme && (!colon || scheme < colon) ? scheme + 3 : reason;
    const char *slash = colon ? memchr(host, '/', (size_t)(colon - host)) : NULL;
    const char *why = slash ? colon + 2 : reason, *failed = strstr(why, " failed: ");
    if (text_starts(why, "Connect to ") && failed)
        why = failed + strlen(" failed: ");
    if (known && known->said)
        why = known->said;
    const char *state = strstr(why, " (after ");
    int len = (int)(state ? (size_t)(state - why) : strlen(why));
    bool fits = slash && slash > host && (size_t)len + (size_t)(slash - host) + 4 <= size;
    if (fits) /* half an address would mislead */
        snprintf(into, size, "%.*s (%.*s)", len, why, (int)(slash - host), host);
    else
        snprintf(into, size, "%.*s", len, why);
}

/* The alert comes as the text of a failed receive: with TLS 1.3 after the handshake (seen with Kafka 3.9 each time). */
static bool look_up_alert(const struct kafka_state *s, const char *reason, struct meaning *into)
{
    struct client_certificate_said said;
    if (!client_certificate_alert(reason, s->certificate, &said))
        return false;
    *into = (struct meaning){.code = ERR_TLS, .decisive = true, .said = said.text, .next = said.next};
    return true;
}

void kafka_trouble_note(struct kafka_state *s, rd_kafka_resp_err_t e, const char *reason)
{
    struct kafka_trouble *t = &s->trouble;
    struct meaning alert;
    if (e == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        if (!t->all_down_ns)
            t->all_down_ns = clock_mono_ns();
        if (t->code)
            return;
    }
    const struct meaning *known = look_up_alert(s, reason, &alert) ? &alert : look_up(reason);
    enum err code = known ? known->code : kafka_err(e);
    bool decisive = known ? known->decisive : code == ERR_AUTH || code == ERR_TLS;
    if (t->code && t->decisive && !decisive)
        return;
    t->code = code;
    t->decisive = decisive;
    t->next = known ? known->next : NULL;
    plain_words(reason, known, t->text, sizeof t->text);
}

/* The library guesses at wrong security settings when a connection breaks; one that was up knows better. */
enum err kafka_lost(const struct broker *b, struct err_info *err)
{
    const struct kafka_state *s = b->state;
    const struct kafka_trouble *t = &s->trouble;
    bool guess = t->code == ERR_CLOSED || strstr(t->text, "Disconnected") || !t->text[0];
    err_set(err, ERR_CLOSED, "no broker answers any more: %s", guess ? "the connection was closed" : t->text);
    err_where(err, "%s", b->endpoint->name);
    return ERR_CLOSED;
}

enum err kafka_trouble_fail(const struct broker *b, struct err_info *err)
{
    const struct kafka_state *s = b->state;
    const struct kafka_trouble *t = &s->trouble;
    const char *next = next_of(s, t->code, t->next);
    err_set(err, t->code, "%s", t->text);
    err_where(err, "%s", b->endpoint->name);
    if (next)
        err_next(err, "%s", next);
    return t->code;
}
