/* The pull parser. One loop, no recursion: what is open stands in a bit stack. Strings are scanned sixteen bytes at a time
 * for what may end or break them, since most of a document is strings. */
#include "base/json.h"

#include "base/plain.h"
#include "base/utf8.h"

enum state {
    WANT_VALUE,
    WANT_VALUE_OR_END, /* behind [ */
    WANT_NAME_OR_END,  /* behind { */
    WANT_NAME,         /* behind , in an object */
    WANT_COLON,
    WANT_COMMA_OR_END,
    WANT_NOTHING, /* the value is complete */
    FAILED,
};

size_t json_mark(struct bytes in)
{
    return in.len >= 3 && !memcmp(in.data, "\xEF\xBB\xBF", 3) ? 3 : 0;
}

size_t json_frame(struct bytes in)
{
    enum { CONFLUENT = 1 + 4, GLUE = 2 + 16 };
    if (in.len > CONFLUENT && in.data[0] == 0)
        return CONFLUENT;
    return in.len > GLUE && in.data[0] == 3 && in.data[1] == 0 ? GLUE : 0;
}

void json_read(struct json_reader *r, struct bytes in, unsigned max_depth)
{
    r->in = in.data ? in : BYTES_LITERAL("");
    r->at = r->start = json_mark(r->in); /* RFC 8259 section 8.1: may be ignored */
    r->raw = BYTES_NULL;
    r->escaped = false;
    r->error = NULL;
    r->depth = 0;
    r->max_depth = max_depth && max_depth < JSON_MOST_DEPTH ? max_depth : JSON_MOST_DEPTH;
    r->stop_after_value = false;
    r->state = WANT_VALUE;
}

static enum json_event fail(struct json_reader *r, size_t at, const char *why)
{
    r->error = why;
    r->at = at;
    r->state = FAILED;
    return JSON_ERROR;
}

static void skip_space(struct json_reader *r)
{
    const uint8_t *p = r->in.data;
    while (r->at < r->in.len && (p[r->at] == ' ' || p[r->at] == '\n' || p[r->at] == '\t' || p[r->at] == '\r'))
        r->at++;
}

/* ---- nesting ---- */

static bool in_object(const struct json_reader *r)
{
    return r->stack[(r->depth - 1) / 8] >> ((r->depth - 1) % 8) & 1;
}

static enum json_event open_list(struct json_reader *r, bool object)
{
    if (r->depth == r->max_depth)
        return fail(r, r->at, "nested too deeply");
    uint8_t bit = (uint8_t)(1u << (r->depth % 8));
    if (object)
        r->stack[r->depth / 8] |= bit;
    else
        r->stack[r->depth / 8] &= (uint8_t)~bit;
    r->depth++;
    r->at++;
    r->state = object ? WANT_NAME_OR_END : WANT_VALUE_OR_END;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

static void value_done(struct json_reader *r)
{
    r->state = r->depth ? WANT_COMMA_OR_END : WANT_NOTHING;
}

static enum json_event close_list(struct json_reader *r, bool object)
{
    if (in_object(r) != object)
        return fail(r, r->at, object ? "} where ] is wanted" : "] where } is wanted");
    r->depth--;
    r->at++;
    value_done(r);
    return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

/* ---- strings ---- */

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* Behind a backslash; moves *at behind the escape. */
static const char *check_escape(struct bytes in, size_t *at)
{
    if (*at >= in.len)
        return "the string does not end";
    uint8_t c = in.data[(*at)++];
    if (c == 'u') {
        for (int i = 0; i < 4; i++, (*at)++)
            if (*at >= in.len || !is_hex(in.data[*at]))
                return "\\u wants four hexadecimal digits";
        return NULL;
    }
    return memchr("\"\\/bfnrt", c, 8) ? NULL : "no such escape";
}

/* At the opening quote. Leaves raw between the quotes and at behind the closing one. */
static bool scan_string(struct json_reader *r)
{
    size_t begin = ++r->at, at = begin;
    r->escaped = false;
    for (;;) {
        at = plain_skip(r->in, at, '"', '\\');
        if (at >= r->in.len) {
            fail(r, r->in.len, "the string does not end");
            return false;
        }
        uint8_t c = r->in.data[at];
        if (c == '"')
            break;
        size_t before = at;
        const char *why = NULL;
        if (c == '\\') {
            r->escaped = true;
            at++;
            why = check_escape(r->in, &at);
        } else if (c < 0x20) {
            why = "a control character in a string";
        } else if (utf8_next(r->in, &at) == UTF8_INVALID) {
            why = "invalid UTF-8 in a string";
        }
        if (why) {
            fail(r, before, why);
            return false;
        }
    }
    r->raw = bytes_slice(r->in, begin, at - begin);
    r->at = at + 1;
    return true;
}

/* ---- numbers and words ---- */

static bool is_digit(struct bytes in, size_t at)
{
    return at < in.len && in.data[at] >= '0' && in.data[at] <= '9';
}

static size_t skip_digits(struct bytes in, size_t at)
{
    while (is_digit(in, at))
        at++;
    return at;
}

/* RFC 8259 section 6. */
static enum json_event scan_number(struct json_reader *r)
{
    size_t begin = r->at, at = begin;
    if (r->in.data[at] == '-')
        at++;
    if (!is_digit(r->in, at))
        return fail(r, at, "a digit is wanted");
    bool zero = r->in.data[at] == '0';
    at = zero ? at + 1 : skip_digits(r->in, at);
    if (zero && is_digit(r->in, at))
        return fail(r, at, "a number has no leading zero");
    if (at < r->in.len && r->in.data[at] == '.') {
        if (!is_digit(r->in, ++at))
            return fail(r, at, "a digit is wanted behind the point");
        at = skip_digits(r->in, at);
    }
    if (at < r->in.len && (r->in.data[at] | 32) == 'e') {
        at++;
        if (at < r->in.len && (r->in.data[at] == '+' || r->in.data[at] == '-'))
            at++;
        if (!is_digit(r->in, at))
            return fail(r, at, "a digit is wanted in the exponent");
        at = skip_digits(r->in, at);
    }
    r->raw = bytes_slice(r->in, begin, at - begin);
    r->at = at;
    value_done(r);
    return JSON_NUMBER;
}

static enum json_event scan_word(struct json_reader *r, const char *word, size_t len, enum json_event event)
{
    if (r->in.len - r->at < len || memcmp(r->in.data + r->at, word, len) != 0)
        return fail(r, r->at, "a value is wanted");
    r->raw = bytes_slice(r->in, r->at, len);
    r->at += len;
    value_done(r);
    return event;
}

static enum json_event scan_value(struct json_reader *r, uint8_t c)
{
    switch (c) {
    case '{': return open_list(r, true);
    case '[': return open_list(r, false);
    case '"':
        if (!scan_string(r))
            return JSON_ERROR;
        value_done(r);
        return JSON_STRING;
    case 't': return scan_word(r, "true", 4, JSON_TRUE);
    case 'f': return scan_word(r, "false", 5, JSON_FALSE);
    case 'n': return scan_word(r, "null", 4, JSON_NULL);
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return scan_number(r);
        return fail(r, r->at, "a value is wanted");
    }
}

/* ---- the loop ---- */

static enum json_event scan_name(struct json_reader *r, uint8_t c)
{
    if (c != '"')
        return fail(r, r->at, "a member name in quotes is wanted");
    if (!scan_string(r))
        return JSON_ERROR;
    r->state = WANT_COLON;
    return JSON_NAME;
}

static enum json_event at_the_end(struct json_reader *r)
{
    if (r->state == FAILED)
        return JSON_ERROR;
    if (r->stop_after_value)
        return JSON_END;
    skip_space(r);
    return r->at < r->in.len ? fail(r, r->at, "something follows the value") : JSON_END;
}

/* Eats a colon or comma that is due. JSON_END: go on with what stands at r->at; another event is final. */
static enum json_event eat_separator(struct json_reader *r)
{
    uint8_t c = r->in.data[r->at];
    if (r->state == WANT_COLON) {
        if (c != ':')
            return fail(r, r->at, "a colon is wanted");
        r->state = WANT_VALUE;
    } else if (c == ',') {
        r->state = in_object(r) ? WANT_NAME : WANT_VALUE;
    } else if (c == '}' || c == ']') {
        r->start = r->at;
        return close_list(r, c == '}');
    } else {
        return fail(r, r->at, in_object(r) ? "a comma or } is wanted" : "a comma or ] is wanted");
    }
    r->at++;
    skip_space(r);
    return JSON_END;
}

enum json_event json_next(struct json_reader *r)
{
    if (r->state >= WANT_NOTHING)
        return at_the_end(r);
    skip_space(r);
    if (r->at < r->in.len && (r->state == WANT_COLON || r->state == WANT_COMMA_OR_END)) {
        enum json_event e = eat_separator(r);
        if (e != JSON_END)
            return e;
    }
    if (r->at >= r->in.len)
        return fail(r, r->in.len,
                    r->in.len ? "the text ends before the value does" : "nothing: a value is wanted");
    uint8_t c = r->in.data[r->at];
    r->start = r->at;
    if (r->state == WANT_NAME)
        return scan_name(r, c);
    if (r->state == WANT_NAME_OR_END)
        return c == '}' ? close_list(r, true) : scan_name(r, c);
    if (r->state == WANT_VALUE_OR_END && c == ']')
        return close_list(r, false);
    return scan_value(r, c);
}

enum json_event json_skip(struct json_reader *r)
{
    unsigned depth = r->depth;
    enum json_event e = JSON_NULL;
    if (r->state == WANT_COLON) { /* behind a name */
        e = json_next(r);
        if (e != JSON_OBJECT && e != JSON_ARRAY)
            return e;
    } else if (depth > 0) {
        depth--;
    }
    while (e != JSON_ERROR && e != JSON_END && r->depth > depth)
        e = json_next(r);
    return e;
}

bool json_line(struct bytes text, size_t *at, size_t *begin, size_t *end)
{
    while (*at < text.len) {
        const uint8_t *newline = memchr(text.data + *at, '\n', text.len - *at);
        *begin = *at;
        *end = newline ? (size_t)(newline - text.data) : text.len;
        *at = *end + 1;
        while (*begin < *end && memchr(" \t\r", text.data[*begin], 3))
            ++*begin;
        if (*begin < *end)
            return true;
    }
    return false;
}

bool json_reads_as_lines(struct bytes text)
{
    size_t at = 0, begin, end;
    if (!json_line(text, &at, &begin, &end) || !json_line(text, &at, &begin, &end))
        return false; /* not read for nothing: it is large */
    for (at = 0; json_line(text, &at, &begin, &end);) {
        struct json_reader r;
        enum json_event e;
        json_read(&r, bytes_slice(text, begin, end - begin), JSON_MOST_DEPTH);
        while ((e = json_next(&r)) != JSON_END && e != JSON_ERROR)
            ;
        if (e == JSON_ERROR)
            return false;
    }
    return true;
}
