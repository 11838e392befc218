#include "cli/cli.h"

#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char sample[] =
    "# signalbox configuration; `signalbox config check` checks it, `signalbox help config` lists every key.\n"
    "endpoints:\n"
    "  local-kafka:\n"
    "    url: \"kafka://localhost:9092\"       # more hosts with commas between; kafkas:// with TLS\n"
    "    # production: true                  # changes need --confirm ENDPOINT/CHANNEL\n"
    "    # write: true                       # else changes need --write\n"
    "    # username: ops\n"
    "    # password_env: KAFKA_PASSWORD      # or password_file, password_command; never the password itself\n"
    "    # tls: {ca: /etc/ssl/our-ca.pem}   # with kafkas:// alone\n"
    "    # options: {sasl.mechanisms: SCRAM-SHA-256}\n"
    "    # channels:\n"
    "    #   \"orders.*\": {decode: json, dead_letters: orders.dlt}\n"
    "  # local-rabbit:\n"
    "  #   url: \"rabbitmq://localhost:5672/%2f\"\n"
    "  #   management: \"http://localhost:15672\"\n"
    "\n"
    "probes:\n"
    "  # payments: {url: \"http://payments:8080/health\", every: 5s, timeout: 2s, slow: 800ms,\n"
    "  #            expect: {status: 200, json: {/status: UP}}, needs: [local-kafka]}\n"
    "\n"
    "# ui: {theme: dark}\n"
    "# limits: {store: 64MiB}\n";

/* Every folder of the path, private. */
static enum err make_folders(char *path)
{
    for (char *c = path + 1; *c; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        int failed = mkdir(path, 0700) != 0 && errno != EEXIST;
        *c = '/';
        if (failed)
            return ERR_IO;
    }
    return ERR_OK;
}

static int write_file(const char *path)
{
    struct err_info err = {.code = ERR_OK};
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        enum err e = output_write(fd, bytes_of_text(sample), &err);
        close(fd);
        if (!e)
            return 0;
    } else {
        err_set(&err, errno == EEXIST ? ERR_EXISTS : ERR_IO, "%s",
                errno == EEXIST ? "there is a configuration already" : strerror(errno));
    }
    err_where(&err, "%s", path);
    if (err.code == ERR_EXISTS)
        err_next(&err, "`signalbox init` in a pipe prints the sample: signalbox init | less");
    return cli_error(&err);
}

static int run(struct cli *c)
{
    char path[4096];
    bool given;
    const char *named = cli_text(c, FLAG_CONFIG);
    if (!named && !isatty(STDOUT_FILENO)) {
        struct buffer out;
        buffer_init(&out, sizeof sample);
        buffer_text(&out, sample);
        int code = cli_print(&out);
        buffer_free(&out);
        return code;
    }
    if (!named && !config_path(path, sizeof path, &given))
        return cli_usage("neither HOME nor XDG_CONFIG_HOME is set; say where: signalbox init --config FILE");
    if (!named && make_folders(path))
        return cli_usage("%s: its folder cannot be made: %s", path, strerror(errno));
    int code = write_file(named ? named : path);
    if (!code)
        cli_notice(c, "%s written; edit it, then `signalbox config check`", named ? named : path);
    return code;
}

const struct command command_init = {
    .name = "init",
    .args = "",
    .purpose = "write a commented configuration",
    .detail =
        "On a terminal to the usual place, with --config to that file, in a pipe to stdout. A file that exists is left alone.",
    .examples = {{"signalbox init", "the usual place"},
                 {"signalbox init --config staging.yaml", "elsewhere"},
                 {"signalbox init | less", "only look"}},
    .exits = "0 1 2",
    .offline = true,
    .run = run,
};
