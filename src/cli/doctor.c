/* Looks for what commonly stands in the way, and says how to mend it. */
#include "cli/cli.h"

#include "base/json.h"
#include "base/mark.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cli/libraries.h"
#include "cli/listing.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_LEFT 16

enum finding { FINE, REMARK, FAULT };

/* A change that a killed process has not undone. */
struct left {
    char name[80], text[400];
};

struct doctor {
    struct cli *cli;
    struct buffer out;
    bool json, color;
    unsigned faults;
    struct left left[MOST_LEFT];
    size_t left_count;
};

static void put_json(struct doctor *d, enum finding f, const char *what, const char *text, const char *fix)
{
    static const char *const words[] = {"fine", "remark", "fault"};
    struct json_writer w;
    json_write(&w, &d->out);
    json_object(&w);
    json_name(&w, "check");
    json_text(&w, what);
    json_name(&w, "finding");
    json_text(&w, words[f]);
    json_name(&w, "text");
    json_text(&w, text);
    json_name(&w, "fix");
    json_text(&w, fix);
    json_object_end(&w);
    buffer_byte(&d->out, '\n');
}

/* fix: what to do; NULL where there is nothing to do. */
static void say(struct doctor *d, enum finding f, const char *what, const char *text, const char *fix)
{
    static const char *const signs[] = {"ok   ", "note ", "FAULT"};
    static const char *const colors[] = {"\033[32m", "\033[33m", "\033[1;31m"};
    d->faults += f == FAULT;
    if (d->json) {
        put_json(d, f, what, text, fix);
        return;
    }
    buffer_printf(&d->out, "%s%s%s ", d->color ? colors[f] : "", signs[f], d->color ? "\033[0m" : "");
    utf8_pad(&d->out, bytes_of_text(what), 16);
    buffer_byte(&d->out, ' ');
    utf8_scrub(&d->out, bytes_of_text(text), SCRUB_PLAIN);
    buffer_byte(&d->out, '\n');
    if (fix && *fix) {
        buffer_printf(&d->out, "%23s", "-> ");
        utf8_scrub(&d->out, bytes_of_text(fix), SCRUB_PLAIN);
        buffer_byte(&d->out, '\n');
    }
}

static void on_fault(void *context, const char *file, const struct config_fault *fault)
{
    char text[600];
    if (fault->line)
        snprintf(text, sizeof text, "%s:%u:%u: %s", file, fault->line, fault->column, fault->text);
    else
        snprintf(text, sizeof text, "%s: %s", file, fault->text);
    say(context, FAULT, "configuration", text, "signalbox help config lists every key");
}

static bool check_config(struct doctor *d)
{
    struct cli *c = d->cli;
    struct err_info err = {.code = ERR_OK};
    char text[4300], path[4096] = "";
    bool given;
    config_free(&c->config); /* the empty one of an offline command */
    if (config_load(&c->config, cli_text(c, FLAG_CONFIG), c->registry, on_fault, d, &err))
        return false;
    if (!c->config.file) {
        bool placed = config_path(path, sizeof path, &given);
        snprintf(text, sizeof text, "none at %s", path);
        say(d, REMARK, "configuration",
            placed ? text : "none: neither HOME nor XDG_CONFIG_HOME says where to look",
            placed ? "signalbox init > FILE writes a commented one" : "name one: --config FILE, or set HOME");
        return true;
    }
    struct stat st;
    snprintf(text, sizeof text, "%s: %zu endpoints, %zu probes", c->config.file, c->config.endpoint_count,
             c->config.probe_count);
    bool open = stat(c->config.file, &st) == 0 && (st.st_mode & 022);
    say(d, open ? REMARK : FINE, "configuration", text, open ? "others may write it: chmod go-w FILE" : NULL);
    return true;
}

static void check_terminal(struct doctor *d)
{
    const char *term = getenv("TERM");
    struct winsize size = {0};
    char text[160];
    if (!term || !*term) {
        say(d, FAULT, "terminal", "TERM is not set: the screen cannot open", "export TERM=xterm-256color");
        return;
    }
    bool tty = isatty(STDERR_FILENO) && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
    if (!tty)
        snprintf(text, sizeof text, "TERM=%s; its size is not known here, in a pipe", term);
    else
        snprintf(text, sizeof text, "TERM=%s, %dx%d", term, size.ws_col, size.ws_row);
    bool small = tty && (size.ws_col < 80 || size.ws_row < 24);
    say(d, small ? REMARK : FINE, "terminal", text, small ? "the screen is made for 80x24 and more" : NULL);
}

static void check_colors(struct doctor *d)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    if (no && *no)
        say(d, REMARK, "colours", "off, since NO_COLOR is set", "unset NO_COLOR, or --color always");
    else if (term && strstr(term, "256color"))
        say(d, FINE, "colours", "256", NULL);
    else
        say(d, FINE, "colours", "8 or fewer, as TERM says", NULL);
}

static void check_locale(struct doctor *d)
{
    const char *codeset = nl_langinfo(CODESET);
    char text[120];
    bool utf8 = strcmp(codeset, "UTF-8") == 0;
    snprintf(text, sizeof text, "character set %s", codeset);
    say(d, utf8 ? FINE : FAULT, "locale", text, utf8 ? NULL : "export LC_ALL=C.UTF-8");
}

static void on_library(void *context, const char *name, const char *version)
{
    say(context, FINE, name, version, NULL);
}

static const char *fix_for(const struct err_info *err)
{
    if (err->next[0])
        return err->next;
    switch (err->code) {
    case ERR_AUTH:
        return "check username and password_env, password_file or password_command (SIGNALBOX_PASSWORD for a URL)";
    case ERR_DENIED: return "ask for the right to describe channels";
    case ERR_TLS: return "tls.ca names the authority; the scheme's s switches TLS on";
    case ERR_TIMEOUT: return "a firewall drops packets, or the port speaks another protocol";
    case ERR_CONFIG: return "correct it in the configuration; signalbox help config lists every key";
    default:
        return err_policy(err->code) == ERR_POLICY_RETRY ? "is it running, and are host and port right?" : "";
    }
}

static int check_endpoint(struct doctor *d, struct config_endpoint *e)
{
    struct listing l;
    struct err_info err = {.code = ERR_OK};
    char text[400];
    if (config_secret(&d->cli->config, e, &err)) {
        say(d, FAULT, e->endpoint.name, err.text, err.next);
        return 0;
    }
    listing_get(d->cli, e, NULL, 0, false, &l);
    if (l.signal)
        return 128 + l.signal;
    if (!l.list) {
        say(d, FAULT, e->endpoint.name, l.err.text, fix_for(&l.err));
        return 0;
    }
    snprintf(text, sizeof text, "reached%s%s, %zu channels%s%s", *l.list->version ? ": " : "",
             l.list->version, l.list->count, *l.list->note ? "; " : "", l.list->note);
    bool alarm = l.sample.health == HEALTH_DEGRADED;
    say(d, l.list->complete && !alarm ? FINE : REMARK, e->endpoint.name, text,
        alarm              ? l.sample.reason
        : l.list->complete ? NULL
        : l.list->error && err_policy(l.list->error) == ERR_POLICY_RETRY
            ? "say where the management API is: management: URL"
            : "what is missing is said above; the rest works");
    channel_list_free(&l.list);
    return 0;
}

static void on_left(void *context, const char *name, const char *text)
{
    struct doctor *d = context;
    if (d->left_count == MOST_LEFT)
        return;
    struct left *l = &d->left[d->left_count++];
    text_copy(l->name, sizeof l->name, name);
    text_copy_bytes(l->text, sizeof l->text, bytes_of(text, strcspn(text, "\n")));
}

/* Whoever connects undoes it: the visits of the endpoints have, where it concerns one of them. */
static void report_left(struct doctor *d)
{
    for (size_t i = 0; i < d->left_count; i++) {
        int mark = mark_left(d->left[i].name);
        say(d, REMARK, "left behind", d->left[i].text,
            mark >= 0
                ? "a killed signalbox left this; it undoes it as soon as it connects there: signalbox ls ADDRESS"
                : "a killed signalbox had left this; it is undone by now");
        if (mark >= 0)
            mark_end(mark, d->left[i].name, false);
    }
}

static int check_all(struct doctor *d)
{
    int code = 0;
    mark_each_left(on_left, d);
    bool good = check_config(d);
    check_terminal(d);
    check_locale(d);
    check_colors(d);
    libraries_list(on_library, d);
    for (size_t i = 0; good && !code && i < d->cli->config.endpoint_count; i++)
        code = check_endpoint(d, &d->cli->config.endpoints[i]);
    report_left(d);
    return code;
}

static int run(struct cli *c)
{
    struct doctor d = {.cli = c, .json = cli_flag(c, FLAG_JSON), .color = cli_color(c, STDOUT_FILENO)};
    buffer_init(&d.out, 16 << 20);
    int code = check_all(&d);
    int printed = cli_print(&d.out);
    buffer_free(&d.out);
    return code ? code : printed ? printed : d.faults ? 1 : 0;
}

const struct command command_doctor = {
    .name = "doctor",
    .args = "",
    .purpose = "what stands in the way, and how to mend it",
    .detail =
        "Looks at configuration, terminal, locale, colours, libraries, whether each endpoint can be reached, lets us in and "
        "lists its channels, and what a killed signalbox left switched on. Exits 1 when there is a fault.",
    .flags = F(JSON),
    .examples = {{"signalbox doctor", "everything"},
                 {"signalbox doctor --config staging.yaml", "another configuration"},
                 {"signalbox doctor --json", "for a bug report"}},
    .exits = "0 1 130",
    .offline = true,
    .run = run,
};
