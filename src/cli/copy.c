#include "cli/operate.h"

static int run(struct cli *c)
{
    return operate(c, OPERATION_COPY);
}

const struct command command_copy = {
    .name = "copy",
    .args = "ADDRESS... --to ADDRESS",
    .purpose = "copy messages to another channel; a dry run until --execute",
    .detail =
        "What is stored when it begins is copied, in its order, or what --select takes of it, or the first N (--limit); the source "
        "keeps it. Key, payload, properties and headers stay as they are, to the byte; headers that begin with x-signalbox- are put "
        "on behind them, so that a message is known again after a crash (--no-mark: none are). Several sources are an operation each, "
        "in its own order (--limit is of each, --rate of all). An interrupted copy is finished by `resume`.",
    .flags = FLAGS_OPERATION,
    .min_args = 1,
    .max_args = SOURCES_MOST,
    .missing = "an address",
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox copy r/orders.parked --to r/orders", "what would be copied"},
                 {"signalbox copy r/a --to r/b --select 'body.n>5' --execute", "some of it"},
                 {"signalbox copy r/a --to r/b --rate 20/s --execute", "gently"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
