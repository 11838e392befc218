/* DESIGN. getaddrinfo can't be interrupted, so a helper thread does it. The request is counted twice, by who asked and by
 * the helper, and freed by the last of them: whoever gives up at its deadline just lets go. Helpers end when the resolver
 * gives up (some 30 s); MOST_LOOKUPS bounds how many of them a dead name server can hold. Connecting is ordinary
 * non-blocking connect and poll, each address with its share of the time that is left. */
#include "net/dial.h"

#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_LOOKUPS   64
#define MOST_ADDRESSES 16

struct lookup {
    atomic_int references;
    int done_fd;       /* readable once result is there */
    atomic_int result; /* of getaddrinfo; written last, so that it publishes the addresses */
    struct addrinfo *addresses;
    char host[256];
    char service[8];
};

/* One call of dial_tcp. */
struct dialing {
    const char *host;
    int port;
    int64_t deadline_ns;
    int cancel_fd;
    struct err_info *err;
    char tried[256]; /* "127.0.0.1: Connection refused, ::1: Connection refused" */
    bool refused;    /* some address gave a definite answer */
};

/* A resource of the whole process is counted for the whole process. */
static atomic_int lookups_running;

static enum err fail(const struct dialing *d, enum err code, const char *next, const char *format, ...)
    SB_PRINTF(4, 5);

static enum err fail(const struct dialing *d, enum err code, const char *next, const char *format, ...)
{
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_set(d->err, code, "%s", text);
    err_where(d->err, strchr(d->host, ':') ? "[%s]:%d" : "%s:%d", d->host, d->port);
    err_next(d->err, "%s", next);
    return code;
}

/* Waits for fd (events) until deadline_ns: OK, TIMEOUT or CANCELLED. */
static enum err wait_for(const struct dialing *d, int fd, short events, int64_t deadline_ns)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = d->cancel_fd, .events = POLLIN}};
    for (;;) {
        int n = poll(fds, 2, clock_poll_ms(deadline_ns));
        if (n > 0 && fds[1].revents)
            return ERR_CANCELLED;
        if (n > 0)
            return ERR_OK;
        if (n == 0 && clock_mono_ns() >= deadline_ns)
            return ERR_TIMEOUT;
        if (n < 0 && errno != EINTR)
            return ERR_IO;
    }
}

/* ---- names to addresses ---- */

static void lookup_release(struct lookup *l)
{
    if (atomic_fetch_sub(&l->references, 1) > 1)
        return;
    if (l->addresses)
        freeaddrinfo(l->addresses);
    if (l->done_fd >= 0)
        close(l->done_fd);
    free(l);
    atomic_fetch_sub(&lookups_running, 1);
}

static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};

static void *lookup_run(void *arg)
{
    struct lookup *l = arg;
    atomic_store(&l->result, getaddrinfo(l->host, l->service, &hints, &l->addresses));
    eventfd_write(l->done_fd, 1);
    lookup_release(l);
    return NULL;
}

static struct lookup *lookup_new(const char *host, int port)
{
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    atomic_fetch_add(&lookups_running, 1);
    atomic_init(&l->references, 1);
    snprintf(l->host, sizeof l->host, "%s", host);
    snprintf(l->service, sizeof l->service, "%d", port);
    l->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return l;
}

static bool lookup_start(struct lookup *l)
{
    if (l->done_fd < 0)
        return false;
    atomic_fetch_add(&l->references, 1);
    bool started = thread_start(NULL, lookup_run, l);
    if (!started)
        atomic_fetch_sub(&l->references, 1);
    return started;
}

static enum err unresolved(const struct dialing *d, int result)
{
    if (result == EAI_NONAME || result == EAI_FAIL || result == EAI_NODATA)
        return fail(d, ERR_UNREACHABLE, "check the name; getent hosts NAME asks the same resolver",
                    "no address is known for %s", d->host);
    return fail(d, ERR_UNREACHABLE, "check the name server of this host", "looking %s up failed: %s", d->host,
                gai_strerror(result));
}

/* On success the caller releases *into, which owns the addresses. An address in figures needs no helper. */
static enum err resolve(const struct dialing *d, struct lookup **into)
{
    struct addrinfo numeric = hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    if (atomic_load(&lookups_running) >= MOST_LOOKUPS)
        return fail(d, ERR_UNREACHABLE, "check the name server of this host",
                    "%d look-ups of names hang already", MOST_LOOKUPS);
    struct lookup *l = lookup_new(d->host, d->port);
    if (!l)
        return fail(d, ERR_NOMEM, "", "no memory to look a name up");
    *into = l;
    if (getaddrinfo(l->host, l->service, &numeric, &l->addresses) == 0)
        return ERR_OK;
    enum err code = ERR_FAILED;
    if (!lookup_start(l))
        fail(d, code, "raise the limits of threads and open files", "no thread to look a name up");
    else if ((code = wait_for(d, l->done_fd, POLLIN, d->deadline_ns)))
        fail(d, code, code == ERR_TIMEOUT ? "check the name server of this host" : "", "looking %s up: %s",
             d->host, err_text(code));
    else if (atomic_load(&l->result))
        code = unresolved(d, atomic_load(&l->result));
    if (code) {
        lookup_release(l);
        *into = NULL;
    }
    return code;
}

/* ---- connecting ---- */

static void note(struct dialing *d, const struct addrinfo *a, const char *what)
{
    char host[INET6_ADDRSTRLEN + 16];
    size_t used = strlen(d->tried);
    if (getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST))
        snprintf(host, sizeof host, "an address");
    snprintf(d->tried + used, sizeof d->tried - used, "%s%s: %s", used ? ", " : "", host, what);
}

/* What connect said in the end: 0 or an errno; ECANCELED and ETIMEDOUT of our own. */
static int connect_by(const struct dialing *d, int fd, const struct addrinfo *a, int64_t deadline_ns)
{
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    enum err waited = wait_for(d, fd, POLLOUT, deadline_ns);
    if (waited)
        return waited == ERR_CANCELLED ? ECANCELED : ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) ? errno : error;
}

/* A connected socket, or -1 with the reason noted; *stop: there is no point in trying another address. */
static int try_address(struct dialing *d, const struct addrinfo *a, int64_t deadline_ns, bool *stop)
{
    char text[128];
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = fd < 0 ? errno : connect_by(d, fd, a, deadline_ns);
    if (!error) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    *stop = error == ECANCELED;
    d->refused |= error != ETIMEDOUT;
    note(d, a, error == ETIMEDOUT ? "no answer" : strerror_r(error, text, sizeof text));
    return -1;
}

static enum err unconnected(const struct dialing *d, bool cancelled)
{
    if (cancelled)
        return fail(d, ERR_CANCELLED, "", "cancelled while connecting");
    if (!d->refused)
        return fail(d, ERR_TIMEOUT, "check address and firewall, or allow more time", "%s", d->tried);
    return fail(d, ERR_UNREACHABLE, "check that the service runs and listens on this port", "%s", d->tried);
}

static int connect_any(struct dialing *d, const struct addrinfo *addresses)
{
    int left = 0;
    bool stop = false;
    for (const struct addrinfo *a = addresses; a && left < MOST_ADDRESSES; a = a->ai_next)
        left++;
    for (const struct addrinfo *a = addresses; left > 0 && !stop; a = a->ai_next, left--) {
        int64_t now = clock_mono_ns();
        int64_t share = d->deadline_ns == INT64_MAX ? INT64_MAX : now + (d->deadline_ns - now) / left;
        int fd = try_address(d, a, share, &stop);
        if (fd >= 0)
            return fd;
    }
    unconnected(d, stop);
    return -1;
}

int dial_tcp(const char *host, int port, int64_t deadline_ns, int cancel_fd, struct phases *phases,
             struct err_info *err)
{
    struct dialing d = {
        .host = host, .port = port, .deadline_ns = deadline_ns, .cancel_fd = cancel_fd, .err = err};
    struct phases unseen;
    struct lookup *lookup = NULL;
    int64_t started = clock_mono_ns();
    int fd = -1;
    if (!phases)
        phases = &unseen;
    phases_init(phases);
    if (!resolve(&d, &lookup)) {
        int64_t resolved = clock_mono_ns();
        phases->dns = resolved - started;
        fd = connect_any(&d, lookup->addresses);
        if (fd >= 0)
            phases->connect = clock_mono_ns() - resolved;
        lookup_release(lookup);
    }
    phases->total = clock_mono_ns() - started;
    return fd;
}
