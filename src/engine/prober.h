/* The probe scheduler and availability. Floor 4.
 *
 * One scheduler thread (timers, asynchronous probes) and a small pool for blocking ones. Availability is derived here with
 * hysteresis: down after N failures in a row, up after M successes, degraded above the latency threshold or when the probe
 * says so, unknown when stale (no sample for 3 intervals + time-out). */
#ifndef SIGNALBOX_ENGINE_PROBER_H
#define SIGNALBOX_ENGINE_PROBER_H

#include "engine/secret.h"
#include "model/probe.h"
#include "model/registry.h"

#define HEALTH_CHANGES 16
#define HEALTH_COLUMNS 60

struct health_change {
    int64_t time_ns;
    enum health from, to;
    char reason[200];
};

/* Availability of one target, pure bookkeeping: feed samples, ask for the state. One thread at a time. */
struct availability {
    enum health state;
    bool slow;        /* degraded by its latency; else by what the sample says (an alarm, a certificate) */
    int64_t since_ns; /* wall clock: of the first of the samples that made it so */
    bool
        since_before; /* nothing else was seen before that sample: it has been so for longer, nobody knows how long */
    int64_t run_since_ns;         /* of the first failure or success in a row */
    unsigned failures, successes; /* in a row */
    uint64_t runs, failed;
    struct sample last;                           /* newest sample; time_ns TIME_NONE: none yet */
    struct health_change changes[HEALTH_CHANGES]; /* newest first */
    unsigned change_count;
    struct histogram *latency; /* of successful runs */
    struct {                   /* newest last: one column a minute */
        int64_t minute;
        float worst_ms;
        uint16_t runs, failed;
    } columns[HEALTH_COLUMNS];
    unsigned down_after, up_after;
    int64_t slow_ns, stale_after_ns;
};
enum err availability_init(struct availability *a, unsigned down_after, unsigned up_after, int64_t slow_ns,
                           int64_t stale_after_ns, struct err_info *err) SB_MUST_USE;
void availability_free(struct availability *a);
/* True: the state changed. */
bool availability_sample(struct availability *a, const struct sample *s);
bool availability_tick(struct availability *a, int64_t now_ns); /* stale? */
/* No verdict yet, and all that came in speaks against it: not up before, or nobody knows any more. */
bool availability_fails(const struct availability *a);
/* What is under way against the state: "failing 1 of 3" while it is up, "up 1 of 2" while it is down; "": nothing. */
char *availability_turn(const struct availability *a, char *into, size_t size);
/* Why it is as it is, and what is under way: by the newest sample where that bears it out, else as it was said when it became so. */
char *availability_reason(const struct availability *a, char *into, size_t size);
int64_t availability_percentile(const struct availability *a, double p); /* ns; -1 without samples */

struct prober;

/* Who lets measure. Hooks run on the prober's threads, several at once. */
struct prober_host {
    void *context;
    void (*sample)(void *context, const struct probe_target *target, const struct sample *sample);
    /* Before a target's first run, and again after it failed (which is a sample) or the password was refused (a sample with
     * ERR_AUTH): finds its password. It may take its time and holds up no other target. NULL, or nothing found: the
     * target's own counts. */
    enum err (*prepare)(void *context, const struct probe_target *target, struct secret *into,
                        struct err_info *err) SB_MUST_USE;
};

/* Starts measuring every target at its own interval (first runs at once, spread over 200 ms). A run that takes longer than
 * the interval delays nobody but the next one of its own target. Targets and registry outlive the prober. A sample over
 * the target's slow threshold is DEGRADED. */
struct prober *prober_start(const struct probe_target *targets, size_t count, const struct registry *registry,
                            const struct prober_host *host, struct err_info *err);
void prober_refresh(struct prober *p); /* any thread: all of them now */
void prober_stop(struct prober **p);   /* cancels what runs and waits for it; the sink is silent afterwards */

/* One measurement of one target, now, blocking until its time-out. cancel_fd (-1: none) turns readable to end it early;
 * it is only polled, never read. */
void probe_once(const struct probe_target *target, const struct registry *registry, int cancel_fd,
                struct sample *sample);

#endif
