/* The connection: dialling, login, the frame loop, and what errors mean. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/log.h"
#include "base/text.h"
#include "net/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEARTBEAT_EVERY_NS (RABBIT_HEARTBEAT_S * NS_PER_S / 2)

amqp_bytes_t rabbit_text(const char *text)
{
    return amqp_cstring_bytes(text ? text : "");
}

char *rabbit_copy(char *into, size_t size, amqp_bytes_t from)
{
    return text_copy_bytes(into, size, bytes_of(from.bytes ? from.bytes : "", from.len));
}

/* ---- errors ---- */

static enum err meaning(int code, const char *text)
{
    switch (code) {
    case AMQP_ACCESS_REFUSED: return strstr(text, "Login was refused") ? ERR_AUTH : ERR_DENIED;
    case AMQP_NOT_FOUND: return ERR_NOTFOUND;
    case AMQP_NOT_ALLOWED: /* 530: also how a vhost that is not there, or not for us, is refused */
        return strstr(text, "not found") ? ERR_NOTFOUND : ERR_DENIED;
    case AMQP_RESOURCE_LOCKED:
        return ERR_UNSUPPORTED; /* another connection's queue, or its only consumer's */
    case AMQP_CONNECTION_FORCED: return ERR_CLOSED;
    case AMQP_NOT_IMPLEMENTED: return ERR_UNSUPPORTED;
    default: return ERR_FAILED;
    }
}

static enum err server_said(const struct broker *b, int code, amqp_bytes_t text, const char *what,
                            struct err_info *err)
{
    char said[256];
    rabbit_copy(said, sizeof said, text);
    enum err e = meaning(code, said);
    size_t len = strlen(said);
    if (len && said[len - 1] == '.') /* more follows it */
        said[len - 1] = '\0';
    err_set(err, e, "%s: %d %s", what, code, said);
    err_where(err, "%s", b->endpoint->name);
    if (e == ERR_AUTH)
        err_next(
            err,
            "check username and password (password_env, password_file, or SIGNALBOX_PASSWORD for a URL)");
    else if (e == ERR_DENIED)
        err_next(err, "ask for the permission: rabbitmqctl list_permissions shows what the user has");
    return e;
}

enum err rabbit_unanswered(struct broker *b, struct err_info *err)
{
    struct rabbit *r = b->state;
    r->lost = r->silent = true;
    shutdown(r->fd, SHUT_RDWR); /* the broker learns it now, not when our descriptor is closed */
    err_set(err, ERR_TIMEOUT, "the broker does not answer");
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "is the broker overloaded or stopped, or the network cut?");
    return ERR_TIMEOUT;
}

enum err rabbit_status(struct broker *b, int status, struct err_info *err)
{
    struct rabbit *r = b->state;
    enum err e = ERR_CLOSED;
    if (status == AMQP_STATUS_OK || status == AMQP_STATUS_TIMEOUT)
        return ERR_OK;
    if (status == AMQP_STATUS_NO_MEMORY)
        e = ERR_NOMEM;
    else if (status == AMQP_STATUS_SSL_PEER_VERIFY_FAILED ||
             status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED || status == AMQP_STATUS_SSL_CONNECTION_FAILED)
        e = ERR_TLS;
    else if (status == AMQP_STATUS_BAD_AMQP_DATA || status == AMQP_STATUS_INVALID_PARAMETER)
        e = ERR_FORMAT; /* the same message would come again after reconnecting */
    if (status == AMQP_STATUS_HEARTBEAT_TIMEOUT || (r->silent && e == ERR_CLOSED))
        return rabbit_unanswered(b, err);
    r->lost |= e == ERR_CLOSED;
    err_set(err, e, e == ERR_FORMAT ? "a message that rabbitmq-c cannot take apart: %s" : "%s",
            amqp_error_string2(status));
    err_where(err, "%s", b->endpoint->name);
    if (e == ERR_TLS)
        err_next(err,
                 "check tls: {ca: FILE} or ?ca=FILE, and that the name in the certificate is the host's");
    return e;
}

/* The server waits for this answer alone, and gives none any more. */
static enum err connection_closed(struct broker *b, const amqp_connection_close_t *m, const char *what,
                                  struct err_info *err)
{
    struct rabbit *r = b->state;
    amqp_connection_close_ok_t ok = {0};
    enum err e = server_said(b, m->reply_code, m->reply_text, what, err);
    amqp_send_method(r->connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
    r->lost = true;
    return e;
}

/* The server closes a channel for one wrong question; the answer is owed, then the channel opens anew. */
static void reopen_channel(struct broker *b, amqp_channel_t channel)
{
    struct rabbit *r = b->state;
    amqp_channel_close_ok_t ok = {0};
    amqp_send_method(r->connection, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    amqp_channel_open(r->connection, channel);
}

enum err rabbit_reply(struct broker *b, amqp_rpc_reply_t reply, const char *what, struct err_info *err)
{
    return rabbit_reply_on(b, RABBIT_CHANNEL, reply, what, err);
}

enum err rabbit_reply_on(struct broker *b, amqp_channel_t channel, amqp_rpc_reply_t reply, const char *what,
                         struct err_info *err)
{
    struct rabbit *r = b->state;
    enum err e;
    switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL: return ERR_OK;
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        e = rabbit_status(b, reply.library_error, err);
        if (e)
            return e;
        rabbit_unanswered(b, NULL);
        return err_set(err, ERR_TIMEOUT, "%s: no answer in time", what);
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
            const amqp_channel_close_t *m = reply.reply.decoded;
            e = server_said(b, m->reply_code, m->reply_text, what, err);
            reopen_channel(b, channel);
            return e;
        }
        if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD)
            return connection_closed(b, reply.reply.decoded, what, err);
        return err_set(err, ERR_PROTOCOL, "%s: an answer that nobody asked for", what);
    default: r->lost = true; return err_set(err, ERR_CLOSED, "%s: the broker closed the connection", what);
    }
}

enum err rabbit_last_reply(struct broker *b, const char *what, struct err_info *err)
{
    struct rabbit *r = b->state;
    return rabbit_reply(b, amqp_get_rpc_reply(r->connection), what, err);
}

amqp_channel_t rabbit_new_channel(struct broker *b, struct err_info *err)
{
    struct rabbit *r = b->state;
    if (!r->channels)
        r->channels = RABBIT_PROBE_CHANNEL;
    amqp_channel_open(r->connection, ++r->channels);
    return rabbit_last_reply(b, "opening a channel", err) ? 0 : r->channels;
}

enum err rabbit_probe_end(struct broker *b, amqp_rpc_reply_t reply, char *said, size_t size)
{
    struct rabbit *r = b->state;
    amqp_channel_close_ok_t ok = {0};
    *said = '\0';
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *m = reply.reply.decoded;
        bool missing = m->reply_code == AMQP_NOT_FOUND;
        rabbit_copy(said, size, m->reply_text);
        amqp_send_method(r->connection, RABBIT_PROBE_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
        return missing ? ERR_NOTFOUND : ERR_FAILED;
    }
    if (rabbit_reply(b, reply, "a question", NULL))
        return ERR_CLOSED;
    amqp_channel_close(r->connection, RABBIT_PROBE_CHANNEL, AMQP_REPLY_SUCCESS);
    return ERR_OK;
}

enum err rabbit_probe_exchange(struct broker *b, const char *name)
{
    struct rabbit *r = b->state;
    char said[256];
    amqp_channel_open(r->connection, RABBIT_PROBE_CHANNEL);
    if (rabbit_last_reply(b, "opening a channel", NULL))
        return ERR_CLOSED;
    amqp_exchange_declare(r->connection, RABBIT_PROBE_CHANNEL, rabbit_text(name), rabbit_text("direct"), 1, 0,
                          0, 0, amqp_empty_table);
    return rabbit_probe_end(b, amqp_get_rpc_reply(r->connection), said, sizeof said);
}

/* ---- the socket, which others may cut ---- */

bool rabbit_may_cut(struct broker *b, bool on)
{
    struct rabbit *r = b->state;
    pthread_mutex_lock(&r->cut_lock);
    bool cancelled = atomic_load(b->cancelled);
    r->may_cut = on && !cancelled;
    pthread_mutex_unlock(&r->cut_lock);
    return !cancelled;
}

static void set_stands(struct rabbit *r, bool stands)
{
    pthread_mutex_lock(&r->cut_lock);
    r->stands = stands;
    pthread_mutex_unlock(&r->cut_lock);
}

/* The library closes its descriptor without a word (a question that times out, a login that fails), and the next file of the process
 * gets that number. */
enum err rabbit_keep_socket(struct broker *b, int fd, struct err_info *err)
{
    struct rabbit *r = b->state;
    r->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (r->fd < 0)
        return err_set(err, ERR_IO, "no descriptor for a socket: %s", strerror(errno));
    set_stands(r, true);
    return ERR_OK;
}

void rabbit_interrupt(struct broker *b)
{
    struct rabbit *r = b->state;
    bool given_up = b->given_up && atomic_load(b->given_up);
    pthread_mutex_lock(&r->cut_lock);
    if (r->stands && (given_up || (r->may_cut && atomic_load(b->cancelled))))
        shutdown(r->fd, SHUT_RDWR);
    pthread_mutex_unlock(&r->cut_lock);
}

/* ---- connecting ---- */

struct timeval rabbit_time_left(const struct broker *b)
{
    int ms = clock_poll_ms(b->deadline_ns);
    if (ms <= 0)
        ms = 1;
    return (struct timeval){ms / 1000, ms % 1000 * 1000};
}

static bool wants_tls(const struct endpoint *e)
{
    return e->tls.on || (e->url.scheme && strcmp(e->url.scheme, "rabbitmqs") == 0);
}

enum err rabbit_say_host(const struct broker *b, const char *host, struct err_info *err)
{
    const struct err_info said = *err;
    size_t len = strlen(host);
    bool twice = text_starts(said.text, host) && text_starts(said.text + len, ": ");
    err_set(err, said.code, "%s (%s)", said.text + (twice ? len + 2 : 0), said.where);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "%s", said.next);
    return said.code;
}

static enum err open_plain(struct broker *b, const char *host, int port, struct err_info *err)
{
    struct rabbit *r = b->state;
    int fd = dial_tcp(host, port, b->deadline_ns, b->wake_fd, NULL, err);
    if (fd < 0)
        return rabbit_say_host(b, host, err);
    amqp_socket_t *socket = amqp_tcp_socket_new(r->connection);
    if (!socket) {
        close(fd);
        return err_set(err, ERR_NOMEM, "no memory for a socket");
    }
    amqp_tcp_socket_set_sockfd(socket, fd);
    return rabbit_keep_socket(b, fd, err);
}

static amqp_table_entry_t truth_entry(const char *name)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(name)};
    e.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    e.value.value.boolean = 1;
    return e;
}

static amqp_table_entry_t text_entry(const char *name, const char *value)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(name)};
    e.value.kind = AMQP_FIELD_KIND_UTF8;
    e.value.value.bytes = amqp_cstring_bytes(value);
    return e;
}

/* "a socket error occurred" is all that the library says of a peer that hangs up at the greeting. */
static void say_no_amqp(const struct broker *b, struct err_info *err)
{
    bool tls = wants_tls(b->endpoint);
    err_set(err, ERR_CLOSED, "the peer hung up at the greeting: it may not speak AMQP%s here",
            tls ? "" : " without TLS");
    err_where(err, "%s", b->endpoint->name);
    err_next(err,
             tls ? "is this an AMQP port?" : "a TLS port wants rabbitmqs://; else: is this an AMQP port?");
}

/* Administrators see who we are, and we are told when publishing is blocked or a queue goes away. */
static enum err login(struct broker *b, struct err_info *err)
{
    struct rabbit *r = b->state;
    const struct endpoint *e = b->endpoint;
    amqp_table_entry_t capabilities[] = {
        truth_entry("authentication_failure_close"), truth_entry("connection.blocked"),
        truth_entry("consumer_cancel_notify"),       truth_entry("basic.nack"),
        truth_entry("publisher_confirms"),           truth_entry("exchange_exchange_bindings"),
    };
    amqp_table_entry_t properties[] = {
        text_entry("product", "signalbox"),
        text_entry("version", SIGNALBOX_VERSION),
        text_entry("connection_name", "signalbox"),
        {.key = amqp_cstring_bytes("capabilities"), .value = {.kind = AMQP_FIELD_KIND_TABLE}},
    };
    properties[3].value.value.table =
        (amqp_table_t){sizeof capabilities / sizeof *capabilities, capabilities};
    amqp_table_t table = {sizeof properties / sizeof *properties, properties};
    struct timeval timeout = rabbit_time_left(b), rpc = {RABBIT_RPC_S, 0};
    amqp_set_handshake_timeout(r->connection, &timeout);
    amqp_set_rpc_timeout(r->connection, &rpc);
    const char *user = e->username && e->username[0] ? e->username : "guest";
    const char *password = e->password ? e->password : strcmp(user, "guest") == 0 ? "guest" : "";
    amqp_rpc_reply_t reply =
        amqp_login_with_properties(r->connection, e->vhost ? e->vhost : "/", 0, 131072, RABBIT_HEARTBEAT_S,
                                   &table, AMQP_SASL_METHOD_PLAIN, user, password);
    enum err code = rabbit_reply(b, reply, "login", err);
    r->logged_in = !code;
    if (code == ERR_FORMAT) /* of a login, which the broker speaks first in */
        code = err_set(err, ERR_PROTOCOL, "login: what answers there speaks no AMQP 0-9-1");
    bool hung_up = code == ERR_CLOSED && reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION;
    enum err refused = hung_up && wants_tls(e) ? rabbit_certificate_refused(b, err) : ERR_OK;
    if (refused)
        code = refused;
    else if (hung_up)
        say_no_amqp(b, err);
    else if (code == ERR_CLOSED || code == ERR_PROTOCOL)
        err_next(err, "is this an AMQP port? TLS ports want rabbitmqs://");
    if (code == ERR_TIMEOUT)
        err_next(err, "check host and port, that RabbitMQ speaks AMQP there, and what lies between");
    if (code == ERR_NOTFOUND)
        err_next(err, "the first part of the path is the vhost, %%2f the one that is called /");
    return code;
}

void rabbit_server_says(const struct rabbit *r, const char *property, char *into, size_t size)
{
    const amqp_table_t *server = amqp_get_server_properties(r->connection);
    for (int i = 0; server && i < server->num_entries; i++) {
        const amqp_table_entry_t *said = &server->entries[i];
        if (bytes_equal_text(bytes_of(said->key.bytes, said->key.len), property) &&
            said->value.kind == AMQP_FIELD_KIND_UTF8)
            rabbit_copy(into, size, said->value.value.bytes);
    }
}

static enum err enter(struct broker *b, struct err_info *err)
{
    struct rabbit *r = b->state;
    enum err e = login(b, err);
    if (e)
        return e;
    amqp_channel_open(r->connection, RABBIT_CHANNEL);
    return rabbit_last_reply(b, "opening a channel", err);
}

static enum err connect_host(struct broker *b, size_t i, struct err_info *err)
{
    struct rabbit *r = b->state;
    const struct url *u = &b->endpoint->url;
    const char *host = u->host_count ? u->hosts[i].host : "localhost";
    bool tls = wants_tls(b->endpoint);
    int port = u->host_count && u->hosts[i].port ? u->hosts[i].port : tls ? 5671 : 5672;
    r->fd = -1;
    r->lost = r->silent = false;
    r->connection = amqp_new_connection();
    if (!r->connection)
        return err_set(err, ERR_NOMEM, "no memory for a connection");
    enum err e = tls ? rabbit_open_tls(b, host, port, err) : open_plain(b, host, port, err);
    if (!e) {
        e = rabbit_may_cut(b, true) ? enter(b, err) : ERR_CANCELLED;
        (void)rabbit_may_cut(b, false);
        if (e && atomic_load(b->cancelled))
            e = err_set(err, ERR_CANCELLED, "cancelled");
    }
    if (!e)
        rabbit_server_says(r, "version", r->version, sizeof r->version);
    else
        rabbit_disconnect(b);
    return e;
}

enum err rabbit_connect(struct broker *b, struct err_info *err)
{
    size_t hosts = b->endpoint->url.host_count ? b->endpoint->url.host_count : 1;
    enum err e = ERR_UNREACHABLE;
    for (size_t i = 0; i < hosts; i++) {
        e = connect_host(b, i, err);
        if (err_policy(e) != ERR_POLICY_RETRY || !e || atomic_load(b->cancelled))
            break;
    }
    return e;
}

void rabbit_disconnect(struct broker *b)
{
    struct rabbit *r = b->state;
    if (!r->connection)
        return;
    set_stands(r, false);
    struct timeval soon = {1, 0};
    if (r->logged_in && !r->lost) { /* before that there may be no socket, which the library asserts */
        amqp_set_rpc_timeout(r->connection, &soon);
        amqp_connection_close(r->connection, AMQP_REPLY_SUCCESS);
    }
    amqp_destroy_connection(r->connection);
    r->connection = NULL;
    r->logged_in = false;
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

/* ---- the frame loop ---- */

static bool ready(const struct rabbit *r)
{
    return amqp_frames_enqueued(r->connection) || amqp_data_in_buffer(r->connection);
}

/* A heartbeat may always be sent (AMQP 0-9-1 section 4.2.7); the library only does so while it waits for frames. */
static int send_heartbeat(struct rabbit *r)
{
    amqp_frame_t beat = {.frame_type = AMQP_FRAME_HEARTBEAT};
    return amqp_send_frame(r->connection, &beat);
}

enum err rabbit_wait_paused(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct rabbit *r = b->state;
    int64_t now = clock_mono_ns(), end = timeout_ms < 0 ? INT64_MAX : now + timeout_ms * NS_PER_MS;
    for (;;) {
        if (now >= r->beat_ns) {
            int status = send_heartbeat(r);
            if (status)
                return rabbit_status(b, status, err);
            r->beat_ns = now + HEARTBEAT_EVERY_NS;
        }
        struct pollfd wake = {.fd = b->wake_fd, .events = POLLIN};
        int n = poll(&wake, 1, clock_poll_ms(r->beat_ns < end ? r->beat_ns : end));
        now = clock_mono_ns();
        if (n != 0 || now >= end)
            return ERR_OK;
    }
}

void rabbit_wait(struct broker *b, int timeout_ms)
{
    struct rabbit *r = b->state;
    int64_t end = timeout_ms < 0 ? INT64_MAX : clock_mono_ns() + timeout_ms * NS_PER_MS;
    while (!ready(r)) {
        struct pollfd fds[] = {{.fd = r->fd, .events = POLLIN}, {.fd = b->wake_fd, .events = POLLIN}};
        int64_t beat = clock_mono_ns() + HEARTBEAT_EVERY_NS;
        int n = poll(fds, 2, clock_poll_ms(beat < end ? beat : end));
        if (n != 0 || clock_mono_ns() >= end)
            return;
        send_heartbeat(r);
    }
}

enum err rabbit_other_frame(struct broker *b, const amqp_frame_t *frame, struct err_info *err)
{
    struct rabbit *r = b->state;
    if (frame->frame_type != AMQP_FRAME_METHOD)
        return ERR_OK;
    switch (frame->payload.method.id) {
    case AMQP_CHANNEL_CLOSE_METHOD: {
        const amqp_channel_close_t *m = frame->payload.method.decoded;
        return server_said(b, m->reply_code, m->reply_text, "the broker closed the channel", err);
    }
    case AMQP_CONNECTION_CLOSE_METHOD:
        return connection_closed(b, frame->payload.method.decoded, "the broker closed the connection", err);
    case AMQP_BASIC_CANCEL_METHOD:
        return err_set(err, ERR_CLOSED, "the broker cancelled the reading: its queue is gone");
    case AMQP_CONNECTION_BLOCKED_METHOD: r->blocked = true; return ERR_OK;
    case AMQP_CONNECTION_UNBLOCKED_METHOD: r->blocked = false; return ERR_OK;
    default: return ERR_OK;
    }
}

enum err rabbit_serve(struct broker *b, struct err_info *err)
{
    struct rabbit *r = b->state;
    enum err e = ERR_OK;
    while (!e) {
        amqp_frame_t frame;
        struct timeval now = {0, 0};
        int status = amqp_simple_wait_frame_noblock(r->connection, &frame, &now);
        if (status == AMQP_STATUS_TIMEOUT)
            break;
        e = status ? rabbit_status(b, status, err) : rabbit_other_frame(b, &frame, err);
        amqp_maybe_release_buffers(r->connection);
    }
    return e;
}
