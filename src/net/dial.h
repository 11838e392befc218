/* The dialer: where to connect and which name to verify. Floor 2. No driver or probe dials past it; today it dials direct,
 * a proxy or bastion becomes a change of this file alone. */
#ifndef SIGNALBOX_NET_DIAL_H
#define SIGNALBOX_NET_DIAL_H

#include "base/err.h"
#include "model/sample.h"

/* Resolves and connects TCP, trying every address in turn until the deadline (monotonic). Returns a connected,
 * non-blocking, close-on-exec socket with TCP_NODELAY, or -1 with *err (UNREACHABLE, TIMEOUT, CANCELLED; all addresses and
 * reasons named). Resolving runs on a helper thread so that the deadline holds. cancel_fd may be -1; phases may be NULL. */
int dial_tcp(const char *host, int port, int64_t deadline_ns, int cancel_fd, struct phases *phases,
             struct err_info *err);

#endif
