/* What may be changed, and for how long: endpoint by endpoint, as the configuration has it or `:write` opens it. */
#include "ui/screen_internal.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct endpoint *endpoint_at(const struct screen *s, size_t i)
{
    return &hub_endpoint(s->hub, i)->config->endpoint;
}

/* ns; 0: closed, or open by the configuration alone */
static int64_t left_at(const struct screen *s, size_t i)
{
    int64_t left = i < s->write_room && s->write_until[i] ? s->write_until[i] - clock_mono_ns() : 0;
    return left > 0 ? left : 0;
}

static bool is_open(const struct screen *s, size_t i)
{
    return endpoint_at(s, i)->write || left_at(s, i) > 0;
}

bool screen_may_write(const struct screen *s, const struct endpoint *e)
{
    if (e->write)
        return true;
    for (size_t i = 0; i < hub_endpoint_count(s->hub); i++)
        if (strcmp(endpoint_at(s, i)->name, e->name) == 0)
            return is_open(s, i);
    return false;
}

/* False: no memory. */
static bool open_at(struct screen *s, size_t i, int64_t ns)
{
    if (i >= s->write_room) {
        int64_t *grown = reallocarray(s->write_until, i + 1, sizeof *grown);
        if (!grown)
            return false;
        memset(grown + s->write_room, 0, (i + 1 - s->write_room) * sizeof *grown);
        s->write_until = grown;
        s->write_room = i + 1;
    }
    s->write_until[i] = ns > 0 ? clock_mono_ns() + ns : 0;
    return true;
}

/* ---- all of them ---- */

static void close_all(struct screen *s)
{
    bool any = false;
    for (size_t i = 0; i < s->write_room; i++) {
        any |= left_at(s, i) > 0;
        s->write_until[i] = 0;
    }
    if (any)
        audit_note(s->audit, "lock", "");
    screen_say(s, SEVERITY_INFO, "Read-only again, but for what the configuration opens (`write: true`)");
}

static void say_opened(struct screen *s, size_t opened, size_t production, const char *age)
{
    if (opened)
        screen_say(s, SEVERITY_INFO,
                   "Changes are allowed for %s; each one is asked for all the same. :write off ends it%s",
                   age, production ? ". Production stays read-only: `:write NAME 10m` opens one" : "");
    else if (production)
        screen_say(s, SEVERITY_WARN, "Production is opened by its name: `:write NAME 10m`");
    else
        screen_say(
            s, SEVERITY_INFO,
            "The configuration opens every endpoint (`write: true`), without a limit: there is nothing to open");
}

void screen_write(struct screen *s, int64_t ns)
{
    char text[120], age[32];
    size_t opened = 0, production = 0, all = hub_endpoint_count(s->hub);
    if (ns <= 0) {
        close_all(s);
        return;
    }
    for (size_t i = 0; i < all; i++) {
        const struct endpoint *e = endpoint_at(s, i);
        if (!e->write && !e->production)
            opened += open_at(s, i, ns);
        production += e->production && !is_open(s, i);
    }
    text_age(age, sizeof age, ns);
    snprintf(text, sizeof text, "%zu of %zu endpoints, for %s", opened, all, age);
    if (opened)
        audit_note(s->audit, "unlock", text);
    say_opened(s, opened, production, age);
}

/* ---- one ---- */

static void open_one(struct screen *s, size_t i, int64_t ns)
{
    char text[400], age[32];
    const struct endpoint *e = endpoint_at(s, i);
    if (!open_at(s, i, ns))
        return;
    snprintf(text, sizeof text, "%s, for %s%s", e->name, text_age(age, sizeof age, ns),
             e->production ? ", its name typed" : "");
    audit_note(s->audit, "unlock", text);
    screen_say(s, SEVERITY_INFO, "Changes of %s are allowed for %s; each one is asked for all the same",
               e->name, age);
}

static void answer_write(struct screen *s, void *context, bool yes)
{
    (void)context;
    if (yes)
        open_one(s, s->write_asked, s->write_asked_ns);
    else
        screen_say(s, SEVERITY_INFO, "%s stays read-only", endpoint_at(s, s->write_asked)->name);
}

static void ask_to_write(struct screen *s, size_t i, int64_t ns)
{
    struct dialog d;
    char yes[80], age[32];
    s->write_asked = i;
    s->write_asked_ns = ns;
    dialog_init(&d, "Allow changes (PRODUCTION)", true);
    dialog_add(&d, ROLE_TITLE, "Endpoint", "%s", endpoint_at(s, i)->name);
    dialog_add(&d, ROLE_TEXT, "For", "%s; each change is asked for all the same",
               text_age(age, sizeof age, ns));
    dialog_name(&d, endpoint_at(s, i)->name);
    snprintf(yes, sizeof yes, "allow changes for %s", age);
    dialog_open(&d, yes);
    screen_ask(s, &d, answer_write, NULL);
}

static void close_one(struct screen *s, size_t i)
{
    const char *name = endpoint_at(s, i)->name;
    if (left_at(s, i) > 0)
        audit_note(s->audit, "lock", name);
    if (i < s->write_room)
        s->write_until[i] = 0;
    screen_say(s, SEVERITY_INFO, "%s is read-only again", name);
}

void screen_write_one(struct screen *s, size_t endpoint, int64_t ns)
{
    const struct endpoint *e = endpoint_at(s, endpoint);
    if (e->write)
        screen_say(s, SEVERITY_INFO, "The configuration opens %s (`write: true`), without a limit", e->name);
    else if (ns <= 0)
        close_one(s, endpoint);
    else if (e->production)
        ask_to_write(s, endpoint, ns);
    else
        open_one(s, endpoint, ns);
}

/* ---- what row 0 says ---- */

/* Minutes while there are some: the last one goes by in seconds. */
static char *left_text(int64_t left, char *into, size_t size)
{
    int64_t seconds = (left + NS_PER_S - 1) / NS_PER_S;
    if (seconds > 60)
        snprintf(into, size, "%" PRId64 "m", (seconds + 59) / 60);
    else
        snprintf(into, size, "%" PRId64 "s", seconds);
    return into;
}

enum role screen_badge(const struct screen *s, bool narrow, char *into, size_t size)
{
    char left[24];
    size_t all = hub_endpoint_count(s->hub), open = 0;
    int64_t first = 0; /* to close */
    *into = '\0';
    for (size_t i = 0; i < all; i++) {
        int64_t ns = left_at(s, i);
        open += is_open(s, i);
        first = ns > 0 && (!first || ns < first) ? ns : first;
    }
    if (all == 0)
        return ROLE_CHROME;
    if (!open)
        snprintf(into, size, narrow ? "RO" : "READ-ONLY");
    else if (first && open == all)
        snprintf(into, size, "WRITE %s", left_text(first, left, sizeof left));
    else if (first)
        snprintf(into, size, "WRITE %s %zu/%zu", left_text(first, left, sizeof left), open, all);
    else if (open < all)
        snprintf(into, size, narrow ? "WRITE %zu/%zu" : "WRITE %zu of %zu", open, all);
    else
        snprintf(into, size, "WRITE");
    return open ? ROLE_WARN : ROLE_CHROME;
}
