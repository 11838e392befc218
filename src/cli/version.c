#include "cli/cli.h"

#include "base/json.h"
#include "cli/libraries.h"

static void add_text(void *context, const char *name, const char *version)
{
    buffer_printf(context, "  %-12s %s\n", name, version);
}

static void add_json(void *context, const char *name, const char *version)
{
    json_name(context, name);
    json_text(context, version);
}

static void json_version(struct buffer *out)
{
    struct json_writer w;
    json_write(&w, out);
    json_object(&w);
    json_name(&w, "version");
    json_text(&w, SIGNALBOX_VERSION);
    json_name(&w, "libraries");
    json_object(&w);
    libraries_list(add_json, &w);
    json_object_end(&w);
    json_object_end(&w);
    buffer_byte(out, '\n');
}

static int run(struct cli *c)
{
    struct buffer out;
    buffer_init(&out, 64 << 10);
    if (cli_flag(c, FLAG_JSON)) {
        json_version(&out);
    } else {
        buffer_text(&out, "signalbox " SIGNALBOX_VERSION "\n");
        libraries_list(add_text, &out);
    }
    int code = cli_print(&out);
    buffer_free(&out);
    return code;
}

const struct command command_version = {
    .name = "version",
    .args = "",
    .purpose = "the program's version and those of its libraries",
    .detail = "The libraries are asked for the version that runs, not the one that was built against.",
    .flags = F(JSON),
    .examples = {{"signalbox version", "for people and bug reports"},
                 {"signalbox version --json", "for programs"},
                 {"signalbox --version", "one line"}},
    .exits = "0",
    .offline = true,
    .run = run,
};
