/* Tab on the `:` line: the last word grows as far as all that it could become agree. */
#include "ui/command.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct offers {
    const char *word; /* what stands there */
    size_t len;
    char common[PROMPT_MAX]; /* what all candidates begin with */
    size_t count;
    bool open; /* the only candidate is not a whole word yet: an endpoint, whose channel follows */
    char list[600];
    size_t used;
};

static void list(struct offers *o, const char *candidate)
{
    if (o->used + strlen(candidate) + 3 >= sizeof o->list)
        return;
    o->used +=
        (size_t)snprintf(o->list + o->used, sizeof o->list - o->used, "%s%s", o->used ? "  " : "", candidate);
}

static void offer(struct offers *o, const char *candidate, bool open)
{
    size_t same = 0;
    if (strncmp(candidate, o->word, o->len) != 0 || strpbrk(candidate, " '\""))
        return;
    if (o->count++ == 0)
        text_copy(o->common, sizeof o->common, candidate);
    while (o->common[same] && o->common[same] == candidate[same])
        same++;
    while (same > 0 && ((unsigned char)o->common[same] & 0xC0) == 0x80) /* never half a character */
        same--;
    o->common[same] = '\0';
    o->open = open;
    list(o, candidate);
}

static void offer_commands(struct offers *o)
{
    size_t count;
    const struct command_row *rows = command_rows(&count);
    for (size_t i = 0; i < count; i++)
        offer(o, rows[i].name, false);
}

static void offer_flags(struct offers *o, uint64_t allowed)
{
    char text[64];
    for (int i = 0; i < FLAGS; i++) {
        snprintf(text, sizeof text, "--%s", flag_rows[i].name);
        if (allowed >> i & 1)
            offer(o, text, false);
    }
}

/* Endpoints by name; the channels of one whose name stands there. */
static void offer_addresses(struct offers *o, const struct hub *hub)
{
    char text[PROMPT_MAX];
    for (size_t i = 0; i < hub_endpoint_count(hub); i++) {
        const struct hub_endpoint *e = hub_endpoint(hub, i);
        int n = snprintf(text, sizeof text, "%s/", e->config->endpoint.name);
        if (n < 0 || (size_t)n >= sizeof text)
            continue;
        if (o->len < (size_t)n || !e->channels)
            offer(o, text, true);
        if (o->len < (size_t)n || strncmp(o->word, text, (size_t)n) != 0)
            continue;
        for (size_t c = 0; e->channels && c < e->channels->count; c++) {
            snprintf(text + n, sizeof text - (size_t)n, "%s", e->channels->items[c].name);
            if (!e->channels->items[c].internal)
                offer(o, text, false);
        }
    }
}

bool command_complete(struct screen *s, char *line, size_t size, struct prompt_note *note)
{
    const char *blank = strrchr(line, ' ');
    size_t at = blank ? (size_t)(blank + 1 - line) : 0;
    struct offers o = {.word = line + at, .len = strlen(line + at)};
    const struct command_row *row = at ? command_of(line) : NULL;
    if (at == 0)
        offer_commands(&o);
    else if (row && strncmp(o.word, "--", 2) == 0)
        offer_flags(&o, row->flags);
    else if (row && row->flags) /* those that read take addresses, and flags */
        offer_addresses(&o, screen_hub(s));
    if (o.count == 0)
        return false;
    text_copy(line + at, size - at, o.common);
    size_t len = strlen(line);
    if (o.count == 1 && !o.open && len + 1 < size)
        text_copy(line + len, size - len, " ");
    if (o.count > 1)
        text_copy(note->text, sizeof note->text, o.list);
    return true;
}
