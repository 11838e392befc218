#include "cli/encode.h"
#include "cli/reading.h"

#include <inttypes.h>
#include <stdlib.h>

static void encode(void *context, struct buffer *out, const struct message *m)
{
    encode_line(context, out, m);
}

/* What marks duplicates; NULL: nobody asked. 0 or an exit code after a message. */
static int make_mark(const struct cli *c, struct dedupe_mark **mark)
{
    char text[200];
    struct err_info err = {.code = ERR_OK};
    struct dedupe_mark_job job = {.rule = cli_text(c, FLAG_DEDUPE_BY), .decoders = c->registry->decoders};
    *mark = job.rule ? dedupe_mark_new(&job, &err) : NULL;
    if (!job.rule)
        return 0;
    if (!*mark)
        return cli_error(&err);
    cli_notice(c, "%s", dedupe_mark_since(*mark, text, sizeof text));
    return 0;
}

static void end_mark(const struct cli *c, struct dedupe_mark **mark)
{
    char text[300];
    if (*mark)
        cli_notice(c, "%s", dedupe_mark_text(*mark, text, sizeof text));
    dedupe_mark_free(mark);
}

static int run_tail(struct cli *c, struct address *addresses)
{
    struct reading reading;
    struct encoder encoder;
    int code = reading_init(&reading, c, READ_TAP);
    for (size_t i = 0; i < c->arg_count && !code; i++)
        code = cli_address(c, i, true, &addresses[i]);
    if (!code)
        code = make_mark(c, &reading.mark);
    if (!code)
        code = encoder_init(&encoder, c);
    if (code) {
        dedupe_mark_free(&reading.mark);
        return code;
    }
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
    end_mark(c, &reading.mark);
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
        "in this version: `tail --json >FILE.jsonl` writes what `import` reads.\n"
        "\n"
        "--dedupe-by marks what has passed before in the same channel, by the rules of `dedupe` (id key body header:NAME field:PATH): the "
        "flag `duplicate`, which filters know as `dup=true`, and a further field of --plain. It is exact, and knows what has passed since "
        "the tail began: at most 500,000 values "
        "and 64 MiB of them; from when on it knows is said at its beginning, when older ones begin to be forgotten, and at its end.",
    .flags = FLAGS_READING | F(DEDUPE_BY) | F(FIREHOSE) | F(INTERNAL) | FLAGS_OUTPUT,
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
