/* What libcurl tells of certificates, read. Floor 2; pure. */
#ifndef SIGNALBOX_NET_CERTIFICATE_H
#define SIGNALBOX_NET_CERTIFICATE_H

#include "base/clock.h"

/* "Jan  2 03:04:05 2030 GMT" (OpenSSL) or "2030-01-02 03:04:05 GMT" (GnuTLS), a fraction of the second allowed: ns since
 * 1970, or TIME_NONE. */
int64_t certificate_time(const char *text);

#endif
