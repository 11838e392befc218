#include "probes/rest_expect.h"

#include "base/json.h"
#include "base/regex.h"
#include "base/text.h"
#include "base/utf8.h"
#include "decoders/json.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 48 /* bytes of a value in a reason */

struct answer {
    const struct http_response *http;
    char *reason;
    size_t size;
};

static bool unmet(const struct answer *a, const char *format, ...) SB_PRINTF(2, 3);

static bool unmet(const struct answer *a, const char *format, ...)
{
    char text[640];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_shorten(a->reason, a->size, text);
    return false;
}

/* What the service sent, as one may print it: short, and without anything a terminal would obey. */
static const char *show(char into[SHOWN], struct bytes from)
{
    struct buffer clean;
    buffer_init(&clean, 16 * SHOWN);
    utf8_scrub(&clean, bytes_slice(from, 0, 2 * SHOWN), SCRUB_PLAIN);
    text_shorten(into, SHOWN, buffer_cstr(&clean));
    buffer_free(&clean);
    return into;
}

static const char *show_text(char into[SHOWN], const char *from)
{
    return show(into, bytes_of_text(from));
}

/* What can't be read is met by nothing. */
static bool in_range(long status, const char *range)
{
    int64_t low, high;
    return assertion_status(range, &low, &high) && status >= low && status <= high;
}

static bool status_met(const struct answer *a, const char *range)
{
    char wanted[SHOWN];
    return in_range(a->http->status, range) ||
           unmet(a, "status %ld, expected %s", a->http->status, show_text(wanted, range));
}

/* Any of several with the name will do. */
static bool header_met(const struct answer *a, const struct assertion *x)
{
    char got[SHOWN], wanted[SHOWN], name[SHOWN];
    struct bytes value, first = BYTES_NULL;
    for (size_t at = 0; http_header_next(a->http, x->name, &at, &value);) {
        if (bytes_equal_text(value, x->text))
            return true;
        first = first.data ? first : value;
    }
    show_text(wanted, x->text);
    show_text(name, x->name);
    if (!first.data)
        return unmet(a, "expected %s, got no header %s", wanted, name);
    return unmet(a, "expected %s, got %s in header %s", wanted, show(got, first), name);
}

static bool matches(const struct answer *a, struct bytes pattern)
{
    struct err_info err = {.code = ERR_OK};
    struct regex *re = regex_new(pattern, false, &err);
    if (!re)
        return unmet(a, "the expected pattern can't be used: %s", err.text);
    char shown[SHOWN];
    bool found = regex_match(re, buffer_view(&a->http->body), NULL, NULL);
    regex_free(&re);
    return found || unmet(a, "the body doesn't match /%s/", show(shown, pattern));
}

static bool body_met(const struct answer *a, const char *text)
{
    char shown[SHOWN];
    struct bytes pattern, body = buffer_view(&a->http->body);
    if (assertion_pattern(text, &pattern))
        return matches(a, pattern);
    return memmem(body.data, body.len, text, strlen(text)) ||
           unmet(a, "the body doesn't contain %s", show_text(shown, text));
}

/* ---- JSON ---- */

struct found {
    const char *expected;
    bool any, equal;
    char shown[SHOWN];
};

static bool same_value(enum field_kind kind, struct bytes text, const char *expected)
{
    int64_t whole;
    double number;
    if (kind == FIELD_OBJECT || kind == FIELD_ARRAY)
        return false;
    if (kind == FIELD_NULL)
        return strcmp(expected, "null") == 0;
    if (bytes_equal_text(text, expected))
        return true;
    /* 1.0 is 1, however it is written */
    return kind == FIELD_NUMBER && (text_int64(expected, &whole) || text_double(expected, &number)) &&
           json_to_double(text, &number) && json_compare(text, bytes_of_text(expected)) == 0;
}

/* Of members with the same name the last one counts, as for most who read JSON. */
static bool take_value(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    struct found *f = context;
    (void)raw;
    f->any = true;
    f->equal = same_value(kind, text, f->expected);
    if (kind == FIELD_OBJECT || kind == FIELD_ARRAY)
        text_copy(f->shown, sizeof f->shown, kind == FIELD_OBJECT ? "an object" : "an array");
    else if (kind == FIELD_NULL)
        text_copy(f->shown, sizeof f->shown, "null");
    else
        show(f->shown, text);
    return true;
}

static bool json_met(const struct answer *a, const struct assertion *x)
{
    struct field_path path;
    struct arena arena;
    struct err_info err = {.code = ERR_OK};
    struct found found = {.expected = x->text};
    char wanted[SHOWN], pointer[SHOWN];
    arena_init(&arena, 64 * 1024);
    enum err bad_path = field_path_parse(&path, bytes_of_text(x->name), &arena, &err);
    enum err bad_body =
        bad_path ? ERR_OK : json_decoder.find(buffer_view(&a->http->body), &path, take_value, &found);
    arena_free(&arena);
    show_text(wanted, x->text);
    show_text(pointer, x->name);
    if (bad_path)
        return unmet(a, "the pointer %s is malformed: %s", pointer, err.text);
    if (bad_body)
        return unmet(a, "expected %s at %s, got a body that isn't JSON", wanted, pointer);
    return found.equal ||
           unmet(a, "expected %s, got %s at %s", wanted, found.any ? found.shown : "nothing", pointer);
}

/* ---- all of them ---- */

static bool is_met(const struct answer *a, const struct assertion *x)
{
    if (a->http->truncated && (x->kind == ASSERT_BODY || x->kind == ASSERT_JSON))
        return unmet(a, "the body is longer than %zu bytes, too long to look into", a->http->body.len);
    switch (x->kind) {
    case ASSERT_STATUS: return status_met(a, x->text);
    case ASSERT_HEADER: return header_met(a, x);
    case ASSERT_BODY: return body_met(a, x->text);
    case ASSERT_JSON: return json_met(a, x);
    }
    return false;
}

/* The status first: it explains best what is wrong with the rest. */
bool rest_expect_met(const struct assertion *all, size_t count, const struct http_response *answer,
                     char *reason, size_t size)
{
    struct answer a = {.http = answer, .reason = reason, .size = size};
    bool status_named = false;
    for (size_t i = 0; i < count; i++) {
        status_named |= all[i].kind == ASSERT_STATUS;
        if (all[i].kind == ASSERT_STATUS && !is_met(&a, &all[i]))
            return false;
    }
    if (!status_named && !status_met(&a, "200-299"))
        return false;
    for (size_t i = 0; i < count; i++)
        if (all[i].kind != ASSERT_STATUS && !is_met(&a, &all[i]))
            return false;
    return true;
}
