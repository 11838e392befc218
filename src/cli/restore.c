#include "cli/operate.h"

static int run(struct cli *c)
{
    return operate(c, OPERATION_RESTORE);
}

const struct command command_restore = {
    .name = "restore",
    .args = "ARCHIVE",
    .purpose = "send an archive's messages again; a dry run until --execute",
    .detail =
        "ARCHIVE is a path, or the name of an archive that a purge has made. It is checked as a whole before its first message is "
        "sent. They go to where they were (the address in the archive), or to --to; byte for byte, with their time, key, headers and "
        "properties, and nothing is added. On Kafka each goes to its partition; with --to by its key where there are not as many.\n\n"
        "An archive is restored once: the journal knows it by its SHA-256, and refuses it (exit 7), the dry run of it, too, unless "
        "--again. An interrupted restore is finished by `resume`. Since nothing marks the messages, what was on its way is looked for "
        "by its payload: where the destination had messages before, or has consumers, it may be in doubt, and is reported then and not "
        "sent again.",
    .flags = F(TO) | F(AGAIN) | F(RATE) | F(CREATE) | F(JSON) | FLAGS_CHANGE,
    .min_args = 1,
    .max_args = 1,
    .missing = "an archive",
    .argument = ARGUMENT_FILE,
    .examples = {{"signalbox restore orders.sba", "what would be sent"},
                 {"signalbox restore orders.sba --execute", "back to where it was"},
                 {"signalbox restore orders.sba --to test/orders --execute", "elsewhere"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
