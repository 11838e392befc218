/* The console: the terminal program. Floor 5. */
#ifndef SIGNALBOX_UI_CONSOLE_H
#define SIGNALBOX_UI_CONSOLE_H

#include "base/buffer.h"
#include "engine/config.h"
#include "model/registry.h"

struct console_options {
    const struct address *addresses; /* tailed from the start, where there are any */
    size_t address_count;
    const char *theme;  /* NULL: the configuration's, else the default */
    bool demo;          /* marked on row 1 */
    const char *colour; /* "auto" "always" "never"; NULL is auto: NO_COLOR counts */
};

/* Runs until the operator leaves. Returns the exit code: 0, or 128 + the signal that ended it; on a start that fails the
 * code of *err, which is filled (no terminal, TERM unset, unknown theme). The terminal is restored in any case.
 *
 * The first frame is on the terminal before any connection is begun. SIGTERM, SIGHUP, SIGINT and SIGTSTP are handled
 * while it runs. */
int console_run(struct config *config, const struct registry *registry, const struct console_options *options,
                struct err_info *err);

#endif
