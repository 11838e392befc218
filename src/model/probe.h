/* The contract of a probe: one run with a deadline gives one sample. Floor 1. Probes never derive availability.
 * A new probe is one file in probes/ and one row in src/registry.c. */
#ifndef SIGNALBOX_MODEL_PROBE_H
#define SIGNALBOX_MODEL_PROBE_H

#include "model/broker.h"
#include "model/endpoint.h"
#include "model/sample.h"

enum assertion_kind { ASSERT_STATUS, ASSERT_HEADER, ASSERT_BODY, ASSERT_JSON };

/* status: text "200" or "200-299"; header: name and expected text; body: contained text or /regex/; json: RFC 6901 pointer
 * in name, expected scalar in text. */
struct assertion {
    enum assertion_kind kind;
    const char *name;
    const char *text;
};
/* Can it be met at all? ERR_CONFIG says why not: a pattern that is none, a malformed pointer, no HTTP status. */
enum err assertion_check(const struct assertion *a, struct err_info *err) SB_MUST_USE;
bool assertion_pattern(const char *text, struct bytes *pattern);      /* of a body: is it /regex/? */
bool assertion_status(const char *text, int64_t *low, int64_t *high); /* false: it can't be read */

/* What to probe, from the configuration or the command line. Immutable, outlives the probe. */
struct probe_target {
    const char *name; /* as configured, or the URL */
    const char *kind; /* "rest" "tcp" "broker" ...: the probe's name */
    struct endpoint endpoint;
    int64_t every_ns, timeout_ns, slow_ns; /* slow_ns 0: no threshold */
    unsigned down_after, up_after;
    const struct assertion *expect;
    size_t expect_count;
    const char *const *needs; /* NULL-terminated names; NULL none */
};

typedef void probe_done(void *context, const struct sample *sample);

struct http_client; /* net/http.h */

/* What the scheduler lends to every probe: a probe keeps nothing of its own between runs. */
struct probe_env {
    struct http_client
        *http; /* shared by all of them; for start alone, since freeing it ends what start began */
    broker_registry brokers;
};

/* A probe has one of the two forms. */
struct probe_ops {
    const char *name;
    const char *const *schemes; /* NULL-terminated: URL schemes that mean this probe */
    bool needs_port;            /* there is no usual one: a URL without is refused before it comes here */
    /* Blocking: measures once, by deadline_ns (monotonic) or soon after; cancel_fd turns readable to end it early (the
     * sample is then ERR_CANCELLED). Called on a thread of the scheduler's pool, several at once. Always fills the sample. */
    void (*run)(const struct probe_env *env, const struct probe_target *target, int64_t deadline_ns,
                int cancel_fd, struct sample *sample);
    /* Asynchronous: begins a run and returns at once; done is called exactly once, by deadline_ns or soon after, on any
     * thread, maybe already inside start. A run ends early (ERR_CANCELLED) when env->http is freed. */
    void (*start)(const struct probe_env *env, const struct probe_target *target, int64_t deadline_ns,
                  probe_done *done, void *context);
};

typedef const struct probe_ops *const *probe_registry;

#endif
