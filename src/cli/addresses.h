/* Addresses that begin with what was typed, for the shells' completion. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_ADDRESSES_H
#define SIGNALBOX_CLI_ADDRESSES_H

#include "cli/cli.h"

/* A line each: `NAME/` of configured endpoints; behind a `NAME/`, the channels, of a broker that is asked within two seconds
 * unless --timeout says otherwise. Nothing for a URL. 0 or an exit code after a message. */
int addresses_print(struct cli *c, const char *prefix);

#endif
