#include "cli/encode.h"
#include "cli/reading.h"

#include <inttypes.h>
#include <stdlib.h>

static void encode(void *context, struct buffer *out, const struct message *m)
{
    encode_line(context, out, m);
}

static int run_tail(struct cli *c, struct address *addresses)
{
    struct reading reading;
    struct encoder encoder;
    int code = reading_init(&reading, c, READ_TAP);
    for (size_t i = 0; i < c->arg_count && !code; i++)
        code = cli_address(c, i, true, &addresses[i]);
    if (!code)
        code = encoder_init(&encoder, c);
    if (code)
        return code;
    struct reading_result result;
    reading.addresses = addresses;
    reading.address_count = c->arg_count;
    reading.encode = encode;
    reading.context = &encoder;
    reading.bare = encoder_is_bare(&encoder);
    reading_run(&reading, &result);
    if (result.code == err_exit_code(ERR_TIMEOUT))
        cli_notice(c, "%" PRId64 " message%s, stopped because %s", result.written,
                   result.written == 1 ? "" : "s", result.stopped);
    encoder_free(&encoder);
    return result.code;
}

static int run(struct cli *c)
{
    struct address *addresses = calloc(c->arg_count, sizeof *addresses);
    struct err_info err;
    if (!addresses) {
        err_set(&err, ERR_NOMEM, "no memory for the addresses");
        return cli_error(&err);
    }
    int code = run_tail(c, addresses);
    free(addresses);
    return code;
}

const struct command command_tail = {
    .name = "tail",
    .args = "ADDRESS...",
    .purpose = "live messages of one or more channels, merged",
    .detail =
        "Follows for ever, disturbing nobody, and exits 0 after --limit. A connection that is lost is made anew: Kafka goes "
        "on behind the last message; what flows elsewhere meanwhile is not seen, and that is said. What --from finds stored in several "
        "partitions comes partition by partition, each in its order: end-N and `browse` merge it by time.\n\n"
        "Of several brokers each goes on without the others: one that cannot be reached is tried again; one that refuses, or lacks "
        "one of its channels, is read no further, which is said, and the exit code tells it at the end. --record and --watch are not "
        "in this version: `tail --json >FILE.jsonl` writes what `import` reads.",
    .flags = FLAGS_READING | F(FIREHOSE) | F(INTERNAL) | FLAGS_OUTPUT,
    .min_args = 1,
    .max_args = 64,
    .missing = "an address",
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox tail kafka://localhost:9092/orders", "what flows from now on"},
                 {"signalbox tail k/orders q/emails --where x-tenant", "two channels, filtered"},
                 {"signalbox tail k/orders --from -15m --json", "15m back, by partition"}},
    .exits = "0 1 2 5 8 130",
    .run = run,
};
