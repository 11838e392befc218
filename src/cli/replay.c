#include "cli/operate.h"

static int run(struct cli *c)
{
    return operate(c, OPERATION_REPLAY);
}

const struct command command_replay = {
    .name = "replay",
    .args = "ADDRESS... [--to ADDRESS|origin|exchange]",
    .purpose = "send dead letters back; a dry run until --execute",
    .detail =
        "Each dead letter goes back to the queue or topic that it died in, as its headers tell (RabbitMQ's x-death, those of "
        "Spring Kafka, Kafka Connect and others; --origin-header names another one); what tells nothing is skipped, and said: "
        "--to ADDRESS sends all of them there. --to exchange publishes to the exchange that a message was first published to, "
        "with its routing key: every queue bound there gets it again, also those that had dealt with it. RabbitMQ's x-death "
        "headers are taken off, since a broker up to 3.13 takes them for its own and drops a later dead letter in silence; "
        "--keep-death leaves them; the journal keeps what was taken off. What was replayed three times before is skipped: it comes back "
        "for a reason. A Kafka topic "
        "keeps its dead letters: what is at its destination already, by the stamps that copies carry or by the journal, is skipped, too, "
        "unless --again; of two replays of one topic the later one cuts the earlier one off. --select "
        "picks some: 'dlq.reason=rejected'. The dry run looks at the dead letters and groups them by reason and destination; "
        "--reason takes a group by its text, or all whose text begins with it before a colon; # stands for numbers and ids. Several "
        "sources are an operation each (--limit is of each, --rate of all). A message leaves its dead letter queue once its destination "
        "has confirmed it, and "
        "never before; an interrupted replay is finished by `resume`.",
    .flags = FLAGS_OPERATION | F(KEEP_DEATH) | F(ORIGIN_HEADER) | F(REASON) | F(AGAIN),
    .min_args = 1,
    .max_args = SOURCES_MOST,
    .missing = "an address",
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox replay r/orders.dlq", "what would be replayed"},
                 {"signalbox replay r/orders.dlq --rate 20/s --execute", "gently"},
                 {"signalbox replay r/dlq --reason expired --execute", "some of it"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
