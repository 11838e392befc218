/* The program: parses the words, wires the concrete modules together, chooses the face, exits. */
#include "base/guard.h"
#include "cli/cli.h"
#include "demo/demo.h"
#include "engine/undo.h"
#include "registry.h"
#include "ui/console.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

static int run_console(struct cli *c, const struct address *addresses, size_t count)
{
    struct err_info err = {.code = ERR_OK};
    struct console_options options = {
        .addresses = addresses,
        .address_count = count,
        .demo = cli_flag(c, FLAG_DEMO),
        .colour = cli_text(c, FLAG_COLOR),
    };
    int code = console_run(&c->config, c->registry, &options, &err);
    if (err.code)
        cli_error(&err);
    return code;
}

/* Addresses of the command line join the configured endpoints; those with a channel are tailed from the start. */
static int open_addresses(struct cli *c)
{
    struct address addresses[64];
    size_t tailed = 0;
    if (c->arg_count > sizeof addresses / sizeof *addresses)
        return cli_usage("more than %zu addresses", sizeof addresses / sizeof *addresses);
    for (size_t i = 0; i < c->arg_count; i++) {
        struct err_info err = {.code = ERR_OK};
        const struct registry *r = c->registry;
        if (config_is_probe_url(c->args[i], r->probes)) {
            if (config_add_probe(&c->config, c->args[i], r->brokers, r->probes, &err))
                return cli_error(&err);
            continue;
        }
        if (config_address(&c->config, c->args[i], c->registry->brokers, &addresses[tailed], &err))
            return cli_error(&err);
        tailed += addresses[tailed].channel.name != NULL;
    }
    return run_console(c, addresses, tailed);
}

static int run_demo(struct cli *c, bool terminal)
{
    struct err_info err = {.code = ERR_OK};
    struct demo *demo = demo_start(&c->config, c->registry, &err);
    if (!demo)
        return cli_error(&err);
    int code = 0;
    if (terminal)
        code = run_console(c, NULL, 0);
    else if (demo_report(&c->config, c->registry, STDOUT_FILENO, &err))
        code = cli_error(&err);
    demo_stop(&demo);
    return code;
}

static int open_screen(struct cli *c)
{
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    bool demo = cli_flag(c, FLAG_DEMO);
    if (demo && c->arg_count)
        return cli_usage("--demo stands alone: `%s` is too much", c->args[0]);
    int code = cli_configure(c);
    if (!code && !demo && !terminal)
        code = cli_usage(
            "the screen needs a terminal; without one use a command (`signalbox help` lists them), or "
            "--demo for a report of the demo");
    if (code)
        return code;
    return demo ? run_demo(c, terminal) : open_addresses(c);
}

/* With one of them closed the next file that is opened would take its place, and get what is said there. What stands in for it
 * is open the wrong way round: a read or write fails with EBADF, as on the closed one, instead of passing for an empty input or
 * an output that somebody has. */
static void hold_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (fd == STDOUT_FILENO) {
            close(fd);
            fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        }
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    struct cli cli;
    bool done;
    hold_standard_descriptors();
    setlocale(LC_ALL, "");
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write, and ends quietly */
    signal(SIGXFSZ, SIG_IGN); /* so is a file that may not grow: what was begun is taken back */
    if (guard_is_me(argv[0]))
        return undo_run(registry.brokers);
    guard_enable("/proc/self/exe");
    int code = cli_parse(&cli, argc, argv, &registry, &done);
    if (!code && !done)
        code = cli.command ? cli_run(&cli) : open_screen(&cli);
    cli_free(&cli);
    return code;
}
