#include "cli/dedupe.h"

#include "base/text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>

#define VALUE_CELLS 20

char *dedupe_spread_text(char *into, size_t size, int64_t ns)
{
    if (ns == TIME_NONE)
        snprintf(into, size, "-");
    else if (ns < NS_PER_S)
        snprintf(into, size, "%" PRId64 " ms", ns / NS_PER_MS);
    else if (ns < 60 * NS_PER_S)
        snprintf(into, size, "%.1f s", (double)(ns / (NS_PER_S / 10)) / 10);
    else
        text_age(into, size, ns);
    return into;
}

/* As much of it as has room, its end marked where there is more. */
static void put_value(struct buffer *out, const struct dedupe_group *g, const struct dedupe_rule *rule)
{
    struct buffer raw, text;
    buffer_init(&raw, MIB);
    buffer_init(&text, 8 * MIB);
    dedupe_rule_show(rule, g->value, &raw);
    if (g->hidden)
        buffer_text(&text, "[redacted]");
    else if (!raw.len)
        buffer_text(&text, "\"\"");
    else
        utf8_scrub(&text, buffer_view(&raw), SCRUB_SCREEN);
    struct bytes shown = buffer_view(&text);
    size_t at = 0, end = 0, cells = 0;
    bool cut = utf8_cells(shown) > VALUE_CELLS || g->value_len > DEDUPE_INLINE;
    while (at < shown.len) {
        int width = utf8_width(utf8_next(shown, &at));
        if (cells + (size_t)(width > 0 ? width : 0) > VALUE_CELLS - (cut ? 1 : 0))
            break;
        cells += (size_t)(width > 0 ? width : 0);
        end = at;
    }
    buffer_bytes(out, bytes_slice(shown, 0, end));
    if (cut)
        buffer_text(out, "…");
    for (cells += cut; cells < VALUE_CELLS; cells++)
        buffer_byte(out, ' ');
    buffer_free(&raw);
    buffer_free(&text);
}

static const char *place_of(const struct dedupe_copy *c, char *into, size_t size)
{
    if (c->position.kind == POSITION_NONE)
        snprintf(into, size, "no. %" PRIu64, c->number);
    else
        position_text(c->position, into, size);
    return into;
}

static void put_group(struct buffer *out, const struct dedupe_group *g, const struct dedupe_rule *rule)
{
    char first[CLOCK_TEXT] = "-", spread[32], place[48], copies[32];
    if (g->first_ns != TIME_NONE)
        clock_rfc3339_seconds(g->first_ns, first, sizeof first);
    buffer_printf(out, "%7s  ", text_count(copies, sizeof copies, g->copies));
    put_value(out, g, rule);
    buffer_printf(out, "  %-20s  %7s  %-10s %s\n", first,
                  dedupe_spread_text(spread, sizeof spread, dedupe_spread(g)),
                  place_of(&g->kept, place, sizeof place), g->bodies_differ ? "DIFFER" : "same");
}

static char *share_of(char *into, size_t size, const struct dedupe_totals *t)
{
    snprintf(into, size, "%.2f %%", t->messages ? 100.0 * (double)t->extras / (double)t->messages : 0);
    return into;
}

void dedupe_put_groups(struct buffer *out, const struct dedupe *d, const struct dedupe_rule *rule)
{
    const struct dedupe_totals *t = dedupe_totals(d);
    char messages[32], unique[32], groups[32], extras[32], share[32], most[32];
    buffer_printf(out, "%s messages: %s unique, %s group%s of duplicates, %s extra%s (%s)",
                  text_count(messages, sizeof messages, t->messages),
                  text_count(unique, sizeof unique, t->unique), text_count(groups, sizeof groups, t->groups),
                  t->groups == 1 ? "" : "s", text_count(extras, sizeof extras, t->extras),
                  t->extras == 1 ? "" : "s", share_of(share, sizeof share, t));
    buffer_printf(out, t->groups ? "\nat most %s copies\n\n" : "\n", text_count(most, sizeof most, t->most));
    if (t->groups)
        buffer_printf(out, "%7s  %-*s  %-20s  %7s  %-10s %s\n", "COPIES", VALUE_CELLS, "VALUE", "FIRST SEEN",
                      "SPREAD", "KEPT", "BODIES");
    for (size_t i = 0; i < dedupe_group_count(d); i++)
        put_group(out, dedupe_group(d, i), rule);
}

void dedupe_put_heading(struct buffer *out)
{
    buffer_printf(out, "%-5s %11s %11s %11s %11s %8s %8s %8s\n", "BY", "NO VALUE", "UNIQUE", "GROUPS",
                  "EXTRAS", "SHARE", "MOST", "DIFFER");
}

void dedupe_put_totals(struct buffer *out, const struct dedupe *d, const struct dedupe_rule *rule)
{
    const struct dedupe_totals *t = dedupe_totals(d);
    const uint64_t counts[] = {t->without + t->unknown, t->unique, t->groups, t->extras};
    char text[32];
    buffer_printf(out, "%-5s", dedupe_rule_text(rule));
    for (size_t i = 0; i < 4; i++)
        buffer_printf(out, " %11s", text_count(text, sizeof text, counts[i]));
    buffer_printf(out, " %8s", share_of(text, sizeof text, t));
    buffer_printf(out, " %8s", text_count(text, sizeof text, t->most));
    buffer_printf(out, " %8s\n", text_count(text, sizeof text, t->differ));
}
