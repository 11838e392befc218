#include "cli/operate.h"

static int run(struct cli *c)
{
    return operate(c, OPERATION_RESEND);
}

const struct command command_resend = {
    .name = "resend",
    .args = "ADDRESS --select EXPR --to ADDRESS [--edit FILE]",
    .purpose = "send chosen messages once more; a dry run until --execute",
    .detail =
        "What --select takes is sent to another channel, which may be another broker's; the source keeps it. Key, payload, properties "
        "and headers stay as they are, to the byte; headers that begin with x-signalbox- are put on behind them (--no-mark: none are). "
        "--edit sends what is in FILE in the place of the one message's payload, and marks it as edited; what was JSON must still be "
        "JSON.",
    .flags = FLAGS_OPERATION | F(EDIT),
    .min_args = 1,
    .max_args = 1,
    .missing = "an address",
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox resend k/orders --select key=o-17 --to k/orders.retry", "what would be sent"},
                 {"signalbox resend k/a --select key=o-17 --to k/b --execute", "send it"},
                 {"signalbox resend r/dlq --select id=7 --to r/a --edit a.json --execute",
                  "with another payload"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
