#include "base/regex.h"

#include "base/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#define MATCH_LIMIT 1000000
#define DEPTH_LIMIT 1000

struct regex {
    pcre2_code *code;
    pcre2_match_context *context;
};

static int compile_code(struct regex *re, struct bytes pattern, bool ignore_case, struct err_info *err)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    uint32_t options = PCRE2_NEVER_BACKSLASH_C | (ignore_case ? PCRE2_CASELESS : 0);
    if (utf8_valid(pattern))
        options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
    re->code = pcre2_compile(pattern.data, pattern.len, options, &code, &offset, NULL);
    if (re->code)
        return 0;
    PCRE2_UCHAR text[160] = "";
    pcre2_get_error_message(code, text, sizeof text);
    err_set(err, ERR_USAGE, "this is no regular expression: %s", (const char *)text);
    err_where(err, "column %zu of the pattern", offset + 1);
    err_next(err, "escape special characters with a backslash, or use a word");
    return -1;
}

struct regex *regex_new(struct bytes pattern, bool ignore_case, struct err_info *err)
{
    struct regex *re = calloc(1, sizeof *re);
    if (!re) {
        err_set(err, ERR_NOMEM, "no memory for a pattern");
        return NULL;
    }
    if (!pattern.data)
        pattern = BYTES_LITERAL("");
    re->context = pcre2_match_context_create(NULL);
    if (!re->context || compile_code(re, pattern, ignore_case, err)) {
        regex_free(&re);
        return NULL;
    }
    pcre2_set_match_limit(re->context, MATCH_LIMIT);
    pcre2_set_depth_limit(re->context, DEPTH_LIMIT);
    pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE); /* without JIT it only takes longer */
    return re;
}

void regex_free(struct regex **rp)
{
    struct regex *re = *rp;
    *rp = NULL;
    if (!re)
        return;
    pcre2_code_free(re->code);
    pcre2_match_context_free(re->context);
    free(re);
}

enum regex_found regex_find(const struct regex *re, struct bytes subject, size_t from, size_t *start,
                            size_t *end)
{
    if (!subject.data || from > subject.len)
        return REGEX_NONE;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!data)
        return REGEX_UNSURE;
    int n = pcre2_match(re->code, subject.data, subject.len, from, 0, data, re->context);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
    if (n >= 0 && start)
        *start = at[0];
    if (n >= 0 && end)
        *end = at[1];
    pcre2_match_data_free(data);
    return n >= 0 ? REGEX_FOUND : n == PCRE2_ERROR_NOMATCH ? REGEX_NONE : REGEX_UNSURE;
}

bool regex_match(const struct regex *re, struct bytes subject, size_t *start, size_t *end)
{
    return regex_find(re, subject, 0, start, end) == REGEX_FOUND;
}
