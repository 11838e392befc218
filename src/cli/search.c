#include "cli/encode.h"
#include "cli/reading.h"

#include "cli/listing.h"
#include "engine/message_json.h"

static void encode(void *context, struct buffer *out, const struct message *m)
{
    encode_line(context, out, m);
}

static int run(struct cli *c)
{
    struct reading reading;
    struct encoder encoder;
    struct address address;
    int code = reading_init_stored(&reading, c, c->args[1], &address);
    if (!code)
        code = encoder_init(&encoder, c);
    if (code)
        return code;
    encoder.json_flags = MESSAGE_JSON_DECODE; /* a search shows what it found */
    struct reading_result result;
    reading.progress = true;
    reading.encode = encode;
    reading.context = &encoder;
    reading.bare = encoder_is_bare(&encoder);
    code = listing_announce_effect(c, &address);
    if (!code) {
        reading_run(&reading, &result);
        code = result.code;
        if (!result.closed && (result.scanned || !code || code == err_exit_code(ERR_TIMEOUT)))
            reading_say_scanned(c, &result);
        code = reading_exit_code(&reading, &result);
    }
    encoder_free(&encoder);
    return code;
}

const struct command command_search = {
    .name = "search",
    .args = "ADDRESS EXPR",
    .purpose = "look through a whole channel",
    .detail =
        "All partitions at once, in bounded memory, with progress on stderr; at the end it says what was scanned and why "
        "it stopped. --limit stops after so many matches.",
    .flags = (FLAGS_READING & ~F(WHERE)) | F(INTERNAL) | FLAGS_OUTPUT,
    .min_args = 2,
    .max_args = 2,
    .missing = "an address and an expression",
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox search k/orders 'body.order.total>1000'", "by a field of the payload"},
                 {"signalbox search k/orders o-88412 --json", "by a word, decoded"},
                 {"signalbox search q/dead dlq.reason=expired -n 10", "the first ten dead letters"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
