/* Availability from samples, with hysteresis both ways (as HAProxy's rise and fall): one failed probe is no outage, one good
 * one no recovery. The first sample of all decides at once when it is good; what is not known yet is unknown, not down. */
#include "base/clock.h"
#include "base/text.h"
#include "engine/histogram.h"
#include "engine/prober.h"

#include <stdio.h>
#include <string.h>

enum err availability_init(struct availability *a, unsigned down_after, unsigned up_after, int64_t slow_ns,
                           int64_t stale_after_ns, struct err_info *err)
{
    *a = (struct availability){
        .state = HEALTH_UNKNOWN,
        .since_ns = clock_wall_ns(),
        .down_after = down_after ? down_after : 1,
        .up_after = up_after ? up_after : 1,
        .slow_ns = slow_ns,
        .stale_after_ns = stale_after_ns,
        .latency = histogram_new(),
    };
    a->last.time_ns = TIME_NONE;
    return a->latency ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for a histogram");
}

void availability_free(struct availability *a)
{
    histogram_free(&a->latency);
}

/* now_ns: when it is said; since_ns: when it began. */
static bool move_to(struct availability *a, enum health to, int64_t now_ns, int64_t since_ns,
                    const char *reason)
{
    if (a->state == to)
        return false;
    memmove(a->changes + 1, a->changes, (HEALTH_CHANGES - 1) * sizeof *a->changes);
    a->changes[0] = (struct health_change){.time_ns = now_ns, .from = a->state, .to = to};
    text_copy(a->changes[0].reason, sizeof a->changes[0].reason, reason);
    if (a->change_count < HEALTH_CHANGES)
        a->change_count++;
    a->state = to;
    a->since_ns = since_ns;
    return true;
}

static void count_column(struct availability *a, const struct sample *s)
{
    int64_t minute = s->time_ns / (60 * NS_PER_S);
    int64_t steps = minute - a->columns[HEALTH_COLUMNS - 1].minute;
    if (steps > 0) {
        size_t shift = steps < HEALTH_COLUMNS ? (size_t)steps : HEALTH_COLUMNS;
        memmove(a->columns, a->columns + shift, (HEALTH_COLUMNS - shift) * sizeof *a->columns);
        for (size_t i = 0; i < shift; i++) {
            size_t at = HEALTH_COLUMNS - 1 - i;
            memset(&a->columns[at], 0, sizeof *a->columns);
            a->columns[at].minute = minute - (int64_t)i;
        }
    }
    float ms = s->phases.total > 0 ? (float)((double)s->phases.total / NS_PER_MS) : 0;
    if (a->columns[HEALTH_COLUMNS - 1].worst_ms < ms)
        a->columns[HEALTH_COLUMNS - 1].worst_ms = ms;
    if (a->columns[HEALTH_COLUMNS - 1].runs < UINT16_MAX)
        a->columns[HEALTH_COLUMNS - 1].runs++;
    if (s->health == HEALTH_DOWN && a->columns[HEALTH_COLUMNS - 1].failed < UINT16_MAX)
        a->columns[HEALTH_COLUMNS - 1].failed++;
}

static const char *reason_of(const struct sample *s)
{
    return s->reason[0] ? s->reason : err_text(s->error);
}

static bool take_failure(struct availability *a, const struct sample *s)
{
    char why[200];
    a->failed++;
    if (a->failures++ == 0)
        a->run_since_ns = s->time_ns;
    a->successes = 0;
    if (a->failures < a->down_after || a->state == HEALTH_DOWN)
        return false;
    snprintf(why, sizeof why, "%.150s, %u of %u probes", reason_of(s), a->failures, a->down_after);
    a->since_before = a->state == HEALTH_UNKNOWN;
    return move_to(a, HEALTH_DOWN, s->time_ns, a->run_since_ns, a->down_after > 1 ? why : s->reason);
}

/* Up and degraded change into each other after up_after samples that agree; leaving down takes up_after as well. */
static bool take_success(struct availability *a, const struct sample *s)
{
    bool slow = a->slow_ns > 0 && s->phases.total > a->slow_ns;
    enum health now = slow || s->health == HEALTH_DEGRADED ? HEALTH_DEGRADED : HEALTH_UP;
    char why[200];
    bool failed_before = a->failures > 0;
    a->failures = 0;
    if (now == HEALTH_DEGRADED)
        a->slow = slow;
    histogram_add(a->latency, s->phases.total);
    if (now == a->state) {
        a->successes = 0;
        return false;
    }
    if (a->successes++ == 0)
        a->run_since_ns = s->time_ns;
    if (a->state != HEALTH_UNKNOWN && a->successes < a->up_after)
        return false;
    a->successes = 0;
    text_copy(why, sizeof why, s->reason);
    if (slow && s->health != HEALTH_DEGRADED)
        snprintf(why, sizeof why, "%.0f ms, threshold %.0f ms", (double)s->phases.total / NS_PER_MS,
                 (double)a->slow_ns / NS_PER_MS);
    a->since_before = a->state == HEALTH_UNKNOWN && !failed_before;
    return move_to(a, now, s->time_ns, a->run_since_ns, why);
}

bool availability_sample(struct availability *a, const struct sample *s)
{
    if (s->error == ERR_CANCELLED)
        return false;
    a->runs++;
    a->last = *s;
    count_column(a, s);
    return s->health == HEALTH_DOWN ? take_failure(a, s) : take_success(a, s);
}

bool availability_tick(struct availability *a, int64_t now_ns)
{
    if (a->last.time_ns == TIME_NONE || a->stale_after_ns <= 0 ||
        now_ns - a->last.time_ns < a->stale_after_ns)
        return false;
    char why[200];
    a->failures = a->successes = 0;
    snprintf(why, sizeof why, "no sample for %.0f s: the state is not known",
             (double)((now_ns - a->last.time_ns) / NS_PER_S));
    a->since_before = false;
    return move_to(a, HEALTH_UNKNOWN, now_ns, now_ns, why);
}

bool availability_fails(const struct availability *a)
{
    return a->state == HEALTH_UNKNOWN && a->failures > 0;
}

char *availability_turn(const struct availability *a, char *into, size_t size)
{
    bool stands = a->state == HEALTH_UP || a->state == HEALTH_DEGRADED;
    if (stands && a->failures)
        snprintf(into, size, "failing %u of %u", a->failures, a->down_after);
    else if (a->state == HEALTH_DOWN && a->successes)
        snprintf(into, size, "up %u of %u", a->successes, a->up_after);
    else
        *into = '\0';
    return into;
}

static char *reason_of_state(const struct availability *a, char *into, size_t size)
{
    const struct sample *last = &a->last;
    const char *said = a->change_count && a->changes[0].to == a->state ? a->changes[0].reason : last->reason;
    bool degraded = a->state == HEALTH_DEGRADED;
    if (availability_fails(a)) {
        snprintf(into, size, "%.150s, %u of %u probes", reason_of(last), a->failures, a->down_after);
        return into;
    }
    if (degraded && a->slow && last->health != HEALTH_DOWN) {
        snprintf(into, size, "last %.0f ms, threshold %.0f ms", (double)last->phases.total / NS_PER_MS,
                 (double)a->slow_ns / NS_PER_MS);
        return into;
    }
    bool newer = degraded ? !a->slow && last->health == HEALTH_DEGRADED && last->reason[0]
                          : a->state == HEALTH_DOWN && last->health == HEALTH_DOWN &&
                                !text_starts(said, reason_of(last));
    return text_copy(into, size, a->state == HEALTH_UP ? last->reason : newer ? reason_of(last) : said);
}

char *availability_reason(const struct availability *a, char *into, size_t size)
{
    char turn[40];
    reason_of_state(a, into, size);
    size_t used = strlen(into);
    if (*availability_turn(a, turn, sizeof turn))
        snprintf(into + used, size - used, "%s%s", used ? "; " : "", turn);
    return into;
}

int64_t availability_percentile(const struct availability *a, double p)
{
    return histogram_percentile(a->latency, p);
}
