#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
    enum err_policy policy;
    int exit_code;
} errors[ERR_COUNT] = {
#define X(name, text, policy, exit_code) {#name, text, ERR_POLICY_##policy, exit_code},
#include "base/errors.def"
#undef X
};

static enum err known(enum err code)
{
    return (unsigned)code < ERR_COUNT ? code : ERR_FAILED;
}

const char *err_name(enum err code)
{
    return errors[known(code)].name;
}

const char *err_text(enum err code)
{
    return errors[known(code)].text;
}

enum err_policy err_policy(enum err code)
{
    return errors[known(code)].policy;
}

int err_exit_code(enum err code)
{
    return errors[known(code)].exit_code;
}

enum err err_set(struct err_info *info, enum err code, const char *format, ...)
{
    if (!info)
        return code;
    info->code = code;
    info->where[0] = '\0';
    info->next[0] = '\0';
    va_list args;
    va_start(args, format);
    vsnprintf(info->text, sizeof info->text, format, args);
    va_end(args);
    return code;
}

void err_where(struct err_info *info, const char *format, ...)
{
    if (!info)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(info->where, sizeof info->where, format, args);
    va_end(args);
}

void err_next(struct err_info *info, const char *format, ...)
{
    if (!info)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(info->next, sizeof info->next, format, args);
    va_end(args);
}

char *err_format(const struct err_info *info, char *into, unsigned long size)
{
    const char *text = info->text[0] ? info->text : err_text(info->code);
    size_t len = strlen(text);
    const char *stop = len && text[len - 1] == '.' ? "" : "."; /* some libraries end a sentence themselves */
    snprintf(into, size, "%s%s%s%s%s%s", info->where, info->where[0] ? ": " : "", text,
             info->next[0] ? stop : "", info->next[0] ? " Next: " : "", info->next);
    for (char *c = into; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return into;
}
