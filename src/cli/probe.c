/* One thread a target (a few for many, with --once): a probe that hangs until its time-out delays nobody's line. */
#include "cli/cli.h"

#include "base/text.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "engine/prober.h"
#include "engine/sample_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/poll.h>
#include <unistd.h>

#define MOST_ONCE  64  /* threads of --once */
#define MOST_WATCH 512 /* targets of --watch */

#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define RED    "\033[1;31m"
#define NORMAL "\033[0m"

struct aim {
    struct probe_target target;
    struct config_password *password; /* NULL: none is to be fetched */
    bool told;                        /* why there is none: once */
};

struct probing {
    struct cli *cli;
    struct aim *aims;
    struct sample *samples; /* --once: in the order of the aims */
    size_t count;
    bool watch, color;
    atomic_size_t next, running;
    atomic_bool cancelled, unheard; /* unheard: no more output is wanted */
    int cancel_fd, done_fd;
    struct output *output;
};

struct prober_thread {
    struct probing *probing;
    struct output_lane *lane;
    size_t aim; /* --watch */
    pthread_t thread;
};

/* ---- one line ---- */

static const char *color_of(enum health h)
{
    return h == HEALTH_UP ? GREEN : h == HEALTH_DOWN ? RED : YELLOW;
}

static void put_sample(const struct probing *p, struct buffer *out, const struct probe_target *t,
                       const struct sample *s)
{
    char time[64], total[32] = "-", padded[16];
    bool plain = cli_flag(p->cli, FLAG_PLAIN);
    if (cli_flag(p->cli, FLAG_JSON)) {
        sample_json(out, t, s->health, s);
        buffer_byte(out, '\n');
        return;
    }
    if (s->phases.total != PHASE_NONE)
        text_ms(total, sizeof total, s->phases.total);
    if (plain) {
        buffer_printf(out, "%s\t%s\t", clock_rfc3339(s->time_ns, time, sizeof time), health_name(s->health));
        utf8_scrub(out, bytes_of_text(t->name), SCRUB_PLAIN);
        buffer_printf(out, "\t%s\t%.3f\t%s\t", t->kind, (double)s->phases.total / 1e6, s->code);
    } else {
        if (p->watch)
            buffer_printf(out, "%sZ  ", clock_hms(s->time_ns, time, sizeof time, 0));
        snprintf(padded, sizeof padded, "%-9s", health_name(s->health));
        buffer_printf(out, "%s%s%s %-32s %8s ms  %-11s ", p->color ? color_of(s->health) : "", padded,
                      p->color ? NORMAL : "", t->name, total, s->code);
    }
    /* What a service sent stands in it with its escapes: once is enough for people, \\ is what plain promises. */
    utf8_scrub(out, bytes_of_text(s->reason), plain ? SCRUB_PLAIN : SCRUB_SCREEN);
    if (!plain && *sample_certificate(s, time, sizeof time))
        buffer_printf(out, "%s%s", *s->reason ? "   " : "", time);
    buffer_byte(out, '\n');
}

/* ---- threads ---- */

/* The reason of the sample has no room for what to do about it. */
static void fail(struct aim *a, const struct err_info *err, struct sample *sample)
{
    if (!a->told && err->code != ERR_CANCELLED)
        cli_error(err);
    a->told = true;
    sample_init(sample);
    sample_fail(sample, err);
    sample->time_ns = clock_wall_ns();
}

/* A password that cannot be had makes its target down, and says why, and hides no other; one that is refused is looked for
 * again by the next measurement. */
static void measure(struct probing *p, struct aim *a, struct sample *sample)
{
    struct probe_target t = a->target;
    struct secret secret = {0};
    struct err_info err = {.code = ERR_OK};
    if (secret_get(a->password, t.name, &p->cli->config.leaving, &secret, &err)) {
        fail(a, &err, sample);
        return;
    }
    if (secret.text)
        t.endpoint.password = secret.text;
    probe_once(&t, p->cli->registry, p->cancel_fd, sample);
    if (sample->error == ERR_AUTH)
        secret_refused(&secret);
    secret_clear(&secret);
}

static void *run_once(void *context)
{
    struct prober_thread *t = context;
    struct probing *p = t->probing;
    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->count && !atomic_load(&p->cancelled);)
        measure(p, &p->aims[i], &p->samples[i]);
    atomic_fetch_sub(&p->running, 1);
    (void)!write(p->done_fd, &(uint64_t){1}, sizeof(uint64_t));
    return NULL;
}

static void *run_watch(void *context)
{
    struct prober_thread *t = context;
    struct probing *p = t->probing;
    struct aim *aim = &p->aims[t->aim];
    struct sample sample;
    enum emit e = EMIT_OK;
    while (!atomic_load(&p->cancelled) && e != EMIT_STOP) {
        int64_t next = clock_mono_ns() + aim->target.every_ns;
        measure(p, aim, &sample);
        if (atomic_load(&p->cancelled))
            break;
        put_sample(p, output_line(t->lane), &aim->target, &sample);
        e = output_line_end(t->lane);
        output_idle(t->lane);
        struct pollfd wait = {.fd = p->cancel_fd, .events = POLLIN};
        poll(&wait, 1, clock_poll_ms(next));
    }
    atomic_fetch_sub(&p->running, 1);
    (void)!write(p->done_fd, &(uint64_t){1}, sizeof(uint64_t));
    return NULL;
}

static size_t start_threads(struct probing *p, struct prober_thread *threads, size_t count)
{
    size_t started = 0;
    for (; started < count; started++) {
        struct prober_thread *t = &threads[started];
        *t = (struct prober_thread){.probing = p, .aim = started};
        if (p->watch && !(t->lane = output_lane(p->output, NULL, NULL)))
            break;
        atomic_fetch_add(&p->running, 1);
        if (!thread_start(&t->thread, p->watch ? run_watch : run_once, t)) {
            atomic_fetch_sub(&p->running, 1);
            break;
        }
    }
    return started;
}

/* On the output's thread. */
static void on_failure(void *context)
{
    struct probing *p = context;
    atomic_store(&p->unheard, true);
    (void)!write(p->done_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* 0, or 128 + signal. */
static int wait_threads(struct probing *p, struct prober_thread *threads, size_t count)
{
    int64_t timeout = p->watch ? cli_number(p->cli, FLAG_TIMEOUT, 0) : 0;
    int64_t deadline = timeout ? clock_mono_ns() + timeout : INT64_MAX;
    enum waited w = WAITED_EVENT;
    while (atomic_load(&p->running) && !atomic_load(&p->unheard) &&
           (w == WAITED_EVENT || (w == WAITED_CLOSED && !p->watch)))
        w = wait_for_readers(p->done_fd, deadline);
    atomic_store(&p->cancelled, true);
    atomic_store(&p->cli->config.leaving, true);
    (void)!write(p->cancel_fd, &(uint64_t){1}, sizeof(uint64_t));
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i].thread, NULL);
    return w == WAITED_SIGNAL ? 128 + signals_seen() : w == WAITED_TIMEOUT ? err_exit_code(ERR_TIMEOUT) : 0;
}

static int run_threads(struct probing *p)
{
    struct err_info err = {.code = ERR_OK};
    size_t wanted = p->watch || p->count < MOST_ONCE ? p->count : MOST_ONCE;
    struct prober_thread *threads = calloc(wanted, sizeof *threads);
    p->output = output_new(STDOUT_FILENO, &err);
    if (!threads || !p->output) {
        free(threads);
        return err.code ? cli_error(&err) : cli_usage("no memory for %zu probes", wanted);
    }
    output_on_failure(p->output, on_failure, p);
    size_t started = start_threads(p, threads, wanted);
    int code = wait_threads(p, threads, started);
    if (started < wanted && p->watch)
        cli_note("only %zu of %zu targets have a thread", started, wanted);
    free(threads);
    if (output_end(&p->output, code ? NS_PER_S : INT64_MAX / 2, &err) && !code)
        code = cli_error(&err);
    return code;
}

/* ---- the command ---- */

static void add_target(struct probing *p, const struct probe_target *t, struct config_password *password)
{
    struct aim *a = &p->aims[p->count++];
    *a = (struct aim){.target = *t, .password = password};
    if (!p->watch && cli_flag(p->cli, FLAG_TIMEOUT))
        a->target.timeout_ns = cli_number(p->cli, FLAG_TIMEOUT, 0);
}

static int add_configured(struct probing *p)
{
    struct config *config = &p->cli->config;
    struct err_info err = {.code = ERR_OK};
    for (size_t i = 0; i < config->endpoint_count; i++) {
        struct config_endpoint *e = &config->endpoints[i];
        const struct probe_target *t = config_endpoint_target(config, e, &err);
        if (!t)
            return cli_error(&err);
        add_target(p, t, &e->password);
    }
    for (size_t i = 0; i < config->probe_count; i++)
        add_target(p, &config->probes[i], config_probe_password(config, i));
    return 0;
}

static int add_targets(struct probing *p)
{
    struct cli *c = p->cli;
    if (!c->arg_count)
        return add_configured(p);
    for (size_t i = 0; i < c->arg_count; i++) {
        const struct probe_target *t = NULL;
        struct config_password *password;
        struct err_info err = {.code = ERR_OK};
        if (config_target(&c->config, c->args[i], c->registry->brokers, c->registry->probes, &t, &password,
                          &err))
            return cli_error(&err);
        add_target(p, t, password);
    }
    return 0;
}

static int report_once(struct probing *p)
{
    struct buffer out;
    bool down = false;
    buffer_init(&out, (size_t)64 << 20);
    for (size_t i = 0; i < p->count; i++) {
        enum health h = p->samples[i].health;
        put_sample(p, &out, &p->aims[i].target, &p->samples[i]);
        down |= h == HEALTH_DOWN || h == HEALTH_UNKNOWN ||
                (h == HEALTH_DEGRADED && cli_flag(p->cli, FLAG_STRICT));
    }
    int code = cli_print(&out);
    buffer_free(&out);
    return code ? code : down ? err_exit_code(ERR_DOWN) : 0;
}

static int probe_all(struct probing *p)
{
    int code = add_targets(p);
    if (code)
        return code;
    if (!p->count)
        return cli_usage("nothing is configured; give a target: signalbox probe http://HOST/PATH");
    if (p->watch && p->count > MOST_WATCH)
        return cli_usage("--watch takes at most %d targets", MOST_WATCH);
    signals_take();
    code = run_threads(p);
    return code || p->watch ? code : report_once(p);
}

static int run(struct cli *c)
{
    size_t most = c->arg_count + c->config.endpoint_count + c->config.probe_count + 1;
    struct probing p = {.cli = c,
                        .watch = cli_flag(c, FLAG_WATCH),
                        .color = cli_color(c, STDOUT_FILENO),
                        .aims = calloc(most, sizeof *p.aims),
                        .samples = calloc(most, sizeof *p.samples),
                        .cancel_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
                        .done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    int code = 1;
    if (p.watch && cli_flag(c, FLAG_ONCE))
        code = cli_usage("--once and --watch exclude each other");
    else if (p.aims && p.samples && p.cancel_fd >= 0 && p.done_fd >= 0)
        code = probe_all(&p);
    else
        cli_note("no memory or descriptor for probing");
    free(p.aims);
    free(p.samples);
    close(p.cancel_fd);
    close(p.done_fd);
    return code;
}

const struct command command_probe = {
    .name = "probe",
    .args = "[TARGET...]",
    .purpose = "is it up? One sample each, or a running view",
    .detail =
        "A target is a configured probe or endpoint, or a URL: http, https, tcp, or a broker's. Without targets all that is "
        "configured. Exit 3 if any is down; degraded is 0, with --strict 3 too. An http or https URL is asked for as it stands, with "
        "its query: a `?ca=FILE` there is the service's. Which authorities https trusts is said by `tls: {ca: FILE}` of a "
        "configured probe.",
    .flags = F(ONCE) | F(WATCH) | F(STRICT) | F(JSON) | F(PLAIN),
    .max_args = 1000,
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox probe", "everything configured"},
                 {"signalbox probe https://example.org/up --json", "with timings, as JSON"},
                 {"signalbox probe payments --watch", "a line a measurement"}},
    .exits = "0 2 3 130",
    .run = run,
};
