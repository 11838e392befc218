/* TLS to a broker, which rabbitmq-c dials itself: the certificates of both sides, and what it means when it fails. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "net/client_certificate.h"
#include "net/dial.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

/* For TLS the library dials, and says no more than that it failed: our dialer finds out why. */
static enum err why_unreachable(struct broker *b, const char *host, int port, int status,
                                struct err_info *err)
{
    int fd = dial_tcp(host, port, b->deadline_ns, b->wake_fd, NULL, err);
    if (fd >= 0) {
        close(fd);
        err_set(err, ERR_UNREACHABLE, "%s", amqp_error_string2(status));
        err_where(err, "%s:%d", host, port);
    }
    return rabbit_say_host(b, host, err);
}

static enum err bad_file(const struct broker *b, const char *key, const char *what, const char *file,
                         struct err_info *err)
{
    err_set(err, ERR_CONFIG, "%s %s", what, file);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "check that %s a readable file in PEM form", key);
    return ERR_CONFIG;
}

static int on_asked(SSL *ssl, void *context)
{
    (void)ssl;
    ((struct rabbit *)context)->asked = true;
    return 1; /* whatever there is goes on */
}

/* The library hides an alert, which OpenSSL notes on this thread. With TLS 1.3 it comes after the handshake, and is lost where we write at
 * that moment (seen with RabbitMQ 3.10: one in ten). A guess is to be retried: a broker that restarts hangs up, too. */
enum err rabbit_certificate_refused(struct broker *b, struct err_info *err)
{
    struct rabbit *r = b->state;
    bool given = b->endpoint->tls.cert;
    const char *noted = ERR_reason_error_string(ERR_peek_last_error());
    struct client_certificate_said said;
    bool certain = r->asked && noted && client_certificate_alert(noted, given, &said);
    if (!r->asked)
        return ERR_OK;
    if (!certain)
        said = client_certificate_guess(given);
    enum err e = err_set(err, certain ? ERR_TLS : ERR_CLOSED, "%s", said.text);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "%s", said.next);
    return e;
}

/* The library says no more than that TLS failed; what OpenSSL noted on this thread tells a wrong port from a wrong certificate. */
static enum err tls_failed(struct broker *b, int status, struct err_info *err)
{
    unsigned long noted = ERR_peek_last_error();
    enum err e = rabbit_status(b, status, err);
    if (e != ERR_TLS || status != AMQP_STATUS_SSL_CONNECTION_FAILED)
        return e;
    if (ERR_GET_REASON(noted) == SSL_R_WRONG_VERSION_NUMBER) {
        err_set(err, ERR_TLS, "what answers there speaks no TLS");
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "use rabbitmq://, or the port for TLS, which is 5671 by default");
    } else if (!noted || ERR_GET_REASON(noted) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        e = err_set(err, ERR_CLOSED, "the connection was closed while TLS was agreed on");
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "does this port speak TLS? if not, use rabbitmq://");
    } else if (ERR_GET_REASON(noted) != SSL_R_CERTIFICATE_VERIFY_FAILED && /* that is about the server's */
               rabbit_certificate_refused(b, err)) {
        e = err->code = ERR_TLS; /* a server with TLS 1.2 that gets none breaks off: "handshake failure" */
    }
    return e;
}

/* rabbitmq-c 0.11 has no default verify paths of its own, and its check of the name is its own too: both are OpenSSL's
 * business, reached through the context. */
enum err rabbit_open_tls(struct broker *b, const char *host, int port, struct err_info *err)
{
    struct rabbit *r = b->state;
    const struct tls_options *tls = &b->endpoint->tls;
    const char *ca = tls->ca ? tls->ca : url_query(&b->endpoint->url, "ca");
    amqp_socket_t *socket = amqp_ssl_socket_new(r->connection);
    if (!socket)
        return err_set(err, ERR_NOMEM, "no memory for a TLS socket");
    SSL_CTX *context = amqp_ssl_socket_get_context(socket);
    if (ca && amqp_ssl_socket_set_cacert(socket, ca))
        return bad_file(b, "tls.ca, or ?ca=FILE of a URL, names", "no certificates can be read from", ca,
                        err);
    if (!ca)
        SSL_CTX_set_default_verify_paths(context);
    if (tls->cert && tls->key && amqp_ssl_socket_set_key(socket, tls->cert, tls->key))
        return bad_file(b, "tls.cert and tls.key each name",
                        "the client certificate or its key cannot be used:", tls->cert, err);
    X509_VERIFY_PARAM *verify = SSL_CTX_get0_param(context);
    if (!tls->insecure && !X509_VERIFY_PARAM_set1_ip_asc(verify, host))
        X509_VERIFY_PARAM_set1_host(verify, host, 0);
    r->asked = false;
    SSL_CTX_set_cert_cb(context, on_asked, r);
    amqp_ssl_socket_set_verify_peer(socket, !tls->insecure);
    amqp_ssl_socket_set_verify_hostname(socket, 0); /* done above, alternative names and addresses included */
    struct timeval timeout = rabbit_time_left(b);
    ERR_clear_error();
    int status = amqp_socket_open_noblock(socket, host, port, &timeout);
    if (status == AMQP_STATUS_SOCKET_ERROR || status == AMQP_STATUS_TCP_ERROR ||
        status == AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED)
        return why_unreachable(b, host, port, status, err);
    if (status == AMQP_STATUS_OK)
        return rabbit_keep_socket(b, amqp_socket_get_sockfd(socket), err);
    if (status != AMQP_STATUS_TIMEOUT)
        return tls_failed(b, status, err);
    err_set(err, ERR_TIMEOUT, "no TLS answer in time");
    err_next(err, "check host and port, that RabbitMQ speaks TLS there, and what lies between");
    return ERR_TIMEOUT;
}
