#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cli/operate.h"
#include "operations/lock.h"
#include "operations/operation_json.h"
#include "operations/verify.h"

#include <inttypes.h>
#include <stdio.h>

struct listing_journal {
    struct cli *cli;
    struct journal *journal;
    struct buffer out;
    struct journal_operation operation; /* whose messages are listed */
    struct redactor *redactor;          /* NULL: nothing is hidden */
    bool blind;                         /* what is to be hidden is not known */
    struct arena arena;                 /* of one message */
    int64_t left;
    size_t shown;
};

/* One that runs by the journal, and that no process has, was interrupted. */
static struct journal_operation as_it_is(const struct listing_journal *l, const struct journal_operation *o)
{
    struct journal_operation now = *o;
    (void)!journal_recount(l->journal, &now, NULL);
    if (now.state == OPERATION_RUNNING && !operation_is_locked(now.id))
        now.state = OPERATION_INTERRUPTED;
    return now;
}

static void put_line(struct buffer *out, const struct journal_operation *o)
{
    char began[40], done[32];
    const struct operation_counts *c = &o->counts;
    clock_rfc3339_seconds(o->created_ns, began, sizeof began);
    text_count(done, sizeof done, (uint64_t)c->done);
    buffer_printf(out, "%s  %s  %-11s  %-7s %10s done", o->id, began, operation_state_name(o->state),
                  operation_kind_name(o->kind), done);
    if (c->skipped)
        buffer_printf(out, ", %" PRId64 " skipped", c->skipped);
    if (c->failed)
        buffer_printf(out, ", %" PRId64 " failed", c->failed);
    if (c->in_doubt)
        buffer_printf(out, ", %" PRId64 " in doubt", c->in_doubt);
    buffer_printf(out, "  %s%s%s  by %s@%s\n", o->from, o->to ? " -> " : "", o->to ? o->to : "",
                  o->who ? o->who : "?", o->host ? o->host : "?");
}

static bool list_one(void *context, const struct journal_operation *o)
{
    struct listing_journal *l = context;
    struct journal_operation now = as_it_is(l, o);
    if (l->left >= 0 && l->left-- == 0)
        return false;
    if (cli_flag(l->cli, FLAG_JSON)) {
        operation_to_json(&now, NULL, &l->out);
        buffer_byte(&l->out, '\n');
    } else {
        put_line(&l->out, &now);
    }
    l->shown++;
    bool more = cli_print(&l->out) == 0;
    buffer_clear(&l->out);
    return more;
}

static void put_delivery(struct buffer *out, const struct journal_message *m)
{
    char from[40], arrived[40], size[32];
    position_text(m->from, from, sizeof from);
    position_text(m->arrived, arrived, sizeof arrived);
    buffer_printf(out, "%8" PRIu64 "  %-8s  %8s", m->sequence, delivery_name(m->state),
                  text_bytes(size, sizeof size, m->size));
    if (*from || *arrived)
        buffer_printf(out, "  %s -> %s", *from ? from : "-", *arrived ? arrived : "-");
    buffer_text(out, "  ");
    utf8_scrub(out, m->label, SCRUB_SCREEN);
    if (m->reason) {
        buffer_text(out, "  ");
        utf8_scrub(out, bytes_of_text(m->reason), SCRUB_SCREEN);
    }
    buffer_byte(out, '\n');
}

static void put_change(void *context, bool on, const char *text)
{
    struct listing_journal *l = context;
    buffer_printf(&l->out, "%10s%c %s\n", "", on ? '+' : '-', text);
}

static bool list_message(void *context, const struct journal_message *m)
{
    struct listing_journal *l = context;
    struct header_changes changes = {.off = {NULL, 0}};
    arena_reset(&l->arena);
    if (!l->blind)
        rewrite_kept(&l->operation, m, &l->arena, &changes);
    rewrite_hide(&changes, l->redactor, &l->arena);
    if (cli_flag(l->cli, FLAG_JSON)) {
        delivery_to_json(l->operation.id, m, &changes, &l->out);
        buffer_byte(&l->out, '\n');
    } else {
        put_delivery(&l->out, m);
        if (changes.off.count || changes.omitted.count) /* what is put on alone is no news */
            rewrite_tell(&changes, put_change, l);
    }
    bool more = cli_print(&l->out) == 0;
    buffer_clear(&l->out);
    return more;
}

static void put_archives(struct buffer *out, const char *archives)
{
    for (const char *at = archives ? archives : ""; *at;) {
        int len = (int)strcspn(at, "\n");
        buffer_printf(out, "archive %.*s\n", len, at);
        at += len + (at[len] == '\n');
    }
}

static void put_verified(struct buffer *out, const char *json)
{
    struct verified v;
    char text[400];
    if (!verified_read(&v, json))
        return;
    utf8_scrub(out, bytes_of_text(verified_tell(&v, text, sizeof text)), SCRUB_SCREEN);
    buffer_byte(out, '\n');
}

/* What `redact` names is hidden: that alone is wanted of a configuration here. Where it cannot be read no header is shown. */
static void prepare_to_hide(struct listing_journal *l)
{
    config_free(&l->cli->config); /* the empty one of an offline command */
    l->blind = cli_load_config(l->cli) || cli_redactor(l->cli, &l->redactor);
    if (l->blind)
        cli_notice(l->cli, "no headers are shown: what `redact` names is not known");
}

static int list_operation(struct listing_journal *l, struct journal *j, const char *id)
{
    struct err_info err = {.code = ERR_OK};
    struct arena arena;
    struct journal_operation *o = &l->operation;
    arena_init(&arena, 4 * PLAN_PAYLOAD_MOST);
    arena_init(&l->arena, 4 * PLAN_PAYLOAD_MOST);
    prepare_to_hide(l);
    enum err e = journal_find(j, id, &arena, o, &err);
    if (!e) {
        *o = as_it_is(l, o);
        if (!cli_flag(l->cli, FLAG_JSON)) {
            put_line(&l->out, o);
            if (o->command)
                buffer_printf(&l->out, "%s\n", o->command);
            put_archives(&l->out, o->archive);
            if (o->note)
                buffer_printf(&l->out, "%s\n", o->note);
            put_verified(&l->out, o->verified);
            cli_print(&l->out);
            buffer_clear(&l->out);
        }
        e = journal_messages(j, o->number, ~0U, list_message, l, &err);
    }
    arena_free(&arena);
    arena_free(&l->arena);
    redactor_free(&l->redactor);
    return e ? cli_error(&err) : 0;
}

static int run(struct cli *c)
{
    struct err_info err = {.code = ERR_OK};
    struct listing_journal l = {.cli = c, .left = cli_number(c, FLAG_LIMIT, -1)};
    struct journal *j = journal_open(&err);
    int code = 0;
    if (!j)
        return cli_error(&err);
    l.journal = j;
    buffer_init(&l.out, LIMIT_LINE);
    if (c->arg_count)
        code = list_operation(&l, j, c->args[0]);
    else if (journal_operations(j, list_one, &l, &err))
        code = cli_error(&err);
    else if (!l.shown && !cli_flag(c, FLAG_JSON))
        cli_notice(c, "no operation yet");
    buffer_free(&l.out);
    journal_close(&j);
    return code;
}

const struct command command_journal = {
    .name = "journal",
    .args = "[ID]",
    .purpose = "every operation, or each message of one",
    .detail =
        "Without ID every operation, newest first: who, when, what, how many, and how it ended. With ID (its beginning is enough) "
        "each of its messages with its outcome: done, skipped, failed or in doubt, and why, and the headers that were taken off "
        "(-) and put on (+), but for what `redact` hides. --json gives one object a line.",
    .flags = F(JSON) | F(LIMIT),
    .max_args = 1,
    .argument = ARGUMENT_WORD,
    .examples = {{"signalbox journal", "the operations"},
                 {"signalbox journal 7k2m", "what became of each message"},
                 {"signalbox journal 7k2m --json", "the same, an object a line"}},
    .exits = "0 1 2",
    .offline = true,
    .run = run,
};
