#include "cli/changing.h"
#include "cli/encode.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "cli/input.h"
#include "engine/message_json.h"

#include <inttypes.h>

#define MOST_PROPERTIES 4

/* One message of flags and a file, or several of JSON lines. */
struct sending {
    struct cli *cli;
    struct address to;
    bool json;
    bool done; /* the one message was handed out */
    struct buffer body;
    struct input lines;
    struct arena arena;
    struct header headers[MOST_LIST];
    struct header properties[MOST_PROPERTIES];
    uint32_t header_count, property_count;
    struct encoder encoder;    /* of the dry run */
    struct buffer shown;       /* drained by print_part */
    struct redactor *redactor; /* of what is shown; NULL: nothing is hidden */
    int print_code;
};

static int take_headers(struct sending *s)
{
    const char *text;
    /* AMQP clients write text as strings; Kafka has bytes alone, the same ones. */
    enum value_type type = strcmp(s->to.endpoint->broker->name, "kafka") == 0 ? VALUE_BYTES : VALUE_STRING;
    for (size_t at = 0; (text = cli_next(s->cli, FLAG_HEADER, &at));) {
        const char *equals = strchr(text, '=');
        if (!equals || equals == text)
            return cli_usage("--header %s: write NAME=VALUE", text);
        s->headers[s->header_count++] = (struct header){
            .name = bytes_of(text, (size_t)(equals - text)),
            .value = {.type = type, .bytes = bytes_of_text(equals + 1)},
        };
    }
    return 0;
}

static void add_property(struct sending *s, const char *name, struct value value)
{
    s->properties[s->property_count++] = (struct header){.name = bytes_of_text(name), .value = value};
}

static void take_properties(struct sending *s)
{
    if (cli_flag(s->cli, FLAG_TYPE))
        add_property(
            s, "type",
            (struct value){.type = VALUE_STRING, .bytes = bytes_of_text(cli_text(s->cli, FLAG_TYPE))});
    if (cli_flag(s->cli, FLAG_PARTITION))
        add_property(s, "partition",
                     (struct value){.type = VALUE_INT32, .i = cli_number(s->cli, FLAG_PARTITION, 0)});
}

static enum err next_of_flags(struct sending *s, struct message *m)
{
    if (s->done)
        return ERR_END;
    s->done = true;
    *m = (struct message){
        .origin = origin_intern(s->to.endpoint->endpoint.name, s->to.channel.name, s->to.channel.kind),
        .time_ns = TIME_NONE,
        .received_ns = clock_wall_ns(),
        .key = bytes_of_text(cli_text(s->cli, FLAG_KEY)),
        .payload = buffer_view(&s->body),
        .headers = {s->header_count ? s->headers : NULL, s->header_count},
        .properties = {s->property_count ? s->properties : NULL, s->property_count},
    };
    return ERR_OK;
}

static bool is_blank(struct bytes line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!memchr(" \t\r", line.data[i], 3))
            return false;
    return true;
}

static enum err next_of_lines(struct sending *s, struct message *m, struct err_info *err)
{
    struct bytes line;
    enum err e;
    do {
        e = input_line(&s->lines, &line, err);
    } while (!e && is_blank(line));
    arena_reset(&s->arena);
    if (!e && (e = message_from_json(m, line, &s->arena, err)))
        input_where(&s->lines, err);
    if (e)
        return e;
    m->time_ns = TIME_NONE; /* when it is sent */
    changing_place(m);
    return ERR_OK;
}

static enum err next(void *context, struct message *m, struct err_info *err)
{
    struct sending *s = context;
    enum err e = s->json ? next_of_lines(s, m, err) : next_of_flags(s, m);
    if (!e && cli_flag(s->cli, FLAG_PARTITION))
        m->position = (struct position){.kind = POSITION_PARTITION,
                                        .partition = (int32_t)cli_number(s->cli, FLAG_PARTITION, 0)};
    return e;
}

static bool start_again(void *context)
{
    struct sending *s = context;
    s->done = false;
    return !s->json || input_rewind(&s->lines);
}

static void print_part(void *context, struct buffer *text)
{
    struct sending *s = context;
    s->print_code = s->print_code ? s->print_code : cli_print(text);
    buffer_clear(text);
}

/* A dry run shows each message whole, but for what `redact` names: only JSON shows its headers. */
static int show(void *context, const struct message *m)
{
    struct sending *s = context;
    struct message unsent = message_borrow(m);
    unsent.position =
        (struct position){.kind = POSITION_NONE}; /* it has none yet; its partition is a property */
    buffer_clear(&s->shown);
    encode_line(&s->encoder, &s->shown, s->redactor ? redactor_apply(s->redactor, &unsent) : &unsent);
    print_part(s, &s->shown);
    return s->print_code;
}

static int send_all(struct sending *s)
{
    struct err_info err = {.code = ERR_OK};
    const char *file = s->cli->arg_count > 1 ? s->cli->args[1] : "-";
    int code = take_headers(s);
    if (code)
        return code;
    take_properties(s);
    if (s->json && s->cli->flags.set & (F(KEY) | F(HEADER) | F(TYPE)))
        return cli_usage("--json takes whole messages: key, headers and type stand in them");
    if (cli_number(s->cli, FLAG_PARTITION, 0) > INT32_MAX)
        return cli_usage("--partition %s is out of range", cli_text(s->cli, FLAG_PARTITION));
    if (s->json ? input_open(&s->lines, file, &err) : input_whole(file, &s->body, &err))
        return cli_error(&err);
    int64_t partition = cli_number(s->cli, FLAG_PARTITION, -1);
    struct changing changing = {.cli = s->cli,
                                .to = &s->to,
                                .flags = PUBLISH_EXACT |
                                         (cli_flag(s->cli, FLAG_PARTITION) ? PUBLISH_PARTITION : 0),
                                .next = next,
                                .rewind = start_again,
                                .show = show,
                                .context = s,
                                .alone = !s->json,
                                .told = partition < INT32_MAX ? (int32_t)partition + 1 : INT32_MAX};
    return cli_flag(s->cli, FLAG_EXECUTE) ? changing_execute(&changing) : changing_rehearse(&changing);
}

/* The command has named one: without a word it would be sent to none. */
static int check_partition(const struct sending *s)
{
    const struct broker_ops *ops = s->to.endpoint->broker;
    struct err_info err;
    if (!cli_flag(s->cli, FLAG_PARTITION) || (ops->carries & CARRY_PARTITION))
        return 0;
    err_set(&err, ERR_USAGE, "%s has no partitions", ops->title);
    err_where(&err, "%s", s->to.endpoint->endpoint.name);
    err_next(&err, "leave --partition out");
    return cli_error(&err);
}

static int run(struct cli *c)
{
    static struct sending s; /* its tables are large */
    s = (struct sending){.cli = c,
                         .json = cli_flag(c, FLAG_JSON),
                         .encoder = {.registry = c->registry, .encoding = ENCODE_JSON}};
    int code = cli_address(c, 0, true, &s.to);
    if (!code)
        code = check_partition(&s);
    if (!code)
        code = cli_may_change(c, &s.to);
    if (code)
        return code;
    buffer_init(&s.body, LIMIT_MESSAGE);
    buffer_init(&s.shown, LIMIT_LINE);
    s.shown.drain = print_part;
    s.shown.drain_context = &s;
    arena_init(&s.arena, 2 * LIMIT_MESSAGE);
    code = cli_redactor(c, &s.redactor);
    code = code ? code : send_all(&s);
    redactor_free(&s.redactor);
    input_close(&s.lines);
    buffer_free(&s.body);
    buffer_free(&s.shown);
    arena_free(&s.arena);
    return code;
}

const struct command command_send = {
    .name = "send",
    .args = "ADDRESS [FILE|-]",
    .purpose = "send a message; a dry run until --execute",
    .detail =
        "The payload is the file's or stdin's bytes as they are, nothing added. With --json each line of the input is a "
        "message as tail --json prints it, sent with the same bytes, key, headers and properties, at its time of sending, to the "
        "partition that it names; where the topic does not have that one, the key places it, and that is said. --partition sends "
        "all to one. RabbitMQ gets persistent messages unless delivery_mode says otherwise; what was read from RabbitMQ (it has "
        "`exchange`) without a delivery_mode was transient there and is sent so, which is said. All lines and the destination are "
        "checked before the first one is sent; a pipe is sent as it is read.",
    .flags = F(KEY) | F(HEADER) | F(TYPE) | F(PARTITION) | F(JSON) | F(CREATE) | FLAGS_CHANGE,
    .min_args = 1,
    .max_args = 2,
    .missing = "an address",
    .argument = ARGUMENT_FILE,
    .examples = {{"signalbox send k/orders order.json --key o-1", "what would be sent"},
                 {"signalbox send k/orders order.json --execute", "send it"},
                 {"signalbox send q/emails --json < saved.jsonl", "as tail --json wrote"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
