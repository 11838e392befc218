#include "ui/prompt.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdlib.h>

void prompt_open(struct prompt *p, enum prompt_kind kind, const char *text)
{
    p->kind = kind;
    text_copy(p->text, sizeof p->text, text);
    p->len = p->at = strlen(p->text);
    p->history_at = p->history_count;
}

void prompt_remember(struct prompt *p, enum prompt_kind kind, const char *text)
{
    bool again = p->history_count && !strcmp(p->history[p->history_count - 1], text);
    char *copy = *text && !again ? strdup(text) : NULL;
    if (!copy)
        return;
    if (p->history_count == PROMPT_HISTORY) {
        free(p->history[0]);
        p->history_count--;
        memmove(p->history, p->history + 1, p->history_count * sizeof *p->history);
        memmove(p->history_kind, p->history_kind + 1, p->history_count * sizeof *p->history_kind);
    }
    p->history_kind[p->history_count] = kind;
    p->history[p->history_count++] = copy;
}

void prompt_free(struct prompt *p)
{
    for (size_t i = 0; i < p->history_count; i++)
        free(p->history[i]);
    *p = (struct prompt){.kind = PROMPT_NONE};
}

static size_t before(const struct prompt *p)
{
    size_t at = p->at;
    while (at > 0 && ((uint8_t)p->text[--at] & 0xC0) == 0x80)
        ;
    return at;
}

static size_t after(const struct prompt *p)
{
    size_t at = p->at;
    if (at < p->len)
        utf8_next(bytes_of(p->text, p->len), &at);
    return at;
}

static void erase(struct prompt *p, size_t from, size_t to)
{
    memmove(p->text + from, p->text + to, p->len - to + 1);
    p->len -= to - from;
    p->at = from;
}

static void erase_word(struct prompt *p)
{
    size_t from = p->at;
    while (from > 0 && p->text[from - 1] == ' ')
        from--;
    while (from > 0 && p->text[from - 1] != ' ')
        from--;
    erase(p, from, p->at);
}

static enum prompt_result insert(struct prompt *p, int key)
{
    uint8_t utf8[4];
    size_t n = key >= ' ' && key < UIKEY_FIRST_NAMED ? utf8_encode((uint32_t)key, utf8) : 0;
    if (n == 0 || p->len + n >= sizeof p->text)
        return PROMPT_SAME;
    memmove(p->text + p->at + n, p->text + p->at, p->len - p->at + 1);
    memcpy(p->text + p->at, utf8, n);
    p->at += n;
    p->len += n;
    return PROMPT_EDITED;
}

/* The next entry of the same kind in that direction; behind the newest stands an empty line. */
static enum prompt_result recall(struct prompt *p, int step)
{
    size_t at = p->history_at;
    do {
        at += (size_t)step;
        if (at > p->history_count) /* also below 0 */
            return PROMPT_SAME;
    } while (at < p->history_count && p->history_kind[at] != p->kind);
    p->history_at = at;
    text_copy(p->text, sizeof p->text, at < p->history_count ? p->history[at] : "");
    p->len = p->at = strlen(p->text);
    return PROMPT_EDITED;
}

static enum prompt_result close_with(struct prompt *p, enum prompt_result result)
{
    if (result == PROMPT_ENTERED)
        prompt_remember(p, p->kind, p->text);
    p->kind = PROMPT_NONE;
    return result;
}

enum prompt_result prompt_key(struct prompt *p, int key)
{
    switch (key) {
    case UIKEY_RETURN: return close_with(p, PROMPT_ENTERED);
    case UIKEY_ESCAPE:
    case UIKEY_CONTROL('c'): return close_with(p, PROMPT_LEFT);
    case UIKEY_ERASE:
        if (p->len == 0)
            return close_with(p, PROMPT_LEFT); /* as in vi */
        erase(p, before(p), p->at);
        return PROMPT_EDITED;
    case UIKEY_DELETE: erase(p, p->at, after(p)); return PROMPT_EDITED;
    case UIKEY_CONTROL('u'): erase(p, 0, p->at); return PROMPT_EDITED;
    case UIKEY_CONTROL('w'): erase_word(p); return PROMPT_EDITED;
    case UIKEY_LEFT: p->at = before(p); return PROMPT_EDITED;
    case UIKEY_RIGHT: p->at = after(p); return PROMPT_EDITED;
    case UIKEY_HOME:
    case UIKEY_CONTROL('a'): p->at = 0; return PROMPT_EDITED;
    case UIKEY_END:
    case UIKEY_CONTROL('e'): p->at = p->len; return PROMPT_EDITED;
    case UIKEY_UP: return recall(p, -1);
    case UIKEY_DOWN: return recall(p, 1);
    default: return insert(p, key);
    }
}

bool prompt_half_typed(const char *text)
{
    size_t len = strlen(text);
    while (len && text[len - 1] == ' ')
        len--;
    return len && strchr("=~<>!|(", text[len - 1]);
}

char *prompt_good_part(const char *text, size_t caret, char *into, size_t size)
{
    size_t len = strlen(text);
    len = caret < len ? caret : len;
    while (len && text[len - 1] != ' ')
        len--;
    while (len && text[len - 1] == ' ')
        len--;
    return text_copy_bytes(into, size, bytes_of(text, len));
}

char prompt_sign(enum prompt_kind kind)
{
    return kind == PROMPT_COMMAND ? ':' : kind == PROMPT_FIND ? '/' : kind == PROMPT_FILTER ? '\\' : ' ';
}

void prompt_draw(const struct prompt *p, struct canvas *c, int x, int y, int w)
{
    canvas_cell(c, x, y, ROLE_INPUT, (uint32_t)prompt_sign(p->kind));
    size_t from = 0;
    int room = w - 2; /* the sign, and the cursor behind the last character */
    while (from < p->at && (int)utf8_cells(bytes_of(p->text + from, p->at - from)) > room)
        utf8_next(bytes_of(p->text, p->len), &from);
    canvas_text(c, x + 1, y, room + 1, ROLE_INPUT, p->text + from);
    canvas_cursor(c, x + 1 + (int)utf8_cells(bytes_of(p->text + from, p->at - from)), y, true);
}
