#include "probes/rest.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "net/certificate.h"
#include "net/http.h"
#include "probes/rest_expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS     (24 * 3600 * NS_PER_S)
#define RENEW_DAYS 14

#define UNAUTHORIZED 401

static const char *const schemes[] = {"http", "https", NULL};

struct rest_run {
    const struct probe_target *target;
    probe_done *done;
    void *context;
};

/* Only a good answer is degraded by its certificate; a bad one has a better reason. */
static void judge_certificate(struct sample *s)
{
    if (s->certificate_expires_ns == TIME_NONE || s->health != HEALTH_UP)
        return;
    char text[40];
    int64_t left = s->certificate_expires_ns - clock_wall_ns();
    if (left >= RENEW_DAYS * DAY_NS)
        return;
    s->health = HEALTH_DEGRADED;
    if (left < 0) /* seen only where verification is switched off */
        snprintf(s->reason, sizeof s->reason, "the certificate has expired");
    else
        snprintf(s->reason, sizeof s->reason, "the certificate ends in %s",
                 certificate_left(left, text, sizeof text));
}

static void judge(const struct probe_target *t, const struct http_response *r, struct sample *s)
{
    char text[sizeof r->err.text + sizeof r->err.next + 4];
    sample_init(s);
    s->phases = r->phases;
    s->certificate_expires_ns = r->certificate_expires_ns;
    s->time_ns = clock_wall_ns();
    if (r->error) {
        sample_fail(s, &r->err);
        bool mended_here = r->error == ERR_TLS || r->error == ERR_CLOSED || r->error == ERR_PROTOCOL;
        if (mended_here && r->err.next[0]) { /* nobody mends it but who reads this */
            snprintf(text, sizeof text, "%s; %s", r->err.text, r->err.next);
            text_shorten(s->reason, sizeof s->reason, text);
        }
        return;
    }
    snprintf(s->code, sizeof s->code, "%ld", r->status);
    if (!rest_expect_met(t->expect, t->expect_count, r, s->reason, sizeof s->reason)) {
        s->health = HEALTH_DOWN;
        s->error = r->status == UNAUTHORIZED ? ERR_AUTH : ERR_DOWN;
    }
    judge_certificate(s);
}

static void on_answer(void *context, struct http_response *response)
{
    struct rest_run *run = context;
    struct sample sample;
    judge(run->target, response, &sample);
    run->done(run->context, &sample);
    free(run);
}

/* The user of the URL goes separately, so that the password goes with it. NULL: no memory. */
static char *url_without_user(const char *text)
{
    char *url = strdup(text);
    char *host = url ? strstr(url, "://") : NULL;
    char *at = host ? memchr(host + 3, '@', strcspn(host + 3, "/?#")) : NULL;
    if (at)
        memmove(host + 3, at + 1, strlen(at + 1) + 1);
    return url;
}

static void no_memory(probe_done *done, void *context)
{
    struct sample s;
    struct err_info err;
    err_set(&err, ERR_NOMEM, "no memory for a probe");
    sample_init(&s);
    sample_fail(&s, &err);
    s.time_ns = clock_wall_ns();
    done(context, &s);
}

/* Who expects a redirect wants to see it. */
static bool expects_redirect(const struct probe_target *t)
{
    int64_t low, high;
    for (size_t i = 0; i < t->expect_count; i++)
        if (t->expect[i].kind == ASSERT_STATUS && assertion_status(t->expect[i].text, &low, &high) &&
            low >= 300 && high <= 399)
            return true;
    return false;
}

static void rest_start(const struct probe_env *env, const struct probe_target *target, int64_t deadline_ns,
                       probe_done *done, void *context)
{
    const struct endpoint *e = &target->endpoint;
    struct rest_run *run = malloc(sizeof *run);
    char *url = url_without_user(e->text);
    if (!run || !url) {
        free(run);
        free(url);
        no_memory(done, context);
        return;
    }
    *run = (struct rest_run){.target = target, .done = done, .context = context};
    struct http_request request = {
        .url = url,
        .username = e->username,
        .password = e->password,
        .tls = e->tls,
        .deadline_ns = deadline_ns,
        .max_body = LIMIT_PROBE_BODY,
        .follow = !expects_redirect(target),
        .fresh = true,
    };
    http_start(env->http, &request, on_answer, run);
    free(url);
}

const struct probe_ops rest_probe = {.name = "rest", .schemes = schemes, .start = rest_start};
