#include "model/probe.h"

#include "base/regex.h"
#include "base/text.h"
#include "model/field.h"

bool assertion_pattern(const char *text, struct bytes *pattern)
{
    size_t len = strlen(text);
    if (len < 2 || text[0] != '/' || text[len - 1] != '/')
        return false;
    *pattern = bytes_of(text + 1, len - 2);
    return true;
}

bool assertion_status(const char *text, int64_t *low, int64_t *high)
{
    char first[16];
    size_t len = strcspn(text, "-");
    text_copy_bytes(first, sizeof first, bytes_of(text, len));
    return text_int64(first, low) && text_int64(text[len] ? text + len + 1 : first, high);
}

static enum err check_status(const char *text, struct err_info *err)
{
    int64_t low, high;
    if (assertion_status(text, &low, &high) && low >= 100 && low <= high && high <= 599)
        return ERR_OK;
    err_set(err, ERR_CONFIG, "expect.status: `%.40s` is no HTTP status", text);
    err_next(err, "write 200 or 200-299");
    return ERR_CONFIG;
}

static enum err check_body(const char *text, struct err_info *err)
{
    struct bytes pattern;
    struct err_info why = {.code = ERR_OK};
    struct regex *re = NULL;
    if (!assertion_pattern(text, &pattern) || (re = regex_new(pattern, false, &why))) {
        regex_free(&re);
        return ERR_OK;
    }
    err_set(err, ERR_CONFIG, "expect.body: %s", why.text);
    err_next(err, "%s", why.next);
    return ERR_CONFIG;
}

static enum err check_pointer(const char *text, struct err_info *err)
{
    struct field_path path;
    struct arena arena;
    struct err_info why = {.code = ERR_OK};
    if (*text != '/') {
        err_set(err, ERR_CONFIG, "`%.60s` is no JSON pointer", text);
        err_next(err, "it begins with a slash: /status");
        return ERR_CONFIG;
    }
    arena_init(&arena, 64 * 1024);
    enum err bad = field_path_parse(&path, bytes_of_text(text), &arena, &why);
    arena_free(&arena);
    return bad ? err_set(err, ERR_CONFIG, "`%.60s` cannot be looked up: %s", text, why.text) : ERR_OK;
}

enum err assertion_check(const struct assertion *a, struct err_info *err)
{
    switch (a->kind) {
    case ASSERT_STATUS: return check_status(a->text, err);
    case ASSERT_BODY: return check_body(a->text, err);
    case ASSERT_JSON: return check_pointer(a->name, err);
    case ASSERT_HEADER: break;
    }
    return ERR_OK;
}
