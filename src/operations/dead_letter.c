#include "operations/dead_letter.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "model/death.h"
#include "operations/stamp.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#define NUMBER_DIGITS 4 /* fewer are no id: the 404 of an answer, the 12 of a line */
#define ID_DIGITS     8 /* hexadecimal */

static void find_origin(const struct plan *p, const char *from, const struct message *m,
                        struct dead_letter *way)
{
    const char *const also[] = {p->origin_header, NULL};
    struct death_origin origin;
    if (!death_origin(m->headers, also, &origin)) {
        text_copy(way->why_not, sizeof way->why_not, "no header tells where it came from: say it with --to");
        return;
    }
    bool exchange = p->exchange && origin.exchange.len;
    way->kind = exchange ? CHANNEL_EXCHANGE : origin.kind;
    way->name = exchange ? origin.exchange : origin.channel;
    if (bytes_equal_text(way->name, from))
        text_copy(way->why_not, sizeof way->why_not, "it came from where it is");
}

void dead_letter_way(const struct plan *p, const char *from, const struct message *m, struct dead_letter *way)
{
    uint64_t replays = stamp_replays(m);
    *way = (struct dead_letter){.kind = CHANNEL_ANY};
    if ((int64_t)replays >= p->replays_most)
        snprintf(way->why_not, sizeof way->why_not,
                 "replayed %" PRIu64 " times before: it comes back for a reason", replays);
    else if (!p->to)
        find_origin(p, from, m, way);
}

/* ---- reasons ---- */

/* How many bytes of a word are a number or an id; 0: none. */
static size_t id_at(struct bytes text, size_t at)
{
    size_t end = at, digits = 0, letters = 0;
    for (; end < text.len && (isxdigit(text.data[end]) || text.data[end] == '-'); end++)
        if (isdigit(text.data[end]))
            digits++;
        else
            letters++;
    bool ends = end == text.len || !isalnum(text.data[end]);
    if (ends && digits && letters && end - at >= ID_DIGITS)
        return end - at;
    for (end = at; end < text.len && isdigit(text.data[end]);)
        end++;
    return end - at >= NUMBER_DIGITS ? end - at : 0;
}

static void put_folded(struct buffer *out, struct bytes text)
{
    for (size_t at = 0; at < text.len;) {
        bool begins = at == 0 || !isalnum(text.data[at - 1]);
        size_t id = begins ? id_at(text, at) : 0;
        if (id)
            buffer_byte(out, '#');
        else
            buffer_byte(out, text.data[at]);
        at += id ? id : 1;
    }
}

char *dead_letter_reason(struct headers headers, char into[REASON_SIZE])
{
    struct death_why why;
    struct buffer folded, clean;
    death_why(headers, &why);
    buffer_init(&folded, 4 * KIB);
    buffer_init(&clean, 16 * KIB);
    put_folded(&folded, bytes_slice(why.reason, 0, REASON_SIZE));
    if (why.reason.len && why.detail.len)
        buffer_text(&folded, ": ");
    put_folded(&folded, bytes_slice(why.detail, 0, 2 * REASON_SIZE));
    utf8_scrub(&clean, buffer_view(&folded), SCRUB_SCREEN);
    text_shorten(into, REASON_SIZE, clean.len ? buffer_cstr(&clean) : REASON_NONE);
    buffer_free(&folded);
    buffer_free(&clean);
    return into;
}

bool dead_letter_is_chosen(const char *chosen, const char *reason)
{
    for (const char *at = chosen; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        size_t len = strcspn(at, "\n");
        bool begins = len && strncmp(reason, at, len) == 0;
        if (begins && (reason[len] == '\0' || (reason[len] == ':' && reason[len + 1] == ' ')))
            return true;
    }
    return false;
}
