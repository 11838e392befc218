/* Words, 'exact' texts and /regex/ in bytes. */
#include "engine/filter_internal.h"

#include "base/buffer.h"
#include "base/json.h"

#include <ctype.h>

static bool same_folded(const uint8_t *at, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (tolower(at[i]) != text.data[i])
            return false;
    return true;
}

/* Both cases of the first byte are looked for with memchr, each only when its last hit was passed. */
static bool contains_folded(const struct pattern *p, struct bytes in)
{
    const uint8_t *end = in.data + in.len - p->text.len + 1;
    const uint8_t *next[2] = {in.data, in.data};
    bool found[2] = {false, false};
    int cases = p->first[0] == p->first[1] ? 1 : 2;
    for (const uint8_t *at = in.data; at < end;) {
        const uint8_t *nearest = end;
        for (int i = 0; i < cases; i++) {
            if (!found[i] || next[i] < at) {
                next[i] = memchr(at, p->first[i], (size_t)(end - at));
                found[i] = true;
                if (!next[i])
                    next[i] = end;
            }
            if (next[i] < nearest)
                nearest = next[i];
        }
        if (nearest >= end)
            return false;
        if (same_folded(nearest, p->text))
            return true;
        at = nearest + 1;
    }
    return false;
}

bool filter_contains(const struct pattern *p, struct bytes in)
{
    if (p->re)
        return regex_match(p->re, in, NULL, NULL);
    if (p->text.len == 0)
        return true;
    if (!in.data || in.len < p->text.len)
        return false;
    if (p->fold)
        return contains_folded(p, in);
    return memmem(in.data, in.len, p->text.data, p->text.len) != NULL;
}

bool filter_contains_unescaped(const struct pattern *p, struct bytes in)
{
    struct buffer text;
    bool found = false;
    if (!in.len || !memchr(in.data, '\\', in.len))
        return false;
    buffer_init(&text, in.len + 16);
    if (json_unescape(in, &text))
        found = filter_contains(p, buffer_view(&text));
    buffer_free(&text);
    return found;
}
