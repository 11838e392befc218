#include "cli/encode.h"
#include "cli/reading.h"

#include "base/text.h"
#include "cli/listing.h"

static void encode(void *context, struct buffer *out, const struct message *m)
{
    encode_line(context, out, m);
}

/* Whoever counts the rows must not take them for all there is. */
static void say_share(const struct cli *c, const struct reading *reading, const struct reading_result *r)
{
    char scanned[32], total[32], written[32];
    if (r->closed || (r->code && !reading_has_begun(r)))
        return;
    if (r->whole && !r->scanned) {
        cli_notice(c, "0 messages: %s", *r->stopped ? r->stopped : "the channel is empty");
        return;
    }
    if (r->total <= r->scanned && !r->incomplete)
        return;
    text_count(scanned, sizeof scanned, (uint64_t)r->scanned);
    text_count(written, sizeof written, (uint64_t)r->written);
    text_count(total, sizeof total, (uint64_t)r->total);
    const char *most = r->total_upper ? "at most " : "";
    const char *why = *r->stopped ? r->stopped : "the limit was reached";
    if (reading->expression)
        cli_notice(c, "%s matched, of %s looked at, of %s%s: %s", written, scanned, most, total, why);
    else
        cli_notice(c, "%s of %s%s: %s", written, most, total, why);
}

static int run(struct cli *c)
{
    struct reading reading;
    struct encoder encoder;
    struct address address;
    int code = reading_init_stored(&reading, c, NULL, &address);
    if (!code)
        code = encoder_init(&encoder, c);
    if (code)
        return code;
    struct reading_result result;
    if (reading.limit < 0)
        reading.limit = 100;
    /* Without a filter the source need not look at more than is written. */
    if (!reading.expression)
        reading.scan_limit = reading.limit;
    reading.encode = encode;
    reading.context = &encoder;
    reading.bare = encoder_is_bare(&encoder);
    code = listing_announce_effect(c, &address);
    if (!code) {
        reading_run(&reading, &result);
        code = reading_exit_code(&reading, &result);
        bool none = reading.expression && !result.written && !result.closed;
        if (!result.code && none)
            reading_say_scanned(c, &result);
        else
            say_share(c, &reading, &result);
    }
    encoder_free(&encoder);
    return code;
}

const struct command command_browse = {
    .name = "browse",
    .args = "ADDRESS",
    .purpose = "what is stored in a channel now",
    .detail =
        "Stops at the end as it stood when it began, and after 100 messages unless --limit says otherwise. Up to 10,000 "
        "of several partitions are merged by time; more, and what --where picks, come as they are found. end-N finds up to 400,000 "
        "on Kafka, all where there are fewer than N. What Kafka has stored "
        "from before --from TIME behind newer messages is passed over, and counted. What looking does to the channel is said on "
        "stderr first: nothing, or marks (RabbitMQ sets redelivered).",
    .flags = FLAGS_READING | F(INTERNAL) | FLAGS_OUTPUT,
    .min_args = 1,
    .max_args = 1,
    .missing = "an address",
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox browse kafka://localhost:9092/orders", "the first 100"},
                 {"signalbox browse k/orders --from end-10", "the last 10"},
                 {"signalbox browse q/emails --where 'age>1h' --json", "old ones, as NDJSON"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
