/* Connections over TLS that are kept, and servers that ask for a client certificate: at a later request, or before they hang up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "net/http.h"
#include "tests/support/server.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Signed by itself, which `insecure` takes. */
static void show_certificate(SSL_CTX *tls)
{
    EVP_PKEY *key = EVP_EC_gen("prime256v1");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(tls, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static bool read_request(SSL *ssl)
{
    char seen[4096];
    size_t len = 0;
    for (int n; len + 1 < sizeof seen; len += (size_t)n) {
        seen[len] = '\0';
        if (strstr(seen, "\r\n\r\n"))
            return true;
        n = SSL_read(ssl, seen + len, (int)(sizeof seen - 1 - len));
        if (n <= 0)
            return false;
    }
    return false;
}

/* The client's part is read with what comes next from it: where it is demanded that is waited for, before any answer. */
static bool ask_for_certificate(SSL *ssl, bool demands)
{
    char byte;
    return SSL_verify_client_post_handshake(ssl) == 1 && SSL_do_handshake(ssl) == 1 &&
           (!demands || SSL_peek(ssl, &byte, 1) > 0);
}

/* Asks for a certificate at every request but the first, or demands one at each. */
static void serve_asking_later(struct server *s, int fd)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    SSL *ssl = SSL_new((SSL_CTX *)(uintptr_t)s->script);
    bool demands = SSL_get_verify_mode(ssl) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_set_fd(ssl, fd);
    bool open = SSL_accept(ssl) == 1;
    for (int request = 1; open && read_request(ssl); request++) {
        if (demands || request > 1)
            open = ask_for_certificate(ssl, demands);
        open = open && SSL_write(ssl, ok, sizeof ok - 1) > 0;
    }
    SSL_free(ssl);
}

static void serve_no_answer(struct server *s, int fd)
{
    SSL *ssl = SSL_new((SSL_CTX *)(uintptr_t)s->script);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        read_request(ssl);
    SSL_free(ssl);
}

static SSL_CTX *server_up(struct server *s, server_serve *serve, int verify)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | verify, NULL);
    SSL_CTX_set_session_id_context(tls, (const unsigned char *)"test", 4); /* else resuming is an error */
    show_certificate(tls);
    server_start(s, serve, tls);
    return tls;
}

static enum err fetch(struct http_client *client, int port, struct http_response *response)
{
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", port);
    const struct http_request request = {.url = url,
                                         .tls = {.insecure = true},
                                         .deadline_ns = clock_mono_ns() + 10 * NS_PER_S,
                                         .max_body = 4096};
    http_fetch(client, &request, NULL, response);
    return response->error;
}

/* The request that made the connection has gone by then (ASan sees to it). */
static void one_that_is_asked_for_later_may_be_missing(void **state)
{
    (void)state;
    struct server s;
    struct http_client *client = http_client_new(NULL);
    SSL_CTX *tls = server_up(&s, serve_asking_later, SSL_VERIFY_POST_HANDSHAKE);
    for (int i = 0; i < 3; i++) {
        struct http_response response;
        assert_int_equal(fetch(client, s.port, &response), ERR_OK);
        assert_int_equal(response.status, 200);
        http_response_free(&response);
    }
    assert_int_equal(s.accepted, 1);
    http_client_free(&client);
    server_stop(&s);
    SSL_CTX_free(tls);
}

static void one_that_is_demanded_later_is_said_to_be(void **state)
{
    (void)state;
    struct server s;
    struct http_response response;
    struct http_client *client = http_client_new(NULL);
    SSL_CTX *tls =
        server_up(&s, serve_asking_later, SSL_VERIFY_POST_HANDSHAKE | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    assert_int_equal(fetch(client, s.port, &response), ERR_TLS);
    assert_string_equal(response.err.text, "the server demands a client certificate");
    http_response_free(&response);
    http_client_free(&client);
    server_stop(&s);
    SSL_CTX_free(tls);
}

/* It may have crashed as well. */
static void a_server_that_asks_and_hangs_up_is_no_fault_of_tls(void **state)
{
    (void)state;
    struct server s;
    struct http_response response;
    struct http_client *client = http_client_new(NULL);
    SSL_CTX *tls = server_up(&s, serve_no_answer, 0);
    assert_int_equal(fetch(client, s.port, &response), ERR_CLOSED);
    assert_string_equal(response.err.text,
                        "the server asked for a client certificate and hung up: it may demand one");
    http_response_free(&response);
    http_client_free(&client);
    server_stop(&s);
    SSL_CTX_free(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_asked_for_later_may_be_missing),
        cmocka_unit_test(one_that_is_demanded_later_is_said_to_be),
        cmocka_unit_test(a_server_that_asks_and_hangs_up_is_no_fault_of_tls),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
