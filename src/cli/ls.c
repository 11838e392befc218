#include "cli/cli.h"

#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cli/listing.h"
#include "engine/filter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct ls {
    struct cli *cli;
    struct filter *filter;
    struct buffer out;
    int width; /* of the first column */
    size_t rows;
    struct {
        const char *field;
        size_t rows;
    } unknown[4]; /* rows of one address that are left out because it is not known there */
    bool literal; /* the address has no pattern: a * or ? of its channel was written %2A or %3F */
    bool asked;   /* for something special: that there is none is then an answer of its own */
};

static void json_count(struct json_writer *w, const char *name, int64_t count)
{
    json_name(w, name);
    if (count < 0)
        json_null(w);
    else
        json_int(w, count);
}

static void json_rate(struct json_writer *w, const char *name, double rate)
{
    json_name(w, name);
    if (rate < 0)
        json_null(w);
    else
        json_double(w, rate);
}

static void json_capabilities(struct json_writer *w, const struct channel *c)
{
    json_name(w, "can");
    json_object(w);
    for (int i = 0; i < CAPABILITIES; i++) {
        json_name(w, capability_name((enum capability)i));
        if (c->why_not[i])
            json_text(w, c->why_not[i]);
        else
            json_bool(w, true);
    }
    json_object_end(w);
}

static void json_partitions(struct json_writer *w, const struct channel_list *list)
{
    json_name(w, "watermarks");
    json_array(w);
    for (size_t i = 0; i < list->partition_count; i++) {
        const struct channel_partition *p = &list->partitions[i];
        json_object(w);
        json_name(w, "partition");
        json_int(w, p->id);
        json_count(w, "low", p->low);
        json_count(w, "high", p->high);
        json_count(w, "leader", p->leader);
        json_object_end(w);
    }
    json_array_end(w);
}

static void json_groups(struct json_writer *w, const struct channel_list *list)
{
    json_name(w, "consumer_groups");
    if (!list->groups) {
        json_null(w);
        return;
    }
    json_array(w);
    for (size_t i = 0; i < list->group_count; i++) {
        const struct channel_group *g = &list->groups[i];
        json_object(w);
        json_name(w, "name");
        json_text(w, g->name);
        json_name(w, "state");
        json_text(w, g->state);
        json_count(w, "members", g->members);
        json_count(w, "lag", g->lag);
        json_name(w, "lag_partial");
        json_bool(w, g->lag_partial);
        json_object_end(w);
    }
    json_array_end(w);
}

/* Unknown is null; a capability that is missing says why. A channel asked for by its name has its parts too. */
static void json_row(struct buffer *out, const struct config_endpoint *e, const struct channel *c,
                     const struct channel_list *list)
{
    struct json_writer w;
    json_write(&w, out);
    json_object(&w);
    json_name(&w, "schema");
    json_text(&w, "signalbox.channel/1");
    json_name(&w, "endpoint");
    json_text(&w, e->endpoint.name);
    json_name(&w, "channel");
    json_text(&w, c->name);
    json_name(&w, "kind");
    if (c->kind == CHANNEL_ANY)
        json_null(&w);
    else
        json_text(&w, channel_kind_name(c->kind));
    json_name(&w, "detail");
    json_text(&w, c->detail);
    json_name(&w, "state");
    json_text(&w, c->state);
    json_count(&w, "depth", c->depth);
    json_name(&w, "depth_upper");
    json_bool(&w, c->depth_upper);
    json_count(&w, "unacked", c->unacked);
    json_count(&w, "bytes", c->bytes);
    json_count(&w, "consumers", c->consumers);
    json_count(&w, "groups", c->groups);
    json_count(&w, "lag", c->lag);
    json_name(&w, "lag_partial");
    json_bool(&w, c->lag_partial);
    json_rate(&w, "in_rate", c->in_rate);
    json_rate(&w, "out_rate", c->out_rate);
    json_name(&w, "partitions");
    json_int(&w, c->partitions);
    json_name(&w, "browse_effect");
    json_text(&w, read_effect_name(c->browse_effect));
    json_name(&w, "tap_effect");
    json_text(&w, read_effect_name(c->tap_effect));
    json_name(&w, "dead_letters");
    json_bool(&w, c->dead_letters);
    json_capabilities(&w, c);
    if (list->partitions) {
        json_partitions(&w, list);
        json_groups(&w, list);
    }
    json_object_end(&w);
    buffer_byte(out, '\n');
}

static const char *count_text(char *into, size_t size, int64_t n, bool plain)
{
    if (n < 0)
        return text_copy(into, size, plain ? "" : "-");
    if (plain)
        snprintf(into, size, "%" PRId64, n);
    else
        text_count(into, size, (uint64_t)n);
    return into;
}

/* An upper bound; else the number is exact. */
static const char *depth_text(char *into, size_t size, const struct channel *c, bool plain)
{
    char count[32];
    snprintf(into, size, "%s%s", c->depth_upper && c->depth > 0 ? "<=" : "",
             count_text(count, sizeof count, c->depth, plain));
    return into;
}

/* What leaves partitions out is more. */
static const char *lag_text(char *into, size_t size, int64_t lag, bool partial, bool plain)
{
    char count[32];
    snprintf(into, size, "%s%s", count_text(count, sizeof count, lag, plain), partial && lag >= 0 ? "+" : "");
    return into;
}

static const char *rate_text(char *into, size_t size, double rate, bool plain)
{
    if (rate < 0)
        return text_copy(into, size, plain ? "" : "-");
    snprintf(into, size, plain ? "%.3f" : "%.1f/s", rate);
    return into;
}

static void scrubbed(struct buffer *out, const char *text)
{
    utf8_scrub(out, bytes_of_text(text), SCRUB_PLAIN);
}

static void plain_row(struct buffer *out, const struct config_endpoint *e, const struct channel *c)
{
    char t[7][40];
    scrubbed(out, e->endpoint.name);
    buffer_byte(out, '\t');
    scrubbed(out, c->name);
    buffer_printf(out, "\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t", channel_kind_name(c->kind),
                  depth_text(t[0], 40, c, true), rate_text(t[1], 40, c->in_rate, true),
                  rate_text(t[2], 40, c->out_rate, true), count_text(t[3], 40, c->consumers, true),
                  lag_text(t[4], 40, c->lag, c->lag_partial, true), count_text(t[5], 40, c->bytes, true),
                  read_effect_name(c->browse_effect));
    scrubbed(out, c->state);
    buffer_byte(out, '\n');
}

static void people_parts(struct buffer *out, const struct channel_list *list)
{
    char low[32], high[32], lag[32];
    for (size_t i = 0; i < list->partition_count; i++) {
        const struct channel_partition *p = &list->partitions[i];
        buffer_printf(out, "  partition %" PRId32 "  low %s  high %s%s\n", p->id,
                      count_text(low, 32, p->low, false), count_text(high, 32, p->high, false),
                      p->leader < 0 ? "  no leader" : "");
    }
    for (size_t i = 0; i < list->group_count; i++) {
        const struct channel_group *g = &list->groups[i];
        buffer_text(out, "  group ");
        scrubbed(out, g->name);
        buffer_printf(out, "  %s  lag %s\n", g->state, lag_text(lag, 32, g->lag, g->lag_partial, false));
    }
}

static void people_row(struct buffer *out, int width, const struct config_endpoint *e,
                       const struct channel_list *list, const struct channel *c)
{
    char t[5][40], bytes[32];
    const char *kind = channel_kind_name(c->kind);
    struct buffer name;
    buffer_init(&name, 4096);
    listing_address(&name, e, list, c);
    if (c->bytes >= 0)
        text_bytes(bytes, sizeof bytes, (uint64_t)c->bytes);
    else
        text_copy(bytes, sizeof bytes, "-");
    utf8_pad(out, buffer_view(&name), (size_t)width);
    buffer_printf(out, " %-9s %11s %9s %9s %5s %9s %10s  %-8s ", *kind ? kind : "?",
                  depth_text(t[0], 40, c, false), rate_text(t[1], 40, c->in_rate, false),
                  rate_text(t[2], 40, c->out_rate, false), count_text(t[3], 40, c->consumers, false),
                  lag_text(t[4], 40, c->lag, c->lag_partial, false), bytes,
                  read_effect_name(c->browse_effect));
    scrubbed(out, c->state);
    buffer_byte(out, '\n');
    buffer_free(&name);
}

static void count_unknown(struct ls *ls, const char *field)
{
    size_t i = 0, most = sizeof ls->unknown / sizeof *ls->unknown;
    while (i + 1 < most && ls->unknown[i].field && strcmp(ls->unknown[i].field, field) != 0)
        i++;
    ls->unknown[i].field = field;
    ls->unknown[i].rows++;
}

static void say_unknown(struct ls *ls, const char *endpoint)
{
    for (size_t i = 0; i < sizeof ls->unknown / sizeof *ls->unknown && ls->unknown[i].field; i++) {
        size_t n = ls->unknown[i].rows;
        cli_notice(ls->cli, "%s: %zu channel%s left out because `%s` is not known there", endpoint, n,
                   n == 1 ? " is" : "s are", ls->unknown[i].field);
    }
    memset(ls->unknown, 0, sizeof ls->unknown);
}

static bool passes(struct ls *ls, const struct filter_row *row)
{
    if (!ls->filter || filter_row(ls->filter, row))
        return true;
    const char *unknown = filter_row_unknown(ls->filter, row);
    if (unknown)
        count_unknown(ls, unknown);
    return false;
}

static bool is_plain_name(const struct ls *ls, const struct address *a)
{
    return a->channel.name && (ls->literal || !strpbrk(a->channel.name, "*?"));
}

static bool is_wanted(struct ls *ls, const struct address *a, const struct channel *c)
{
    struct filter_row row = filter_row_of(c);
    row.p95_ms = -1; /* nothing measures them here: who asks is told so */
    row.age_ns = -1;
    bool named = a->channel.name && strcmp(a->channel.name, c->name) == 0;
    if (is_plain_name(ls, a) && !named) /* a driver takes it for a pattern */
        return false;
    if (c->internal && !named && !cli_flag(ls->cli, FLAG_INTERNAL))
        return false;
    if (a->channel.kind != CHANNEL_ANY && c->kind != CHANNEL_ANY && a->channel.kind != c->kind)
        return false;
    return passes(ls, &row);
}

static void put_list(struct ls *ls, const struct address *a, const struct channel_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct channel *c = &list->items[i];
        if (!is_wanted(ls, a, c))
            continue;
        ls->rows++;
        if (cli_flag(ls->cli, FLAG_JSON)) {
            json_row(&ls->out, a->endpoint, c, list);
        } else if (cli_flag(ls->cli, FLAG_PLAIN)) {
            plain_row(&ls->out, a->endpoint, c);
        } else {
            people_row(&ls->out, ls->width, a->endpoint, list, c);
            people_parts(&ls->out, list);
        }
    }
}

static bool has_rates(const struct channel_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].in_rate >= 0 || list->items[i].out_rate >= 0)
            return true;
    return false;
}

/* --rates take a second list, which did not come. The first one has what the broker measures by itself. */
static int say_unmeasured(const struct channel_list *list, const struct err_info *why)
{
    struct err_info err = *why;
    snprintf(err.text, sizeof err.text, "%s: %.200s",
             has_rates(list) ? "rates are the broker's own, not measured now" : "rates are not known",
             why->text);
    return cli_error(&err);
}

static void get(const struct ls *ls, const struct address *a, const char *pattern, struct listing *l)
{
    uint32_t flags = cli_flag(ls->cli, FLAG_INTERNAL) ? READ_INTERNAL : 0;
    listing_get(ls->cli, a->endpoint, pattern, flags, cli_flag(ls->cli, FLAG_RATES), l);
}

/* A name that is not there was meant for another one: all of them are asked for, once. */
static void say_missing(const struct ls *ls, const struct address *a)
{
    struct listing l;
    struct err_info err;
    const char **names = NULL, *near = NULL, *endpoint = endpoint_address(&a->endpoint->endpoint);
    get(ls, a, NULL, &l);
    if (l.list)
        names = calloc(l.list->count + 1, sizeof *names);
    for (size_t i = 0; names && i < l.list->count; i++)
        names[i] = l.list->items[i].name;
    near = names ? text_nearest(a->channel.name, names) : NULL;
    err_set(&err, ERR_NOMATCH, "no %s %s",
            a->channel.kind == CHANNEL_ANY ? "channel" : channel_kind_name(a->channel.kind), a->channel.name);
    err_where(&err, "%s", a->endpoint->endpoint.name);
    if (near && strcmp(near, a->channel.name) != 0)
        err_next(&err, "did you mean %s?", near);
    else
        err_next(&err, "`signalbox ls %s` lists them", endpoint);
    cli_error(&err);
    free(names);
    channel_list_free(&l.list);
}

/* An empty answer is no silent one. */
static void say_none(const struct ls *ls, const struct address *a, const struct channel_list *list)
{
    const struct endpoint *e = &a->endpoint->endpoint;
    if (ls->filter && list->count)
        cli_notice(ls->cli, "%s: no channel matches %s", e->name, cli_text(ls->cli, FLAG_WHERE));
    else if (is_plain_name(ls, a))
        say_missing(ls, a);
    else if (a->channel.name)
        cli_notice(ls->cli, "%s: no channel matches %s", e->name, a->channel.name);
    else if (e->username)
        cli_notice(ls->cli, "%s: no channel is visible to %s", e->name, e->username);
    else
        cli_notice(ls->cli, "%s: no channel is there", e->name);
}

static bool lacks_bytes(const struct channel *c)
{
    return c->bytes < 0 && c->depth >= 0 && c->bytes_why; /* what was not counted at all will be */
}

/* Once, with the first one's reason: the others have the same. Which, where some are known. */
static void say_bytes(const struct ls *ls, const struct address *a, const struct channel_list *list)
{
    const struct channel *first = NULL;
    size_t lacking = 0, known = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool lacks = lacks_bytes(&list->items[i]);
        first = lacks && !first ? &list->items[i] : first;
        lacking += lacks;
        known += list->items[i].bytes >= 0;
    }
    const char *endpoint = a->endpoint->endpoint.name;
    if (first && !known)
        cli_notice(ls->cli, "%s: BYTES are not known: %s", endpoint, first->bytes_why);
    else if (lacking == 1)
        cli_notice(ls->cli, "%s: BYTES of %s are not known: %s", endpoint, first->name, first->bytes_why);
    else if (first)
        cli_notice(ls->cli, "%s: BYTES of %s and %zu more are not known: %s", endpoint, first->name,
                   lacking - 1, first->bytes_why);
}

/* written: the address as it was given; NULL: none was. */
static int list_one(struct ls *ls, const struct address *a, const char *written)
{
    struct listing l;
    size_t before = ls->rows;
    ls->asked |= a->channel.name != NULL;
    ls->literal = written && a->endpoint->endpoint.by_url && !strchr(written, '*');
    get(ls, a, a->channel.name, &l);
    if (!l.list || l.signal) {
        channel_list_free(&l.list);
        return l.signal ? 128 + l.signal : cli_error(&l.err);
    }
    put_list(ls, a, l.list);
    int code = l.list->count == 0 ? err_exit_code(l.list->error) : 0; /* nothing at all is no list */
    if (!code && l.err.code)
        code = say_unmeasured(l.list, &l.err);
    const char *where = l.list->error && err_policy(l.list->error) == ERR_POLICY_RETRY
                            ? ", or say where the API is: ?management=URL"
                            : "";
    if (!l.list->complete && l.list->note[0] && code)
        cli_note("%s: %s%s", a->endpoint->endpoint.name, l.list->note, where);
    else if (!l.list->complete && l.list->note[0])
        cli_notice(ls->cli, "%s: %s", a->endpoint->endpoint.name, l.list->note);
    say_bytes(ls, a, l.list);
    if (!code && ls->rows == before)
        say_none(ls, a, l.list);
    say_unknown(ls, a->endpoint->endpoint.name);
    if (!code && ls->rows == before && is_plain_name(ls, a) && !(ls->filter && l.list->count))
        code = err_exit_code(ERR_NOMATCH);
    channel_list_free(&l.list);
    return code;
}

/* A dead endpoint doesn't hide the others: all are listed. Where all fail the first failure is the exit code, where some do it is
 * 6; but an address that is none is wrong usage in any case. */
static int list_all(struct ls *ls)
{
    struct cli *c = ls->cli;
    int first = 0, usage = err_exit_code(ERR_USAGE);
    size_t listed = 0, count = c->arg_count ? c->arg_count : c->config.endpoint_count;
    for (size_t i = 0; i < count; i++) {
        struct address a = {0};
        struct err_info err = {.code = ERR_OK};
        int code = 0;
        if (c->arg_count) {
            code = cli_address(c, i, false, &a);
        } else {
            a.endpoint = &c->config.endpoints[i];
            code = config_secret(&c->config, a.endpoint, &err) ? cli_error(&err) : 0;
        }
        if (!code)
            code = list_one(ls, &a, c->arg_count ? c->args[i] : NULL);
        if (code >= 128)
            return code;
        if (code && (!first || code == usage))
            first = code;
        listed += code == 0;
    }
    return listed && first && first != usage ? err_exit_code(ERR_PARTIAL) : first;
}

static size_t cells_of(const char *text)
{
    return utf8_cells(bytes_of_text(text));
}

/* Room for the longest endpoint and a channel of usual length; a longer one only pushes its own line. */
static int first_column(const struct cli *c)
{
    size_t longest = 16;
    for (size_t i = 0; i < c->arg_count; i++)
        longest = cells_of(c->args[i]) > longest ? cells_of(c->args[i]) : longest;
    for (size_t i = 0; !c->arg_count && i < c->config.endpoint_count; i++) {
        size_t len = cells_of(c->config.endpoints[i].endpoint.name);
        longest = len > longest ? len : longest;
    }
    return longest > 80 ? 100 : (int)longest + 20;
}

static int run(struct cli *c)
{
    struct ls ls = {.cli = c, .width = first_column(c)};
    struct err_info err = {.code = ERR_OK};
    const char *expression = cli_text(c, FLAG_WHERE);
    if (!c->arg_count && !c->config.endpoint_count)
        return cli_usage("nothing is configured; give an endpoint: signalbox ls kafka://HOST:PORT");
    if (expression && !(ls.filter = filter_new(expression, FILTER_LIST, c->registry->decoders, NULL, &err)))
        return cli_filter_error(expression, &err);
    if (ls.filter && *filter_remark(ls.filter))
        cli_note("%s", filter_remark(ls.filter));
    ls.asked = expression != NULL;
    buffer_init(&ls.out, (size_t)1 << 30);
    if (!cli_flag(c, FLAG_JSON) && !cli_flag(c, FLAG_PLAIN))
        buffer_printf(&ls.out, "%-*s %-9s  %10s %9s %9s %5s %9s %10s  %-8s %s\n", ls.width, "CHANNEL", "KIND",
                      "DEPTH", "IN", "OUT", "CONS", "LAG", "BYTES", "BROWSE", "STATE");
    int code = list_all(&ls);
    if (!code && !ls.rows && ls.asked)
        code = err_exit_code(ERR_NOMATCH);
    int printed = ls.rows || !code ? cli_print(&ls.out) : 0;
    buffer_free(&ls.out);
    filter_free(&ls.filter);
    return code ? code : printed;
}

const struct command command_ls = {
    .name = "ls",
    .args = "[ENDPOINT[/PATTERN]...]",
    .purpose = "channels with depth, rates, consumers, lag, bytes",
    .detail =
        "Without arguments all configured endpoints. Depth with <= is an upper bound (Kafka counts offsets); a lag with + leaves out "
        "partitions in which a group has committed nothing. BROWSE is what looking at the stored messages does to them: NONE, MARKS or "
        "CONSUMES. A number that is not known matches nothing but != and !; how many channels --where leaves out for that is said. "
        "--rates lists twice, a second apart; where only the first list comes it is printed with what rates the broker tells by "
        "itself (RabbitMQ), and the exit code says why. "
        "A Kafka topic that is named, without * and ?, has its partitions and consumer groups below it. --json is one object a "
        "channel; what a broker can't do says why. --plain has these marks, too, before and behind bare numbers (<=200000, "
        "43693+); --json has depth_upper and lag_partial. Exit code 6: some endpoints or names are listed, others failed or are not there.",
    .flags = F(WHERE) | F(RATES) | F(INTERNAL) | F(JSON) | F(PLAIN),
    .max_args = 1000,
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox ls", "everything configured"},
                 {"signalbox ls 'rabbitmq://localhost/%2f/orders*'", "by pattern"},
                 {"signalbox ls k --where 'depth>1000'", "only the deep ones"}},
    .exits = "0 1 2 4 5 6 8 130",
    .run = run,
};
