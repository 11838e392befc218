#include "operations/order.h"

#include "base/limits.h"
#include "base/text.h"
#include "operations/dead_letter.h"
#include "operations/lock.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- addresses ---- */

static bool share_a_host(const struct address *a, const struct address *b)
{
    const struct url *x = &a->endpoint->endpoint.url, *y = &b->endpoint->endpoint.url;
    int port = a->endpoint->broker->default_port;
    for (size_t i = 0; i < x->host_count; i++)
        for (size_t k = 0; k < y->host_count; k++)
            if (strcmp(x->hosts[i].host, y->hosts[k].host) == 0 &&
                (x->hosts[i].port ? x->hosts[i].port : port) == (y->hosts[k].port ? y->hosts[k].port : port))
                return true;
    return x->host_count == 0 && y->host_count == 0; /* within this process */
}

bool order_is_same(const struct address *a, const struct address *b)
{
    const char *vhost = a->endpoint->endpoint.vhost, *other = b->endpoint->endpoint.vhost;
    bool kinds = a->channel.kind && b->channel.kind && a->channel.kind != b->channel.kind;
    return a->endpoint->broker == b->endpoint->broker && !kinds &&
           strcmp(a->channel.name, b->channel.name) == 0 &&
           strcmp(vhost ? vhost : "", other ? other : "") == 0 && share_a_host(a, b);
}

const char *order_canonical(const struct address *a, struct arena *arena)
{
    struct buffer text;
    const char *kind = channel_kind_name(a->channel.kind);
    buffer_init(&text, 64 * KIB);
    buffer_printf(&text, "%s/%s%s", a->endpoint->endpoint.name, kind, *kind ? ":" : "");
    url_encode(&text, a->channel.name);
    const char *copy = buffer_ok(&text) ? arena_strndup(arena, text.data, text.len) : NULL;
    buffer_free(&text);
    return copy ? copy : a->channel.name;
}

const char *order_address(const struct address *a, struct arena *arena)
{
    struct buffer text;
    const char *kind = channel_kind_name(a->channel.kind), *name = a->endpoint->endpoint.name;
    bool by_url = a->endpoint->endpoint.by_url && strchr(name, ':');
    buffer_init(&text, 64 * KIB);
    buffer_printf(&text, "%s/%s%s", name, kind, *kind ? ":" : "");
    if (by_url)
        url_encode(&text, a->channel.name);
    else
        buffer_text(&text, a->channel.name);
    if (by_url && a->endpoint->endpoint.text) /* without the query the endpoint may be another one */
        buffer_text(&text, strchrnul(a->endpoint->endpoint.text, '?'));
    const char *copy = buffer_ok(&text) ? arena_strndup(arena, text.data, text.len) : NULL;
    buffer_free(&text);
    return copy;
}

/* ---- who, and with which words ---- */

void order_person(char *who, size_t who_size, char *host, size_t host_size)
{
    struct passwd row, *user = NULL;
    char room[1024];
    const char *sudo = getenv("SUDO_USER");
    if (getpwuid_r(geteuid(), &row, room, sizeof room, &user))
        user = NULL;
    text_copy(who, who_size, sudo ? sudo : user ? user->pw_name : "?");
    if (gethostname(host, host_size) != 0)
        text_copy(host, host_size, "?");
}

void order_put_word(struct buffer *out, const char *word)
{
    bool plain = *word && !word[strcspn(word, " \t\n'\"\\$`&|;<>()*?[]#~!{}")];
    buffer_byte(out, ' ');
    if (plain) {
        buffer_text(out, word);
        return;
    }
    buffer_byte(out, '\'');
    for (const char *c = word; *c; c++)
        if (*c == '\'')
            buffer_text(out, "'\\''");
        else
            buffer_byte(out, (uint8_t)*c);
    buffer_byte(out, '\'');
}

bool order_takes(const struct plan *p)
{
    return p->kind == OPERATION_MOVE || p->kind == OPERATION_REPLAY || plan_archives(p);
}

static void put_flag(struct buffer *out, const char *flag, const char *value)
{
    if (!value)
        return;
    buffer_printf(out, " %s", flag);
    order_put_word(out, value);
}

static void put_switch(struct buffer *out, const char *flag, bool on)
{
    if (on)
        buffer_printf(out, " %s", flag);
}

static bool wants_write(const struct address *changed)
{
    return changed && !changed->endpoint->endpoint.by_url && !changed->endpoint->endpoint.write;
}

static void put_confirm(struct buffer *out, const struct address *changed)
{
    char name[600];
    const struct endpoint *e = changed ? &changed->endpoint->endpoint : NULL;
    if (!e || e->by_url || !e->production)
        return;
    snprintf(name, sizeof name, "%s/%s", e->name, changed->channel.name);
    put_flag(out, "--confirm", name);
}

/* A line each. */
static void put_reasons(struct buffer *out, const char *reasons)
{
    char one[REASON_SIZE];
    for (const char *at = reasons ? reasons : ""; *at;) {
        size_t len = strcspn(at, "\n");
        text_copy_bytes(one, sizeof one, bytes_of(at, len));
        put_flag(out, "--reason", one);
        at += len + (at[len] == '\n');
    }
}

void order_command(const struct order *o, struct buffer *out)
{
    const struct plan *p = &o->plan;
    bool restores = p->kind == OPERATION_RESTORE;
    buffer_printf(out, "signalbox %s", operation_kind_name(p->kind));
    order_put_word(out, p->from);
    put_flag(out, "--to", p->to ? p->to : p->kind == OPERATION_REPLAY && p->exchange ? "exchange" : NULL);
    put_flag(out, "--select", p->select);
    if (p->limit >= 0)
        buffer_printf(out, " --limit %" PRId64, p->limit);
    if (p->rate > 0)
        buffer_printf(out, " --rate %" PRId64 "/s", p->rate);
    put_reasons(out, p->reasons);
    put_flag(out, "--origin-header", p->origin_header);
    put_switch(out, "--edit", p->payload.data != NULL);
    put_switch(out, "--keep-death", p->keep_death);
    put_flag(out, "--by", p->by);
    put_flag(out, "--keep", p->by && p->keep_last ? "last" : NULL);
    put_switch(out, "--bodies-differ", p->differing);
    put_switch(out, "--tombstones", p->tombstones);
    put_switch(out, "--no-archive", p->no_archive);
    put_switch(out, "--no-mark", p->no_mark && !restores);
    put_switch(out, "--again", p->again);
    put_switch(out, "--create", p->create);
    put_flag(out, "--config", o->config);
    put_switch(out, "--execute", true);
    const struct address *to = p->to ? &o->to : NULL, *from = order_takes(p) || !to ? &o->from : NULL;
    put_switch(out, "--write", wants_write(to) || wants_write(from));
    put_confirm(out, to);
    put_confirm(out, from);
}

/* ---- what it means ---- */

/* Once more, behind what is there, is what a resend may be for: its copies are known by their stamps. */
enum err order_check_ends(const struct plan *p, const struct address *from, const struct address *to,
                          struct err_info *err)
{
    bool again = p->kind == OPERATION_RESEND;
    if (!p->to || p->kind == OPERATION_RESTORE || !order_is_same(from, to) || (again && !p->no_mark))
        return ERR_OK;
    err_set(err, ERR_REFUSED, "source and destination are the same channel: %s",
            again ? "without stamps its own copies would not be known" : "it would not end");
    err_where(err, "%s/%s", from->endpoint->endpoint.name, from->channel.name);
    return ERR_REFUSED;
}

enum err order_check(const struct order *o, struct err_info *err)
{
    const struct plan *p = &o->plan;
    if (p->kind == OPERATION_RESEND && !p->select)
        return err_set(err, ERR_USAGE, "which messages? A resend wants a selection (`copy` takes all)");
    if (p->limit == 0)
        return err_set(err, ERR_USAGE, "a limit of 0 is no message");
    if (p->no_archive && (p->select || p->limit >= 0))
        return err_set(err, ERR_USAGE, "the broker's own purge takes all: no selection, no limit");
    return order_check_ends(p, &o->from, &o->to, err);
}

static bool was_seen(const struct plan *p, const struct preview *seen)
{
    return preview_selects(p) || (seen->looked > 0 && seen->whole);
}

int64_t order_about(const struct plan *p, const struct preview *seen)
{
    int64_t all = was_seen(p, seen) ? seen->matched : seen->ready;
    return p->limit >= 0 && (all < 0 || all > p->limit) ? p->limit : all;
}

bool order_is_upper(const struct plan *p, const struct preview *seen)
{
    return seen->upper && !was_seen(p, seen) && order_about(p, seen) > 0;
}

int64_t order_planned(const struct plan *p, const struct preview *seen)
{
    int64_t about = order_about(p, seen), less = preview_skipped(seen) + preview_failing(seen);
    return about < 0 ? about : about > less ? about - less : 0;
}

void order_bound(struct plan *p, const struct preview *counted)
{
    bool most =
        !counted->by_place && !p->no_archive && p->kind != OPERATION_RESTORE && p->kind != OPERATION_DEDUPE;
    p->by_place = counted->by_place;
    p->empty = counted->there == 0;
    if (!most || counted->ready < 0)
        return;
    p->ready = counted->ready;
    if (p->limit < 0 && (!preview_selects(p) || !p->ready))
        p->limit = counted->ready;
}

enum err order_settle(struct plan *p, const struct preview *seen, struct err_info *err)
{
    if (p->kind != OPERATION_RESTORE)
        p->partitions = seen->partitions;
    text_copy(p->cluster, sizeof p->cluster, seen->cluster);
    p->keeps = seen->keeps[0];
    p->sticks = seen->sticks;
    if (!seen->keeps[0] || p->kind != OPERATION_MOVE)
        return ERR_OK;
    err_set(err, ERR_REFUSED, "nothing can be moved off it: %s", seen->keeps);
    err_where(err, "%s", p->from);
    err_next(err, "`signalbox copy` sends the same and leaves the source as it is");
    return ERR_REFUSED;
}

enum err order_fits(const struct plan *p, const struct preview *seen, struct err_info *err)
{
    bool restores = p->kind == OPERATION_RESTORE, picks = preview_selects(p) || p->kind == OPERATION_REPLAY;
    bool looked = seen->looked > 0 && seen->whole;
    if (!seen->bounded || !p->to)
        return ERR_OK;
    enum err e = bounds_check(&seen->bounds, p->to, seen->there_ready,
                              picks && !looked ? COUNT_UNKNOWN : order_planned(p, seen),
                              looked || restores ? seen->bytes : COUNT_UNKNOWN, err);
    if (e && restores) /* all of an archive, or nothing */
        err_next(err, "raise its limit, or restore to another channel");
    return e;
}

/* The lock first: nobody may take it for one that was interrupted. */
int order_begin(struct operation_job *job, struct buffer *plan, order_create *create, void *context,
                struct err_info *err)
{
    struct journal_operation *record = &job->record;
    operation_id_new(record->id);
    plan_write(&job->plan, plan);
    record->plan = buffer_view(plan);
    int lock = operation_lock(record->id, err);
    struct journal *j = lock >= 0 ? journal_open(err) : NULL;
    enum err e = !j ? err->code : create ? create(context, j, record, err) : journal_create(j, record, err);
    journal_close(&j);
    if (!e)
        return lock;
    if (lock >= 0)
        operation_unlock(record->id, lock, true);
    return -1;
}
