#include "net/client_certificate.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#define REFUSED "the server refuses the client certificate: "

static const char name_one[] = "name one in the configuration: tls: {cert: FILE, key: FILE}";
static const char name_another[] = "name one that it takes: tls: {cert: FILE, key: FILE}";

/* RFC 8446, 6.2. OpenSSL puts "tlsv13", "sslv3" or, from 3.2 on, "ssl/tls" before them. Kafka (Java) says "bad" of none at all and
 * "unknown" of most that it refuses, RabbitMQ (Erlang) and OpenSSL tell more. */
static const struct {
    const char *words, *refused;
} alerts[] = {
    {"alert certificate required", REFUSED "it counts for none"},
    {"alert bad certificate", REFUSED "it is damaged, or not signed as it should be"},
    {"alert unsupported certificate", REFUSED "it is of a kind, or for a use, that is not taken"},
    {"alert certificate revoked", REFUSED "it was revoked"},
    {"alert certificate expired", REFUSED "it has expired"},
    {"alert certificate unknown", REFUSED "its authority may be unknown there, or it has expired"},
    {"alert unknown ca", REFUSED "its authority is unknown there"},
    {"alert access denied", REFUSED "it is valid, but not let in"},
};

bool client_certificate_alert(const char *words, bool given, struct client_certificate_said *said)
{
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++) {
        if (!strstr(words, alerts[i].words))
            continue;
        said->text = given ? alerts[i].refused : "the server demands a client certificate";
        said->next = given ? name_another : name_one;
        return true;
    }
    return false;
}

struct client_certificate_said client_certificate_guess(bool given)
{
    if (given)
        return (struct client_certificate_said){
            "the server asked for a client certificate and hung up: it may have refused ours", name_another};
    return (struct client_certificate_said){
        "the server asked for a client certificate and hung up: it may demand one", name_one};
}

/* ---- ours ---- */

static int no_pass_phrase(char *into, int size, int writing, void *locked)
{
    (void)into, (void)size, (void)writing;
    *(bool *)locked = true;
    return -1;
}

static enum err refuse(struct err_info *err, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_peek_error());
    return err_set(err, ERR_CONFIG, "%s%s%s", what, why ? ": " : "", why ? why : "");
}

/* A key of another kind than the certificate's is taken, and found not to be its key by the last question alone. */
static enum err check_pair(SSL_CTX *context, const char *cert, const char *key, const char **file,
                           struct err_info *err)
{
    bool locked = false;
    SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &locked);
    *file = cert;
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return refuse(err, "no certificate can be read from it as PEM");
    *file = key;
    bool read = SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1;
    if (locked)
        return err_set(err, ERR_CONFIG, "it has a pass phrase, for which there is no setting");
    if (!read && ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH)
        return refuse(err, "no key can be read from it as PEM");
    if (!read || SSL_CTX_check_private_key(context) != 1)
        return err_set(err, ERR_CONFIG, "it is not the key of tls.cert");
    return ERR_OK;
}

enum err client_certificate_check(const char *cert, const char *key, const char **file, struct err_info *err)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return err_set(err, ERR_NOMEM, "no memory to look at a certificate");
    enum err e = check_pair(context, cert, key, file, err);
    SSL_CTX_free(context);
    ERR_clear_error();
    return e;
}
