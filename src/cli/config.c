#include "cli/cli.h"

#include "base/json.h"
#include "base/text.h"

struct check {
    struct json_writer *faults, *warnings; /* NULL: for people */
    unsigned count, more;                  /* more: not listed */
};

static void report(void *context, const char *file, const struct config_fault *fault)
{
    struct check *check = context;
    struct json_writer *w = fault->warning ? check->warnings : check->faults;
    check->count += !fault->warning;
    check->more = fault->more;
    if (!w)
        cli_fault(file, fault);
    if (!w || fault->more)
        return;
    json_object(w);
    json_name(w, "line");
    json_uint(w, fault->line);
    json_name(w, "column");
    json_uint(w, fault->column);
    json_name(w, "text");
    json_text(w, fault->text);
    json_object_end(w);
}

static void say_good(struct cli *c, struct buffer *out)
{
    char path[4096];
    bool given;
    if (c->config.file)
        buffer_printf(out, "%s: good: %zu endpoint%s, %zu probe%s\n", c->config.file,
                      c->config.endpoint_count, c->config.endpoint_count == 1 ? "" : "s",
                      c->config.probe_count, c->config.probe_count == 1 ? "" : "s");
    else if (config_path(path, sizeof path, &given))
        buffer_printf(out, "%s: no such file; that is fine, `signalbox init` writes one\n", path);
    else
        buffer_text(
            out, "no file: neither HOME nor XDG_CONFIG_HOME says where to look; --config FILE names one\n");
}

/* --json: {"file":...,"good":...,"faults":[...],"warnings":[...],"more":...} on stdout. */
static int check(struct cli *c)
{
    bool json = cli_flag(c, FLAG_JSON);
    struct buffer faults, warnings, out;
    struct json_writer f, g, w;
    buffer_init(&faults, 1 << 20);
    buffer_init(&warnings, 1 << 20);
    buffer_init(&out, 2 << 20);
    json_write(&f, &faults);
    json_array(&f);
    json_write(&g, &warnings);
    json_array(&g);
    struct check state = {.faults = json ? &f : NULL, .warnings = json ? &g : NULL};
    struct err_info err = {.code = ERR_OK};
    config_free(&c->config); /* the empty one of an offline command */
    enum err e = config_check(&c->config, cli_text(c, FLAG_CONFIG), c->registry, report, &state, &err);
    json_array_end(&f);
    json_array_end(&g);
    if (json) {
        json_write(&w, &out);
        json_object(&w);
        json_name(&w, "file");
        json_text(&w, c->config.file);
        json_name(&w, "good");
        json_bool(&w, !e);
        json_name(&w, "faults");
        json_raw(&w, buffer_view(&faults));
        json_name(&w, "warnings");
        json_raw(&w, buffer_view(&warnings));
        json_name(&w, "more");
        json_uint(&w, state.more);
        json_object_end(&w);
        buffer_byte(&out, '\n');
    } else if (!e) {
        say_good(c, &out);
    } else if (!state.count) {
        cli_error(&err);
    }
    int code = cli_print(&out);
    buffer_free(&faults);
    buffer_free(&warnings);
    buffer_free(&out);
    return e ? err_exit_code(e) : code;
}

static const char *const words[] = {"check", NULL};

static int run(struct cli *c)
{
    if (strcmp(c->args[0], "check") == 0)
        return check(c);
    return cli_usage("unknown word `%s`; `signalbox config check` is the one there is", c->args[0]);
}

const struct command command_config = {
    .name = "config",
    .args = "check",
    .purpose = "check the configuration and list every fault with its place",
    .detail =
        "Every fault is listed at once, with line, column and, for a misspelt word, the nearest one; of more than 1,000 the rest "
        "is counted (`more` of --json). The files that tls and schemas name must be there, and a client certificate's key must be "
        "its own. The client library is asked what it thinks of options. What has no effect in this version is warned of and refuses "
        "nothing (`warnings` of --json). Nothing is connected to and no password is read.",
    .flags = F(JSON),
    .min_args = 1,
    .max_args = 1,
    .missing = "a word",
    .argument = ARGUMENT_WORD,
    .words = words,
    .examples = {{"signalbox config check", "the file that would be read"},
                 {"signalbox config check --config staging.yaml", "another one"},
                 {"signalbox config check --json", "as JSON, for an editor"}},
    .exits = "0 2",
    .offline = true,
    .run = run,
};
