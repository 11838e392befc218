#include "cli/operate.h"

static int run(struct cli *c)
{
    return operate(c, OPERATION_PURGE);
}

const struct command command_purge = {
    .name = "purge",
    .args = "ADDRESS",
    .purpose = "remove messages, archived first; a dry run until --execute",
    .detail =
        "What is there when it begins goes, or what --select takes of it, or the first N (--limit). Messages are taken, written to "
        "an archive in the state directory, which is on the disk and has been read back before the first of them is removed; what "
        "was archived is removed then, in its order, and nothing else. What is not selected goes back to where it stood, and messages "
        "that are with consumers are not touched. An archive holds at most 50,000 messages that are taken: more go into further "
        "archives of the same purge. `restore` brings an archive back, and `journal` says which there are.\n\n"
        "Of a log (Kafka) nothing goes but all up to a place: it is read to its end as it stands, archived, and cut behind what was "
        "archived; --select and --limit are refused there.\n\n"
        "On a compacted topic --tombstones writes a null payload for each key whose last message is selected, behind an archive of those "
        "messages: the topic forgets the key when it is compacted next, with all that was ever written to it. Where something newer has "
        "come for a key meanwhile it stays; whoever still writes those keys should pause. `restore` writes the archived messages again.\n\n"
        "--no-archive is the broker's own purge: at once, all of it, and nothing can be restored. Cancelled while it archives, a purge "
        "removes nothing of that archive; an interrupted one is finished by `resume`, which removes what a finished archive holds, or "
        "begins anew where there is none.",
    .flags = F(SELECT) | F(LIMIT) | F(NO_ARCHIVE) | F(TOMBSTONES) | F(JSON) | FLAGS_CHANGE,
    .min_args = 1,
    .max_args = 1,
    .missing = "an address",
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox purge r/orders.parked", "what would go"},
                 {"signalbox purge r/a --select 'age>7d' --execute", "what is old"},
                 {"signalbox restore r-a.sba --execute", "bring an archive back"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
