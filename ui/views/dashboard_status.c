/* The dashboard's status row: the whole story of what the cursor is on. */
#include "ui/views/dashboard.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static void tell_health(struct frame *f, const struct availability *a, const char *name, char *into,
                        size_t size)
{
    char age[16], hms[16], reason[240], certificate[64];
    bool fails = availability_fails(a), before = a->since_before || fails;
    int64_t since_ns = fails ? a->run_since_ns : a->since_ns;
    availability_reason(a, reason, sizeof reason);
    if (!a->runs) {
        snprintf(into, size, "%s: not measured yet", name);
        return;
    }
    clock_hms(since_ns, hms, sizeof hms, 0);
    sample_certificate(&a->last, certificate, sizeof certificate);
    snprintf(into, size, "%s is %s for %s, since %s%sZ%s%s%s%s   %llu of %llu runs failed", name,
             look_word(look_health(a)), paint_since(f, since_ns, before, age, sizeof age),
             before ? "before " : "", hms, reason[0] ? ": " : "", reason, certificate[0] ? "   " : "",
             certificate, (unsigned long long)a->failed, (unsigned long long)a->runs);
}

/* What came in once and was routed to three queues counts there three times. */
static bool counts_copies(const struct hub_endpoint *e)
{
    for (size_t i = 0; e->channels && i < e->channels->count; i++)
        if (e->channels->items[i].kind == CHANNEL_EXCHANGE)
            return true;
    return false;
}

static void tell_broker(struct frame *f, const struct hub_endpoint *e, char *into, size_t size)
{
    char text[480], age[32];
    const char *name = e->config->endpoint.name;
    if (hub_is_stale(e)) {
        size_t used = (size_t)snprintf(into, size, "showing %s   ",
                                       dashboard_time_of_data(e->channels->time_ns, age, sizeof age));
        into += used;
        size -= used;
    }
    if (e->status.err.code && e->status.state != SESSION_UP)
        snprintf(into, size, "%s", err_format(&e->status.err, text, sizeof text));
    else if (e->channels && !e->channels->complete)
        snprintf(into, size, "%s: %s", name, e->channels->note);
    else
        tell_health(f, &e->health, name, into, size);
    size_t used = strlen(into);
    if (e->totals.in_rate >= 0 && counts_copies(e))
        snprintf(into + used, size - used, "   IN/s: into its queues, each copy counted");
}

static void tell_channel(const struct hub_endpoint *e, const struct channel *c, char *into, size_t size)
{
    char bytes[160] = "", age[32];
    if (c->bytes >= 0)
        text_bytes(bytes, sizeof bytes, (uint64_t)c->bytes);
    else if (c->bytes_why)
        snprintf(bytes, sizeof bytes, "size not known (%s)", c->bytes_why);
    const char *why = c->why_not[CAN_TAP] ? c->why_not[CAN_TAP] : c->why_not[CAN_BROWSE];
    bool stale = hub_channel_is_stale(e, c);
    snprintf(into, size, "%s: %s%s%s%s%s%s%s%s   looking: %s%s%s", c->name,
             stale ? dashboard_time_of_data(hub_counts_ns(e, c), age, sizeof age) : "",
             stale ? ", and nothing newer; " : "", c->detail, c->state[0] ? ", " : "", c->state,
             bytes[0] ? ", " : "", bytes, c->depth_upper ? ", backlog is an upper bound" : "",
             dashboard_reads(c), why ? "   " : "", why ? why : "");
}

/* The filter, since what is hidden must be said before anything else, then the text: upwards from row y, over as many rows as it
 * needs and the list leaves blank. */
static void put_status(struct canvas *c, int y, const struct dashboard *d, const char *text)
{
    char prefix[340] = "", unknown[40] = "";
    if (d->filter && d->unknown)
        snprintf(unknown, sizeof unknown, " (%zu not known)", d->unknown);
    if (d->filter)
        snprintf(prefix, sizeof prefix, "filter %s%s   ", d->filter_text, unknown);
    int x = 1 + (int)utf8_cells(bytes_of_text(prefix));
    struct rect r = {x, y, c->w - 1 - x, 0};
    int rows = canvas_words(c, r, ROLE_MUTED, bytes_of_text(text));
    for (r.h = 1; r.h < rows && canvas_blank(c, (struct rect){0, r.y - 1, c->w, 1}); r.h++)
        r.y--;
    canvas_text(c, 1, r.y, c->w - 2, ROLE_WARN, prefix);
    canvas_words(c, r, ROLE_MUTED, bytes_of_text(text));
}

void dashboard_draw_status(struct view *v, struct frame *f, int y)
{
    const struct dashboard *d = v->state;
    const struct item *i = &d->items[d->at];
    char text[640] = "";
    const struct hub_attention *rows;
    if (d->count == 0)
        text[0] = '\0';
    else if (i->kind == ITEM_ATTENTION && hub_attention(v->hub, &rows) > i->index)
        dashboard_attention_tell(&rows[i->index], text, sizeof text);
    else if (i->kind == ITEM_PROBE)
        tell_health(f, &hub_probe(v->hub, i->index)->health, hub_probe(v->hub, i->index)->target->name, text,
                    sizeof text);
    else if (i->kind == ITEM_BROKER)
        tell_broker(f, hub_endpoint(v->hub, i->index), text, sizeof text);
    else if (i->kind == ITEM_CHANNEL)
        tell_channel(hub_endpoint(v->hub, i->index), dashboard_channel(v, i), text, sizeof text);
    put_status(f->canvas, y, d, text);
}
