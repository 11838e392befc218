#include "cli/cli.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- talking ---- */

static atomic_bool line_open; /* a progress line stands on the terminal */

void cli_progress_line(const char *text)
{
    atomic_store(&line_open, true);
    fprintf(stderr, "\r\033[K%s", text);
}

void cli_progress_end(void)
{
    if (atomic_exchange(&line_open, false))
        fputs("\r\033[K", stderr);
}

static void say(const char *format, va_list args) SB_PRINTF(1, 0);
static void say(const char *format, va_list args)
{
    char text[1200];
    int n = vsnprintf(text, sizeof text - 1, format, args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text - 1 ? (size_t)n : sizeof text - 2;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
    text[len] = '\0';
    struct buffer clean; /* names and reasons of elsewhere stand in it */
    buffer_init(&clean, 16 * KIB);
    utf8_scrub(&clean, bytes_of(text, len), SCRUB_SCREEN);
    const char *shown = buffer_cstr(&clean);
    cli_progress_end();
    fprintf(stderr, "signalbox: %s\n", buffer_ok(&clean) ? shown : text);
    buffer_free(&clean);
}

void cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

void cli_notice(const struct cli *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!cli_flag(c, FLAG_QUIET))
        say(format, args);
    va_end(args);
}

int cli_error(const struct err_info *err)
{
    char text[1000];
    cli_note("%s", err_format(err, text, sizeof text));
    return err_exit_code(err->code);
}

/* err->where is "column N" or so; the caret stands there where a number can be read. */
int cli_filter_error(const char *expression, const struct err_info *err)
{
    const char *digits = err->where + strcspn(err->where, "0123456789");
    char text[8];
    int64_t column = 0;
    text_copy_bytes(text, sizeof text, bytes_of(digits, strspn(digits, "0123456789")));
    cli_note("%s%s%s", err->text, err->next[0] ? "; " : "", err->next);
    if (text_int64(text, &column) && column >= 1 && column < 400 && !strpbrk(expression, "\n\t"))
        fprintf(stderr, "  %s\n  %*s^\n", expression, (int)column - 1, "");
    return err_exit_code(ERR_USAGE);
}

int cli_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return err_exit_code(ERR_USAGE);
}

int cli_print(struct buffer *text)
{
    struct err_info err = {.code = ERR_OK};
    if (!buffer_ok(text))
        err_set(&err, ERR_LIMIT, "the output is too large");
    else if (!output_write(STDOUT_FILENO, buffer_view(text), &err) || err.code == ERR_CLOSED)
        return 0;
    return cli_error(&err);
}

bool cli_color(const struct cli *c, int fd)
{
    const char *when = cli_text(c, FLAG_COLOR), *no = getenv("NO_COLOR"), *term = getenv("TERM");
    if (when && strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    return isatty(fd) && !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

bool cli_progress(const struct cli *c)
{
    return !cli_flag(c, FLAG_QUIET) && isatty(STDERR_FILENO);
}

/* ---- configuration ---- */

void cli_fault(const char *file, const struct config_fault *fault)
{
    const char *kind = fault->warning ? "warning: " : "";
    if (fault->line)
        cli_note("%s:%u:%u: %s%s", file, fault->line, fault->column, kind, fault->text);
    else
        cli_note("%s: %s%s", file, kind, fault->text);
}

static void report_fault(void *context, const char *file, const struct config_fault *fault)
{
    (void)context;
    cli_fault(file, fault);
}

int cli_load_config(struct cli *c)
{
    struct err_info err = {.code = ERR_OK};
    if (!config_load(&c->config, cli_text(c, FLAG_CONFIG), c->registry, report_fault, NULL, &err))
        return 0;
    return err.code == ERR_CONFIG ? err_exit_code(ERR_CONFIG) : cli_error(&err);
}

int cli_run(struct cli *c)
{
    int code = cli_configure(c);
    return code ? code : c->command->run(c);
}

void cli_free(struct cli *c)
{
    config_free(&c->config);
}

int cli_redactor(const struct cli *c, struct redactor **r)
{
    struct err_info err;
    const struct redaction *rules = c->config.redaction;
    *r = rules ? redactor_new(rules) : NULL;
    if (*r || !rules)
        return 0;
    err_set(&err, ERR_NOMEM, "no memory to hide what `redact` names");
    return cli_error(&err);
}

/* ---- addresses ---- */

/* Behind the host of an AMQP URL comes the virtual host first: whoever forgot it is told. */
static int no_channel(const char *given, const struct endpoint *e)
{
    char vhost[300] = "";
    if (e->by_url && e->vhost && strcmp(e->vhost, "/") != 0)
        snprintf(vhost, sizeof vhost, " (`%.200s` is its virtual host; the usual one, /, is written %%2F)",
                 e->vhost);
    const char *parameters = strchr(given, '?');
    return cli_usage("`%s` names no channel%s; write %s/CHANNEL%s (`signalbox ls %s` lists them)", given,
                     vhost, e->name, e->by_url && parameters ? parameters : "", given);
}

int cli_address(struct cli *c, size_t i, bool channel_wanted, struct address *address)
{
    struct err_info err = {.code = ERR_OK};
    if (config_address(&c->config, c->args[i], c->registry->brokers, address, &err))
        return cli_error(&err);
    struct endpoint *e = &address->endpoint->endpoint;
    char idle[120];
    if (e->by_url && config_idle_parameter(e, idle, sizeof idle))
        cli_notice(c, "%s: %s", e->name, idle);
    if (channel_wanted && !address->channel.name)
        return no_channel(c->args[i], e);
    if (e->by_url && e->username && !e->password)
        cli_ask_password(c, e);
    return config_secret(&c->config, address->endpoint, &err) ? cli_error(&err) : 0;
}

static bool lacks_write(const struct cli *c, const struct endpoint *e)
{
    return !e->by_url && !e->write && !cli_flag(c, FLAG_WRITE);
}

/* name: what is to be confirmed. */
static bool lacks_confirm(const struct cli *c, const struct address *to, char *name, size_t size)
{
    const struct endpoint *e = &to->endpoint->endpoint;
    const char *confirmed;
    snprintf(name, size, "%s/%s", e->name, to->channel.name);
    if (e->by_url || !e->production)
        return false;
    for (size_t at = 0; (confirmed = cli_next(c, FLAG_CONFIRM, &at));)
        if (strcmp(confirmed, name) == 0)
            return false;
    return true;
}

static void put_confirm(const struct cli *c, const struct address *to, char *into, size_t size)
{
    char name[512];
    size_t used = strlen(into);
    if (to && lacks_confirm(c, to, name, sizeof name))
        snprintf(into + used, size - used, " --confirm %s", name);
}

char *cli_missing_flags(const struct cli *c, const struct address *to, const struct address *also, char *into,
                        size_t size)
{
    bool write = (to && lacks_write(c, &to->endpoint->endpoint)) ||
                 (also && lacks_write(c, &also->endpoint->endpoint));
    snprintf(into, size, "--execute%s", write ? " --write" : "");
    put_confirm(c, to, into, size);
    put_confirm(c, also, into, size);
    return into;
}

int cli_may_change(const struct cli *c, const struct address *to)
{
    const struct endpoint *e = &to->endpoint->endpoint;
    struct err_info err;
    char name[512];
    if (!cli_flag(c, FLAG_EXECUTE))
        return 0;
    if (lacks_write(c, e)) {
        err_set(&err, ERR_REFUSED, "the endpoint is read-only");
        err_where(&err, "%s", e->name);
        err_next(&err, "add --write, or `write: true` to the configuration");
        return cli_error(&err);
    }
    if (lacks_confirm(c, to, name, sizeof name)) {
        err_set(&err, ERR_REFUSED, "the endpoint is marked production%s",
                cli_flag(c, FLAG_CONFIRM) ? ", and --confirm names another" : "");
        err_where(&err, "%s", e->name);
        err_next(&err, "add --confirm %s", name);
        return cli_error(&err);
    }
    return 0;
}
