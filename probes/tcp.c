/* A connection that is made and closed at once: it proves that something listens, not that it works. */
#include "probes/tcp.h"

#include "base/clock.h"
#include "base/text.h"
#include "net/dial.h"

#include <unistd.h>

static const char *const schemes[] = {"tcp", NULL};

static void add_phase(int64_t *sum, int64_t ns)
{
    if (ns != PHASE_NONE)
        *sum = (*sum == PHASE_NONE ? 0 : *sum) + ns;
}

static enum err knock(const char *host, int port, int64_t deadline_ns, int cancel_fd, struct sample *sample,
                      struct err_info *err)
{
    struct phases p;
    if (port == 0) {
        err_set(err, ERR_USAGE, "the address names no port: tcp://%s:PORT", host);
        return ERR_USAGE;
    }
    int fd = dial_tcp(host, port, deadline_ns, cancel_fd, &p, err);
    if (fd >= 0)
        close(fd);
    add_phase(&sample->phases.dns, p.dns);
    add_phase(&sample->phases.connect, p.connect);
    add_phase(&sample->phases.total, p.total);
    return fd >= 0 ? ERR_OK : err->code;
}

static void tcp_run(const struct probe_env *env, const struct probe_target *target, int64_t deadline_ns,
                    int cancel_fd, struct sample *sample)
{
    const struct url *url = &target->endpoint.url;
    struct err_info err = {.code = ERR_OK};
    enum err failed = ERR_OK;
    (void)env;
    sample_init(sample);
    for (size_t i = 0; i < url->host_count && !failed; i++)
        failed = knock(url->hosts[i].host, url->hosts[i].port, deadline_ns, cancel_fd, sample, &err);
    if (failed)
        sample_fail(sample, &err);
    sample->time_ns = clock_wall_ns();
}

const struct probe_ops tcp_probe = {.name = "tcp", .schemes = schemes, .needs_port = true, .run = tcp_run};
