#include "cli/operate.h"

static int run(struct cli *c)
{
    return operate(c, OPERATION_RESEND);
}

const struct command command_resend = {
    .name = "resend",
    .args = "ADDRESS --select EXPR --to ADDRESS",
    .purpose = "send chosen messages once more; a dry run until --execute",
    .detail =
        "What --select takes is sent to another channel, which may be another broker's, or once more to its own; the source keeps it. "
        "Key, payload, properties "
        "and headers stay as they are, to the byte; headers that begin with x-signalbox- are put on behind them (--no-mark: none are). "
        "--edit sends another payload in the place of the one message's, and marks it as edited: what is in FILE, or what is written in "
        "$VISUAL or $EDITOR, where the payload stands as JSON or text, else in hex. What no longer encodes is refused; the line end that "
        "an editor puts behind the last line is left out. A flag or nothing stands behind an --edit without a FILE.",
    .flags = FLAGS_OPERATION | F(EDIT),
    .min_args = 1,
    .max_args = 1,
    .missing = "an address",
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox resend k/a --select key=7 --to k/b", "what would be sent"},
                 {"signalbox resend k/a --select key=7 --to k/b --execute", "send it"},
                 {"signalbox resend r/a --select id=7 --to r/b --edit", "another payload"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
