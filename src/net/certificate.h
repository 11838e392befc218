/* What libcurl tells of certificates, read, and how long they last. Floor 2; pure. */
#ifndef SIGNALBOX_NET_CERTIFICATE_H
#define SIGNALBOX_NET_CERTIFICATE_H

#include "base/clock.h"

/* "Jan  2 03:04:05 2030 GMT" (OpenSSL) or "2030-01-02 03:04:05 GMT" (GnuTLS), a fraction of the second allowed: ns since
 * 1970, or TIME_NONE. */
int64_t certificate_time(const char *text);
/* How long it is good for, as one says it: "90 minutes", "47 hours" below two days, "13 days"; begun ones do not count. */
char *certificate_left(int64_t left_ns, char *into, size_t size);

#endif
