#include "net/transfer.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "net/certificate.h"
#include "net/client_certificate.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_REDIRECTS  5
#define CA_KEPT_SECONDS 60L

/* ---- the request, copied ---- */

static const char *const *copy_headers(struct arena *arena, const char *const *headers)
{
    size_t n = 0;
    while (headers && headers[n])
        n++;
    const char **copy = arena_zalloc(arena, (n + 1) * sizeof *copy);
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = arena_strdup(arena, headers[i]);
    return copy;
}

static const char *copy_text(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

static bool copy_request(struct transfer *t, const struct http_request *from)
{
    struct arena *a = &t->arena;
    t->request = *from;
    t->request.method = copy_text(a, from->method);
    t->request.url = copy_text(a, from->url);
    t->request.username = copy_text(a, from->username);
    t->request.password = copy_text(a, from->password);
    t->request.headers = copy_headers(a, from->headers);
    t->request.body = arena_copy(a, from->body);
    t->request.tls.ca = copy_text(a, from->tls.ca);
    t->request.tls.cert = copy_text(a, from->tls.cert);
    t->request.tls.key = copy_text(a, from->tls.key);
    return t->request.url && t->request.headers && !t->request.body.data == !from->body.data;
}

struct transfer *transfer_new(const struct http_request *request, http_done *done, void *context)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->done = done;
    t->context = context;
    arena_init(&t->arena, LIMIT_HTTP_BODY + MIB);
    phases_init(&t->response.phases);
    t->response.certificate_expires_ns = TIME_NONE;
    buffer_init(&t->response.headers, LIMIT_HEADERS);
    buffer_init(&t->response.body, request->max_body);
    if (!copy_request(t, request)) {
        transfer_free(t);
        return NULL;
    }
    return t;
}

/* A connection that is kept outlives the transfer that made it: nothing leads back to that any more. */
static void leave_connection(struct transfer *t)
{
    if (t->tls)
        SSL_CTX_set_app_data(t->tls, NULL);
    SSL_CTX_free(t->tls);
    t->tls = NULL;
}

void transfer_free(struct transfer *t)
{
    leave_connection(t);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    http_response_free(&t->response);
    arena_free(&t->arena);
    free(t);
}

/* ---- what comes ---- */

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t len = size * count, room = t->request.max_body - t->response.body.len;
    t->response.truncated |= len > room;
    buffer_append(&t->response.body, data, len < room ? len : room);
    return t->response.truncated || !buffer_ok(&t->response.body) ? CURL_WRITEFUNC_ERROR : len;
}

/* Each answer on the way (100, redirects) begins anew. Once one has come over TLS no redirect may leave it. */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t len = size * count;
    if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
        char *scheme = NULL;
        buffer_clear(&t->response.headers);
        curl_easy_getinfo(t->easy, CURLINFO_SCHEME, &scheme);
        if (scheme && text_equal_nocase(scheme, "https"))
            curl_easy_setopt(t->easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    }
    t->long_headers = len > LIMIT_HEADERS - t->response.headers.len;
    buffer_append(&t->response.headers, data, len);
    return buffer_ok(&t->response.headers) ? len : CURL_WRITEFUNC_ERROR;
}

/* ---- TLS ---- */

static void note_expiry(struct transfer *t, int64_t when)
{
    int64_t *first = &t->response.certificate_expires_ns;
    if (when != TIME_NONE && (*first == TIME_NONE || when < *first))
        *first = when;
}

/* The one that made this connection; NULL: it has ended. */
static struct transfer *transfer_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* Of a chain that is refused libcurl tells nothing: the date of the server's certificate is taken down here. */
static int on_verify(int good, X509_STORE_CTX *store)
{
    struct tm tm;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const X509 *certificate = X509_STORE_CTX_get0_cert(store);
    struct transfer *t = transfer_of(ssl);
    if (t && !good && certificate && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm))
        note_expiry(t, timegm(&tm) * NS_PER_S);
    return good;
}

/* Within the handshake, or behind it where a server with TLS 1.3 asks later on. */
static int on_asked(SSL *ssl, void *context)
{
    struct transfer *t = transfer_of(ssl);
    (void)context;
    if (t)
        t->asked = true;
    return 1; /* whatever there is goes on */
}

/* Called once TCP stands, with a context of that connection's own; again after a redirect to elsewhere. libcurl itself says when that
 * was only if TLS stands in the end, too. */
static CURLcode on_tls(CURL *easy, void *ssl_ctx, void *context)
{
    struct transfer *t = context;
    (void)easy;
    leave_connection(t);
    t->tls_began_ns = clock_mono_ns();
    t->tls = ssl_ctx;
    SSL_CTX_up_ref(t->tls);
    SSL_CTX_set_app_data(t->tls, t);
    SSL_CTX_set_options(t->tls, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_cert_cb(t->tls, on_asked, NULL);
    SSL_CTX_set_verify(t->tls, SSL_CTX_get_verify_mode(t->tls), on_verify);
    return CURLE_OK;
}

/* ---- the handle ---- */

#define SET(option, value) (ok &= curl_easy_setopt(t->easy, CURLOPT_##option, value) == CURLE_OK)

static bool set_limits(struct transfer *t)
{
    bool ok = true;
    long ms = clock_poll_ms(t->request.deadline_ns);
    SET(NOSIGNAL, 1L);
    SET(QUICK_EXIT, 1L); /* else a name server that hangs would hold the thread of all requests */
    SET(PROTOCOLS_STR, "http,https");
    SET(REDIR_PROTOCOLS_STR, "http,https");
    SET(PROXY, ""); /* none, whatever the environment says: net/dial.h goes direct as well */
    SET(TIMEOUT_MS, ms < 0 ? 0L : ms);
    SET(FOLLOWLOCATION, t->request.follow ? 1L : 0L);
    SET(MAXREDIRS, (long)MOST_REDIRECTS);
    if (t->request.fresh) {
        SET(FRESH_CONNECT, 1L);
        SET(FORBID_REUSE, 1L);
        SET(DNS_CACHE_TIMEOUT, 0L);
        SET(SSL_SESSIONID_CACHE, 0L); /* a resumed session shows no certificate */
    }
    return ok;
}

static bool set_tls(struct transfer *t)
{
    bool ok = true;
    const struct tls_options *tls = &t->request.tls;
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
    SET(SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
    SET(CERTINFO, 1L);
    SET(SSL_CTX_FUNCTION, on_tls);
    SET(SSL_CTX_DATA, t);
    if (tls->ca)
        SET(CAINFO, tls->ca);
    /* Authorities are kept in memory, which costs tens of milliseconds once a minute instead of each time, only where they
     * come from one file and no folder. */
    SET(CA_CACHE_TIMEOUT, CA_KEPT_SECONDS);
    if (tls->ca || curl_version_info(CURLVERSION_NOW)->cainfo)
        SET(CAPATH, NULL);
    if (tls->cert)
        SET(SSLCERT, tls->cert);
    if (tls->cert)
        SET(SSLKEY, tls->key ? tls->key : tls->cert);
    return ok;
}

static bool add_header(struct transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (longer)
        t->headers = longer;
    return longer;
}

static bool set_request(struct transfer *t)
{
    const struct http_request *r = &t->request;
    bool ok = add_header(t, "Expect:"); /* no round trip before a body */
    for (const char *const *h = r->headers; *h; h++)
        ok &= add_header(t, *h);
    SET(URL, r->url);
    SET(HTTPHEADER, t->headers);
    SET(USERAGENT, "signalbox/" SIGNALBOX_VERSION);
    if (r->body.data) {
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        SET(POSTFIELDS, (const char *)r->body.data);
    }
    if (r->method && strcmp(r->method, "HEAD") == 0)
        SET(NOBODY, 1L);
    else if (r->method)
        SET(CUSTOMREQUEST, r->method);
    if (r->username) {
        SET(HTTPAUTH, CURLAUTH_BASIC);
        SET(USERNAME, r->username);
        SET(PASSWORD, r->password ? r->password : "");
    }
    return ok;
}

static bool set_callbacks(struct transfer *t)
{
    bool ok = true;
    SET(PRIVATE, t);
    SET(ERRORBUFFER, t->reason);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, t);
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, t);
    return ok;
}

bool transfer_prepare(struct transfer *t)
{
    if (clock_mono_ns() >= t->request.deadline_ns) {
        transfer_fail(t, ERR_TIMEOUT, "timed out before it began");
        return false;
    }
    t->began_ns = clock_mono_ns();
    t->easy = curl_easy_init();
    if (t->easy && set_limits(t) && set_tls(t) && set_request(t) && set_callbacks(t))
        return true;
    transfer_fail(t, ERR_NOMEM, "no memory for an HTTP request");
    return false;
}

/* ---- how it ended ---- */

/* Scheme, host and path: neither a user nor what a query may carry. */
static void say_where(struct transfer *t)
{
    const char *url = t->request.url, *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t authority = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', authority);
    const char *rest = at ? at + 1 : host;
    err_where(&t->response.err, "%.*s%.*s", (int)(host - url), url, (int)strcspn(rest, "?#"), rest);
}

static enum err end(struct transfer *t, enum err code, const char *text, const char *next)
{
    t->response.error = err_set(&t->response.err, code, "%s", text);
    say_where(t);
    err_next(&t->response.err, "%s", next);
    return code;
}

void transfer_fail(struct transfer *t, enum err code, const char *text)
{
    end(t, code, text, "");
}

static int64_t since(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, info, &us);
    return us * 1000;
}

/* libcurl's times count from the start, over all redirects; 0 where it didn't come so far. */
static void read_phases(struct transfer *t)
{
    struct phases *p = &t->response.phases;
    int64_t dns = since(t->easy, CURLINFO_NAMELOOKUP_TIME_T);
    int64_t connect = since(t->easy, CURLINFO_CONNECT_TIME_T);
    int64_t tls = since(t->easy, CURLINFO_APPCONNECT_TIME_T);
    int64_t first = since(t->easy, CURLINFO_STARTTRANSFER_TIME_T);
    p->total = since(t->easy, CURLINFO_TOTAL_TIME_T);
    if (dns > 0 || connect > 0)
        p->dns = dns;
    if (connect == 0 && t->tls_began_ns) /* TCP stood, TLS failed */
        connect = t->tls_began_ns - t->began_ns;
    if (connect > 0)
        p->connect = connect - dns;
    if (tls > 0)
        p->tls = tls - connect;
    if (first > 0)
        p->first_byte = first - (tls > 0 ? tls : connect);
}

static void read_certificates(struct transfer *t)
{
    static const char label[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_CERTINFO, &chain);
    for (int i = 0; chain && i < chain->num_of_certs; i++) {
        for (const struct curl_slist *line = chain->certinfo[i]; line; line = line->next) {
            if (text_starts(line->data, label))
                note_expiry(t, certificate_time(line->data + sizeof label - 1));
        }
    }
}

static void read_peer(struct transfer *t)
{
    char *ip = NULL;
    long port = 0;
    curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_PORT, &port);
    if (ip && *ip)
        snprintf(t->response.peer, sizeof t->response.peer, strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip,
                 port);
}

static enum err end_timeout(struct transfer *t)
{
    const struct phases *p = &t->response.phases;
    bool secure = text_starts(t->request.url, "https");
    bool connected = p->connect != PHASE_NONE;
    const char *during = "reading the answer";
    if (!connected)
        during = p->dns == PHASE_NONE ? "looking the name up" : "connecting";
    else if (secure && p->tls == PHASE_NONE)
        during = "agreeing on TLS";
    else if (p->first_byte == PHASE_NONE)
        during = "waiting for the answer";
    char text[96], ms[24];
    snprintf(text, sizeof text, "timed out after %s ms, %s", text_ms(ms, sizeof ms, p->total), during);
    return end(t, ERR_TIMEOUT, text,
               connected ? "allow more time" : "check address and firewall, or allow more time");
}

static enum err end_connect(struct transfer *t)
{
    long error = 0;
    char text[96];
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &error);
    return end(t, ERR_UNREACHABLE, error ? strerror_r((int)error, text, sizeof text) : t->reason,
               "check that the service runs and listens on this port");
}

static bool has_ended(const struct transfer *t)
{
    return t->response.certificate_expires_ns != TIME_NONE &&
           t->response.certificate_expires_ns < clock_wall_ns();
}

static enum err end_verify(struct transfer *t)
{
    long why = 0;
    curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &why);
    switch (why) {
    case X509_V_OK: /* the name is libcurl's own check, before or after it asks OpenSSL about the chain */
    case X509_V_ERR_UNSPECIFIED:
        if (strstr(t->reason, "host name") || strstr(t->reason, "hostname"))
            return end(t, ERR_TLS, "the certificate is for another name", "use a name that it lists");
        return end(t, ERR_TLS, t->reason, "");
    case X509_V_ERR_CERT_HAS_EXPIRED: return end(t, ERR_TLS, "the certificate has expired", "renew it");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return end(t, ERR_TLS, "the certificate is not valid yet", "check the clocks of both hosts");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return end(t, ERR_TLS,
                   has_ended(t) ? "the certificate has expired, and an unknown authority signed it"
                                : "the certificate is signed by an unknown authority",
                   has_ended(t) ? "renew it, and name its authority in the configuration: tls: {ca: FILE}"
                                : "name it in the configuration: tls: {ca: FILE}");
    default: return end(t, ERR_TLS, X509_verify_cert_error_string(why), "");
    }
}

/* libcurl's words for a port that closes, and for one that speaks something else, are OpenSSL's. */
static enum err end_handshake(struct transfer *t, const char *text)
{
    static const char *const closed[] = {"SSL_ERROR_SYSCALL", "unexpected eof", "reset by peer"};
    if (strstr(text, "wrong version number") || strstr(text, "packet length too long"))
        return end(t, ERR_TLS, "what answers there speaks no TLS", "is it http://?");
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        if (strstr(text, closed[i]))
            return end(t, ERR_CLOSED, "the connection was closed while TLS was agreed on",
                       "does this port speak TLS?");
    return end(t, ERR_TLS, text, "does this port speak TLS?");
}

/* A server that waits for TLS answers plain HTTP with an alert, or not at all. */
static const char *plain_hint(const struct transfer *t)
{
    return text_starts(t->request.url, "https") ? "" : "if it speaks TLS, write https://";
}

static enum err end_other(struct transfer *t, CURLcode result)
{
    const char *text = t->reason[0] ? t->reason : curl_easy_strerror(result);
    switch (result) {
    case CURLE_SSL_CACERT_BADFILE:
        return end(t, ERR_CONFIG, "the file of authorities (ca) can't be read", "check tls.ca");
    case CURLE_SSL_CERTPROBLEM:
        return end(t, ERR_CONFIG, "the client certificate or its key can't be used",
                   "check tls.cert and tls.key");
    case CURLE_SSL_CONNECT_ERROR: return end_handshake(t, text);
    case CURLE_GOT_NOTHING:
        return end(t, ERR_CLOSED, "the connection was closed without an answer", plain_hint(t));
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: return end(t, ERR_CLOSED, text, plain_hint(t));
    case CURLE_PARTIAL_FILE: return end(t, ERR_CLOSED, "the answer was cut off", "");
    case CURLE_TOO_MANY_REDIRECTS: return end(t, ERR_LIMIT, "more than 5 redirects", "check for a loop");
    case CURLE_URL_MALFORMAT: return end(t, ERR_USAGE, "the URL is malformed", "");
    case CURLE_OUT_OF_MEMORY: return end(t, ERR_NOMEM, text, "");
    case CURLE_ABORTED_BY_CALLBACK: return end(t, ERR_CANCELLED, "cancelled", "");
    default: return end(t, ERR_PROTOCOL, text, "");
    }
}

static enum err end_unsupported(struct transfer *t, CURLcode result)
{
    long redirects = 0;
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_COUNT, &redirects);
    if (redirects == 0 && !text_starts(t->request.url, "http"))
        return end(t, ERR_USAGE, "only http and https are possible", "");
    if (redirects == 0 && strstr(t->reason, "HTTP/0.9"))
        return end(t, ERR_PROTOCOL, "what answers there speaks no HTTP", plain_hint(t));
    if (redirects == 0)
        return end_other(t, result);
    return end(t, ERR_REFUSED, "the answer redirects away from TLS or HTTP, which isn't followed",
               "probe the address it leads to");
}

/* A server with TLS 1.3 refuses a client's certificate, or the lack of one, when the handshake is over for us: its alert is lost where
 * we write at that moment, and all that libcurl says then is that some call failed ("getpeername() failed with errno 107"). */
static bool end_for_certificate(struct transfer *t, CURLcode result)
{
    bool given = t->request.tls.cert, hung_up = t->response.headers.len == 0;
    /* What libcurl makes of the alert "certificate expired": words that it has for this alone. */
    bool expired = result == CURLE_PEER_FAILED_VERIFICATION &&
                   strcmp(t->reason, "SSL certificate verification failed") == 0;
    struct client_certificate_said said;
    if (!t->asked)
        return false;
    if (client_certificate_alert(expired ? "alert certificate expired" : t->reason, given, &said)) {
        end(t, ERR_TLS, said.text, said.next);
        return true;
    }
    /* A server with TLS 1.2 that gets none breaks off. One that hangs up may as well have crashed. */
    bool broken_off = result == CURLE_SSL_CONNECT_ERROR && !given && strstr(t->reason, "handshake failure");
    hung_up &= result == CURLE_GOT_NOTHING || result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR;
    if (!broken_off && !hung_up)
        return false;
    said = client_certificate_guess(given);
    end(t, broken_off ? ERR_TLS : ERR_CLOSED, said.text, said.next);
    return true;
}

static enum err end_failed(struct transfer *t, CURLcode result)
{
    if (end_for_certificate(t, result))
        return t->response.error;
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT: return end_timeout(t);
    case CURLE_COULDNT_RESOLVE_HOST:
        return end(t, ERR_UNREACHABLE, "no address is known for this name",
                   "check the name; getent hosts NAME asks the same resolver");
    case CURLE_COULDNT_CONNECT: return end_connect(t);
    case CURLE_PEER_FAILED_VERIFICATION: return end_verify(t);
    case CURLE_UNSUPPORTED_PROTOCOL: return end_unsupported(t, result);
    case CURLE_WRITE_ERROR:
        if (t->long_headers)
            return end(t, ERR_LIMIT, "the headers are longer than 64 KiB", "");
        return end(t, ERR_NOMEM, "no memory for the answer", "");
    default: return end_other(t, result);
    }
}

void transfer_complete(struct transfer *t, CURLcode result)
{
    read_phases(t);
    read_peer(t);
    read_certificates(t);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->response.status);
    bool enough = result == CURLE_WRITE_ERROR && t->response.truncated; /* on_body wanted no more */
    if (result != CURLE_OK && !enough)
        end_failed(t, result);
}
