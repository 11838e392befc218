/* Our side of a TLS connection whose server demands a certificate of its clients: how it says that it misses ours or refuses
 * it, and whether ours is one. Floor 2. */
#ifndef SIGNALBOX_NET_CLIENT_CERTIFICATE_H
#define SIGNALBOX_NET_CLIENT_CERTIFICATE_H

#include "base/err.h"

#include <stdbool.h>

/* What is said of it, and what to do next; static texts. */
struct client_certificate_said {
    const char *text, *next;
};

/* Do these words hold a server's alert about the client's certificate? They are OpenSSL's, which librdkafka and libcurl pass on ("...
 * sslv3 alert certificate expired ..."). given: one was sent. Certain, so that this is ERR_TLS. Pure. */
bool client_certificate_alert(const char *words, bool given, struct client_certificate_said *said);
/* The same without an alert, which may be lost on the way (TLS 1.3 refuses after the handshake, while we write already): the server
 * asked for a certificate, and closed the connection instead of an answer. A guess, so that this is ERR_CLOSED: one that crashes or
 * restarts hangs up, too. Pure. */
struct client_certificate_said client_certificate_guess(bool given);
/* As the client libraries will: both files are read, and the key must be the certificate's. ERR_CONFIG has the text, without a place;
 * *file is that of the two which is at fault. Any thread; asks for no pass phrase. */
enum err client_certificate_check(const char *cert, const char *key, const char **file,
                                  struct err_info *err) SB_MUST_USE;

#endif
