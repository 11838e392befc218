#include "cli/dedupe.h"

#include "base/text.h"
#include "cli/listing.h"
#include "cli/operate.h"
#include "cli/reading.h"
#include "cli/signals.h"
#include "engine/filter.h"
#include "operations/dedupe_json.h"

#include <inttypes.h>
#include <stdio.h>

#define MOST_RULES  3
#define GROUPS      20 /* that are listed; in JSON as many as can be */
#define STEP        20000
#define PROGRESS_NS (200 * NS_PER_MS)

static const char *const all_rules[MOST_RULES] = {"id", "key", "body"};

struct deduping {
    struct cli *cli;
    struct address address;
    size_t count; /* rules */
    struct dedupe_rule *rules[MOST_RULES];
    struct dedupe_job jobs[MOST_RULES];
    struct dedupe *dedupes[MOST_RULES];
    /* Nothing is hidden from what is compared, and what is shown and selected passes here. NULL: nothing is to be hidden, or selected. */
    struct dedupe_rehearsal *rehearsal; /* NULL: it is a report alone */
    struct redactor *redactor;
    struct filter *filter;
    uint64_t unknown; /* to the filter */
    struct err_info err;
};

/* ---- reading: on the worker ---- */

static bool take(void *context, const struct message *m)
{
    struct deduping *d = context;
    const struct message *shown = d->redactor ? redactor_apply(d->redactor, m) : m;
    enum filter_answer a = d->filter ? filter_message(d->filter, shown, clock_wall_ns()) : FILTER_YES;
    struct dedupe_message message = {.m = m, .shown = shown};
    d->unknown += a == FILTER_UNKNOWN;
    for (size_t i = 0; a == FILTER_YES && i < d->count; i++)
        if (dedupe_add(d->dedupes[i], &message, &d->err))
            return false;
    return true;
}

/* ---- making ready ---- */

static int make_rules(struct deduping *d)
{
    const char *by = cli_text(d->cli, FLAG_BY);
    struct err_info err = {.code = ERR_OK};
    d->count = by ? 1 : MOST_RULES;
    for (size_t i = 0; i < d->count; i++) {
        d->rules[i] = dedupe_rule_new(by ? by : all_rules[i], d->cli->registry->decoders, &err);
        if (!d->rules[i])
            return cli_error(&err);
    }
    return 0;
}

/* Of all rules together no more memory than of one. */
static int make_dedupes(struct deduping *d)
{
    struct cli *c = d->cli;
    struct err_info err = {.code = ERR_OK};
    enum dedupe_keep keep = DEDUPE_KEEP_FIRST;
    const char *word = cli_text(c, FLAG_KEEP);
    int64_t groups = cli_number(c, FLAG_LIMIT, cli_flag(c, FLAG_JSON) ? DEDUPE_GROUPS : GROUPS);
    if (word && !dedupe_keep_parse(word, &keep))
        return cli_usage("--keep %s: write first or last", word);
    if (groups < 1 || groups > DEDUPE_GROUPS)
        return cli_usage("--limit %" PRId64 ": a report lists 1 to %d groups", groups, DEDUPE_GROUPS);
    for (size_t i = 0; i < d->count; i++) {
        d->jobs[i] = (struct dedupe_job){.rule = d->rules[i],
                                         .keep = keep,
                                         .differing = cli_flag(c, FLAG_BODIES_DIFFER),
                                         .groups = d->count == 1 ? (size_t)groups : 0,
                                         .memory = DEDUPE_MEMORY / d->count};
        d->dedupes[i] = dedupe_new(&d->jobs[i], &err);
        if (!d->dedupes[i])
            return cli_error(&err);
    }
    return 0;
}

static int make_filter(struct deduping *d)
{
    const char *select = cli_text(d->cli, FLAG_SELECT);
    struct err_info err = {.code = ERR_OK};
    if (!select)
        return 0;
    d->filter = filter_new(select, FILTER_MESSAGES, d->cli->registry->decoders, NULL, &err);
    if (!d->filter)
        return cli_filter_error(select, &err);
    if (*filter_remark(d->filter))
        cli_note("%s", filter_remark(d->filter));
    return 0;
}

static int prepare(struct deduping *d, struct reading *reading)
{
    int code = make_rules(d);
    if (!code)
        code = make_dedupes(d);
    if (!code)
        code = make_filter(d);
    if (!code)
        code = reading_init_stored(reading, d->cli, NULL, &d->address);
    if (!code)
        code = cli_redactor(d->cli, &d->redactor);
    reading->limit = -1;
    reading->whole = true;
    reading->progress = true;
    reading->take = take;
    reading->context = d;
    return code;
}

/* ---- comparing ---- */

static void show_progress(const struct deduping *d, size_t now)
{
    char text[80];
    double done = ((double)now + dedupe_done(d->dedupes[now])) / (double)d->count;
    snprintf(text, sizeof text, "comparing: %d %%", (int)(done * 100));
    if (cli_progress(d->cli))
        cli_progress_line(text);
}

/* 0, or the exit code of a signal or an error. */
static int compare_all(struct deduping *d)
{
    int64_t next_ns = clock_mono_ns() + PROGRESS_NS;
    int code = 0;
    for (size_t i = 0; i < d->count && !code; i++) {
        enum err e = ERR_OK;
        while (!code && !(e = dedupe_step(d->dedupes[i], STEP, &d->err))) {
            if (clock_mono_ns() < next_ns)
                continue;
            next_ns = clock_mono_ns() + PROGRESS_NS;
            show_progress(d, i);
            if (wait_for(-1, clock_mono_ns()) == WAITED_SIGNAL)
                code = 128 + signals_seen();
        }
        if (e && e != ERR_END) {
            cli_progress_end();
            code = cli_error(&d->err);
        }
    }
    cli_progress_end();
    return code;
}

/* ---- the report ---- */

static bool is_complete(const struct reading_result *r)
{
    return r->whole && !r->incomplete;
}

static void write_part(void *context, struct buffer *out)
{
    int *code = context;
    if (!*code)
        *code = cli_print(out);
    buffer_clear(out);
}

static int print(const struct deduping *d, const struct reading_result *result)
{
    struct buffer out;
    int code = 0;
    bool json = cli_flag(d->cli, FLAG_JSON);
    buffer_init(&out, LIMIT_LINE);
    out.drain = write_part;
    out.drain_context = &code;
    if (!json && d->count > 1)
        dedupe_put_heading(&out);
    for (size_t i = 0; i < d->count; i++) {
        if (json) {
            const struct journal_operation *would =
                d->rehearsal ? operate_dedupe_record(d->rehearsal, dedupe_totals(d->dedupes[i])) : NULL;
            dedupe_to_json(d->dedupes[i], &d->jobs[i], d->cli->args[0], is_complete(result), would, &out);
            buffer_byte(&out, '\n');
        } else if (d->count > 1) {
            dedupe_put_totals(&out, d->dedupes[i], d->rules[i]);
        } else {
            dedupe_put_groups(&out, d->dedupes[i], d->rules[i]);
        }
    }
    code = code ? code : cli_print(&out);
    buffer_free(&out);
    return code;
}

static void say_share(const struct reading_result *r)
{
    char scanned[32], total[32];
    if (is_complete(r))
        return;
    text_count(scanned, sizeof scanned, (uint64_t)r->scanned);
    text_count(total, sizeof total, r->total < 0 ? 0 : (uint64_t)r->total);
    cli_note("%s of %s%s messages were looked at: %s; there may be more duplicates", scanned,
             r->total_upper ? "at most " : "", r->total < 0 ? "an unknown number" : total,
             *r->stopped ? r->stopped : "the end was reached");
}

/* What is in no group, and what is not listed. */
static void say_rest(const struct deduping *d, bool found)
{
    const struct dedupe_totals *t = dedupe_totals(d->dedupes[0]);
    const char *by = dedupe_rule_text(d->rules[0]);
    char count[32], text[120];
    if (d->count > 1 && !found)
        return;
    if (d->count > 1) {
        cli_notice(d->cli,
                   "nothing is removed; --by id, key or body lists groups, as do header:NAME and field:PATH");
        return;
    }
    if (t->groups > dedupe_group_count(d->dedupes[0]))
        cli_notice(d->cli, "the %zu biggest groups are listed; --limit lists up to %d",
                   dedupe_group_count(d->dedupes[0]), DEDUPE_GROUPS);
    if (t->without)
        cli_notice(d->cli, "%s without a value by %s: duplicates of none",
                   text_count(count, sizeof count, t->without), by);
    if (t->unknown)
        cli_note("%s", filter_unknown_text(text, sizeof text, t->unknown));
    if (t->differ)
        cli_note("the bodies of %s group%s differ: the same %s, two bodies; look at those first",
                 text_count(count, sizeof count, t->differ), t->differ == 1 ? "" : "s", by);
}

static bool found_any(const struct deduping *d, bool *unknown)
{
    bool found = false;
    *unknown = d->unknown > 0;
    for (size_t i = 0; i < d->count; i++) {
        found |= dedupe_totals(d->dedupes[i])->groups > 0;
        *unknown |= dedupe_totals(d->dedupes[i])->unknown > 0;
    }
    return found;
}

static int report(const struct deduping *d, const struct reading_result *result)
{
    bool unknown, found = found_any(d, &unknown);
    char text[120];
    int code = print(d, result);
    if (code)
        return code;
    say_share(result);
    if (d->unknown)
        cli_note("%s", filter_unknown_text(text, sizeof text, d->unknown));
    say_rest(d, found);
    if (d->rehearsal && (found || cli_flag(d->cli, FLAG_TO)))
        operate_dedupe_say(d->rehearsal, dedupe_totals(d->dedupes[0]));
    if (result->code)
        return result->code;
    if (result->incomplete || (unknown && !found))
        return err_exit_code(ERR_PARTIAL);
    bool copies = d->rehearsal && cli_flag(d->cli, FLAG_TO) && dedupe_totals(d->dedupes[0])->messages;
    return found || copies ? 0 : err_exit_code(ERR_NOMATCH);
}

static int look(struct deduping *d, struct reading *reading)
{
    struct reading_result result;
    int code = listing_announce_effect(d->cli, &d->address);
    if (code)
        return code;
    reading_run(reading, &result);
    if (d->err.code)
        return cli_error(&d->err);
    /* What was read until then has its duplicates all the same; after a signal or an error nobody asks for them. */
    if (result.closed || (result.code && result.code != err_exit_code(ERR_TIMEOUT)))
        return result.code;
    if (result.code && !reading_has_begun(&result))
        return result.code;
    code = compare_all(d);
    return code ? code : report(d, &result);
}

static int run(struct cli *c)
{
    struct deduping d = {.cli = c};
    struct reading reading;
    if (cli_flag(c, FLAG_EXECUTE))
        return operate_dedupe(c);
    int code = prepare(&d, &reading);
    if (!code)
        code = operate_dedupe_begin(c, &d.rehearsal);
    if (!code)
        code = look(&d, &reading);
    operate_dedupe_end(&d.rehearsal);
    for (size_t i = 0; i < d.count; i++) {
        dedupe_free(&d.dedupes[i]);
        dedupe_rule_free(&d.rules[i]);
    }
    redactor_free(&d.redactor);
    filter_free(&d.filter);
    return code;
}

const struct command command_dedupe = {
    .name = "dedupe",
    .args = "ADDRESS [--to ADDRESS]",
    .purpose = "what is there more than once; a report until --execute",
    .detail =
        "Without --by a line each for id, key and body: how many have none, how many are unique, how many groups of duplicates, how many "
        "extras (copies beyond the first), the most copies of one, and how many groups have bodies that differ. With --by the groups, most "
        "copies first: value, when the first copy was written and how long until the last, which one is kept, whether all have the same "
        "body. --limit lists so many groups (20; 10,000 in JSON, which is the most); the totals are of all.\n"
        "\n"
        "A null is no value, and makes nobody's duplicate, nor does an empty id; an empty key, header, field or body is one. header:NAME "
        "is that header with its type, all of them where it repeats; field:PATH is what body.PATH is to a filter, a number as it stands "
        "there (1 and 1.0 differ). What is the same is so to the last byte: no hash decides. What does not fit into memory goes to files "
        "in TMPDIR, where that is set, else in the state directory, which vanish with the command; with --by body, or where values are "
        "long, that takes about as much room as they have. "
        "--keep first (or last) is by place in a queue, a stream and within a partition, by time where copies are in several partitions.\n"
        "\n"
        "--by with --execute removes the extras of a queue: all of it is looked through, then they are archived, as by `purge`, and "
        "exactly those are removed; `restore` brings them back, and an interrupted one is finished by `resume`. Of each group one copy "
        "stays, whatever consumers take meanwhile, and what comes after the look stays. Groups whose bodies differ are left as they are, "
        "unless --bodies-differ takes them, too. A topic or a stream removes no single message (exit 7): with --to, which works "
        "from everywhere, "
        "what is left without the extras is copied into another channel, as by `copy`. --select: only what it takes is looked "
        "at, and copied.\n"
        "\n"
        "--json gives one object a rule, schema signalbox.dedupe/1: address by keep complete messages without unknown unique groups extras "
        "most differ going going_bytes operation first last listed. going: extras that would go; operation: the dry run, as "
        "signalbox.operation/1. A group of listed has value value_size copies bodies (same or differ) first last spread_ns kept "
        "messages; each of its messages channel position number time sha256 (of the body) kept: the first 63, and the last one. A value "
        "that redact hides is null, one of more than 256 bytes is cut.",
    .flags = F(FROM) | F(LIMIT) | F(PARTITION) | F(UNCOMMITTED) | F(INTERNAL) | F(SELECT) | F(BY) | F(KEEP) |
             F(BODIES_DIFFER) | F(TO) | F(RATE) | F(CREATE) | F(JSON) | FLAGS_CHANGE,
    .rare = F(PARTITION) | F(UNCOMMITTED) | F(INTERNAL),
    .min_args = 1,
    .max_args = 1,
    .missing = "an address",
    .argument = ARGUMENT_ADDRESS,
    .examples = {{"signalbox dedupe k/orders", "are there any?"},
                 {"signalbox dedupe k/orders --by key", "which, how far apart"},
                 {"signalbox dedupe r/a --by id --execute", "one of each stays"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
