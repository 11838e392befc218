#include "engine/sample_json.h"

#include "base/clock.h"
#include "base/json.h"

#include <math.h>

/* Milliseconds, to the microsecond: more digits than that would be noise. */
static void phase(struct json_writer *w, const char *name, int64_t ns)
{
    json_name(w, name);
    if (ns == PHASE_NONE)
        json_null(w);
    else
        json_double(w, round((double)ns / 1000.0) / 1000.0);
}

static void phases(struct json_writer *w, const struct phases *p)
{
    json_name(w, "phases_ms");
    json_object(w);
    phase(w, "dns", p->dns);
    phase(w, "connect", p->connect);
    phase(w, "tls", p->tls);
    phase(w, "first_byte", p->first_byte);
    phase(w, "total", p->total);
    json_object_end(w);
}

static void text(struct json_writer *w, const char *name, const char *value)
{
    json_name(w, name);
    json_text(w, value);
}

static void moment(struct json_writer *w, const char *name, int64_t ns)
{
    char into[40];
    text(w, name, clock_rfc3339(ns, into, sizeof into));
}

void sample_json(struct buffer *out, const struct probe_target *target, enum health state,
                 const struct sample *s)
{
    struct json_writer w;
    json_write(&w, out);
    json_object(&w);
    text(&w, "schema", "signalbox.sample/1");
    text(&w, "target", target->name);
    text(&w, "kind", target->kind);
    text(&w, "state", health_name(state));
    text(&w, "reason", s->reason);
    text(&w, "code", s->code);
    phases(&w, &s->phases);
    moment(&w, "time", s->time_ns);
    if (s->certificate_expires_ns != TIME_NONE)
        moment(&w, "certificate_expires", s->certificate_expires_ns);
    json_object_end(&w);
}
