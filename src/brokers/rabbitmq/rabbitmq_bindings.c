/* What a tap is bound with: at first, and when that changes while it listens. An exchange that is deleted takes its bindings with
 * it, and a tap that has none hears nothing and is told nothing; a queue may get other keys. So it is looked after. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

#define MOST_BINDINGS 1000
#define MOST_PAGES    4              /* of server-named queues */
#define LOOK_NS       (2 * NS_PER_S) /* a look may take so long */

/* ---- bindings as the management API tells them ---- */

struct binding {
    struct bytes source, key, destination;
    struct bytes id; /* of key and arguments, whatever it leads to */
    const struct field *field;
};

/* Slices of the answer. */
struct bindings {
    struct rabbit_answer answer;
    struct binding *items;
    size_t count;
    bool cut; /* there are more */
};

static struct bytes text_of(const struct rabbit_answer *a, const struct field *object, const char *name)
{
    const struct field *f = rabbit_member(a, object, name);
    struct bytes text = f ? field_text(&a->tree, f) : BYTES_NULL;
    return text.data ? text : BYTES_LITERAL("");
}

/* Those that come from an exchange by name. */
static enum err bindings_get(struct broker *b, const char *kind, const char *name, const char *rest,
                             struct bindings *list, struct err_info *err)
{
    char path[900];
    *list = (struct bindings){.count = 0};
    rabbit_path(b, path, sizeof path, kind, name, rest);
    enum err e = rabbit_api(b, "GET", path, NULL, &list->answer, err);
    if (e)
        return e;
    struct rabbit_answer *a = &list->answer;
    const struct field *all = &a->tree.nodes[0];
    list->items = arena_alloc(&a->arena, (all->children + 1) * sizeof *list->items);
    if (!list->items) {
        rabbit_answer_free(a);
        return err_set(err, ERR_NOMEM, "no memory for bindings");
    }
    for (const struct field *f = rabbit_first(a, all); f; f = rabbit_next(a, all, f)) {
        struct binding one = {text_of(a, f, "source"), text_of(a, f, "routing_key"),
                              text_of(a, f, "destination"), text_of(a, f, "properties_key"), f};
        if (!one.source.len)
            continue;
        list->cut = list->count == MOST_BINDINGS;
        if (list->cut)
            break;
        list->items[list->count++] = one;
    }
    return ERR_OK;
}

static void bindings_free(struct bindings *list)
{
    if (list->items)
        rabbit_answer_free(&list->answer);
    list->items = NULL;
    list->count = 0;
}

/* Those of the queue of that name go. */
static void drop_queue(struct bindings *list, struct bytes name)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!bytes_equal(list->items[i].destination, name))
            list->items[kept++] = list->items[i];
    list->count = kept;
}

static bool has_server_named(const struct bindings *list)
{
    static const char prefix[] = "amq.gen-";
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].destination.len > sizeof prefix &&
            memcmp(list->items[i].destination.data, prefix, sizeof prefix - 1) == 0)
            return true;
    return false;
}

/* Taps listen to what others are bound with, and not to each other: else a key would stay for ever once two of them have it. Where
 * the API does not tell, they stay. */
static void drop_taps(struct broker *b, struct bindings *list)
{
    int64_t pages = has_server_named(list) ? 1 : 0;
    for (int64_t page = 1; page <= pages && page <= MOST_PAGES; page++) {
        char path[900], rest[300];
        struct rabbit_answer a;
        snprintf(rest, sizeof rest,
                 "?page=%d&page_size=500&name=%%5Eamq%%5C.gen-&use_regex=true&columns=name,arguments",
                 (int)page);
        rabbit_path(b, path, sizeof path, "queues", NULL, rest);
        if (rabbit_api(b, "GET", path, NULL, &a, NULL))
            return;
        pages = rabbit_number(&a, &a.tree.nodes[0], "page_count");
        const struct field *items = rabbit_member(&a, &a.tree.nodes[0], "items");
        for (const struct field *f = items ? rabbit_first(&a, items) : NULL; f; f = rabbit_next(&a, items, f))
            if (rabbit_truth(&a, rabbit_member(&a, f, "arguments"), RABBIT_TAP_ARGUMENT))
                drop_queue(list, text_of(&a, f, "name"));
        rabbit_answer_free(&a);
    }
}

/* What the queues behind an exchange are bound with. */
static enum err bindings_of_exchange(struct broker *b, const char *name, struct bindings *list,
                                     struct err_info *err)
{
    enum err e = bindings_get(b, "exchanges", name, "/bindings/source", list, err);
    if (!e)
        drop_taps(b, list);
    return e;
}

static enum err bindings_of_queue(struct broker *b, const char *name, struct bindings *list,
                                  struct err_info *err)
{
    return bindings_get(b, "queues", name, "/bindings", list, err);
}

static bool has(const struct bindings *list, const struct binding *one)
{
    for (size_t i = 0; i < list->count; i++)
        if (bytes_equal(list->items[i].source, one->source) && bytes_equal(list->items[i].id, one->id))
            return true;
    return false;
}

static struct value json_value(const struct field_tree *t, const struct field *f)
{
    struct bytes text = field_text(t, f);
    int64_t i;
    if (f->kind == FIELD_NUMBER && json_to_int64(text, &i))
        return (struct value){.type = VALUE_INT64, .i = i};
    if (f->kind == FIELD_BOOL)
        return (struct value){.type = VALUE_BOOL, .b = bytes_equal_text(text, "true")};
    return (struct value){.type = VALUE_STRING, .bytes = text.data ? text : BYTES_LITERAL("")};
}

static bool binding_arguments(struct rabbit_answer *a, const struct field *binding, amqp_table_t *table)
{
    const struct field *object = rabbit_member(a, binding, "arguments");
    uint32_t count = 0;
    struct header *items = arena_alloc(&a->arena, ((object ? object->children : 0) + 1) * sizeof *items);
    if (!items)
        return false;
    for (const struct field *f = object && object->kind == FIELD_OBJECT ? rabbit_first(a, object) : NULL; f;
         f = rabbit_next(a, object, f))
        items[count++] = (struct header){field_name(&a->tree, f), json_value(&a->tree, f)};
    return rabbit_table((struct headers){items, count}, &a->arena, table);
}

/* ---- binding ---- */

enum err rabbit_bind(struct broker *b, amqp_bytes_t queue, const char *exchange, amqp_bytes_t key,
                     const amqp_table_t *arguments, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    char what[320];
    amqp_queue_bind(rabbit->connection, RABBIT_CHANNEL, queue, rabbit_text(exchange), key,
                    arguments ? *arguments : amqp_empty_table);
    snprintf(what, sizeof what, "binding to %s", exchange);
    return rabbit_last_reply(b, what, err);
}

static amqp_bytes_t amqp_of(struct bytes text)
{
    return (amqp_bytes_t){text.len, (void *)(uintptr_t)text.data};
}

/* Binds the tap as `one` tells, or takes that binding away. */
static enum err set_binding(struct broker *b, amqp_bytes_t tap, struct bindings *list,
                            const struct binding *one, bool on, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    char exchange[256];
    amqp_table_t arguments;
    text_copy_bytes(exchange, sizeof exchange, one->source);
    if (!binding_arguments(&list->answer, one->field, &arguments))
        return err_set(err, ERR_NOMEM, "no memory for a binding");
    if (on)
        return rabbit_bind(b, tap, exchange, amqp_of(one->key), &arguments, err);
    amqp_queue_unbind(rabbit->connection, RABBIT_CHANNEL, tap, rabbit_text(exchange), amqp_of(one->key),
                      arguments);
    return rabbit_last_reply(b, "taking a binding away", err);
}

/* "" where it cannot be known. */
static const char *type_of(struct broker *b, const char *exchange, char *type, size_t size)
{
    struct rabbit_channel found;
    const struct channel_name name = {CHANNEL_EXCHANGE, exchange};
    return text_copy(type, size, rabbit_find(b, &name, &found, NULL) ? "" : found.type);
}

static bool is_thief(struct broker *b, const struct binding *one, char *type, size_t size)
{
    char name[256];
    return rabbit_exchange_steals(type_of(b, text_copy_bytes(name, sizeof name, one->source), type, size));
}

static void refuse_thief(struct broker *b, const char *queue, const struct binding *one, const char *type)
{
    struct rabbit *rabbit = b->state;
    char text[700], name[256];
    snprintf(text, sizeof text, "%s comes from the %s exchange %s too: not tapped, a tap would steal there",
             queue, type, text_copy_bytes(name, sizeof name, one->source));
    rabbit->reader->sink.notice(rabbit->reader->sink.context, text);
}

/* ---- at first ---- */

/* What waits between the binding and the reading was repeated, or has come since: the two look alike. */
static enum err say_repeats(struct broker *b, amqp_bytes_t tap, const char *name, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    char queue[256], text[500];
    int64_t ready = 0, consumers;
    text_copy_bytes(queue, sizeof queue, bytes_of(tap.bytes, tap.len));
    enum err e = rabbit_ready(b, queue, &ready, &consumers, err);
    snprintf(text, sizeof text,
             "%s: an x-recent-history exchange repeats its last messages to every new reader: up to %" PRId64
             " of the first messages are old",
             name, ready);
    if (!e && ready > 0)
        rabbit->reader->sink.notice(rabbit->reader->sink.context, text);
    return e;
}

static void say_cut(struct broker *b, const char *name, const struct bindings *list)
{
    struct rabbit *rabbit = b->state;
    char text[500];
    snprintf(
        text, sizeof text,
        "%s has more than %d bindings: only these are listened to, and what changes about them is not followed",
        name, MOST_BINDINGS);
    if (list->cut)
        rabbit->reader->sink.notice(rabbit->reader->sink.context, text);
}

/* A direct exchange wants the exact keys: those that its queues are bound with. */
static enum err bind_direct(struct broker *b, amqp_bytes_t tap, const char *exchange, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct bindings wanted;
    char text[400];
    enum err e = bindings_of_exchange(b, exchange, &wanted, err);
    for (size_t i = 0; !e && i < wanted.count; i++)
        e = set_binding(b, tap, &wanted, &wanted.items[i], true, err);
    snprintf(
        text, sizeof text,
        wanted.count
            ? "of the direct exchange %s the keys that something is bound with are listened to: messages with "
              "other keys are not seen"
            : "nothing is bound to the direct exchange %s: there are no keys to listen to until something is",
        exchange);
    if (!e)
        rabbit->reader->sink.notice(rabbit->reader->sink.context, text);
    if (!e)
        say_cut(b, exchange, &wanted);
    bindings_free(&wanted);
    return e;
}

enum err rabbit_bind_exchange(struct broker *b, amqp_bytes_t tap, const char *name, const char *type,
                              struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    if (strcmp(type, "direct") == 0)
        return bind_direct(b, tap, name, err);
    char text[500];
    snprintf(
        text, sizeof text,
        "without the management API the type of exchange %s is not known: topic, fanout and headers exchanges are "
        "seen whole, a direct one is not, and an x-recent-history one shows old messages first",
        name);
    if (type[0] == '\0')
        rabbit->reader->sink.notice(rabbit->reader->sink.context, text);
    /* "#" is every topic; fanout takes no notice of keys; headers exchanges match empty arguments always. */
    enum err e = rabbit_bind(b, tap, name, rabbit_text("#"), NULL, err);
    return e || !rabbit_exchange_repeats(type) ? e : say_repeats(b, tap, name, err);
}

enum err rabbit_bind_like_queue(struct broker *b, amqp_bytes_t tap, const char *name, int *bound,
                                struct err_info *err)
{
    struct bindings wanted;
    char type[64];
    bool repeats = false;
    enum err e = bindings_of_queue(b, name, &wanted, err);
    if (e) {
        if (err_policy(e) == ERR_POLICY_RETRY) /* the broker is there: trying again would find the same */
            e = err->code = ERR_UNSUPPORTED;
        err_next(
            err,
            "a queue's bindings, which a tail follows, are known to the management API alone: say where it is "
            "(?management=URL), or tail the exchange in front");
        return e;
    }
    for (size_t i = 0; !e && i < wanted.count; i++) {
        if (is_thief(b, &wanted.items[i], type, sizeof type)) {
            refuse_thief(b, name, &wanted.items[i], type);
            continue;
        }
        e = set_binding(b, tap, &wanted, &wanted.items[i], true, err);
        repeats |= rabbit_exchange_repeats(type);
        ++*bound;
    }
    if (!e && repeats)
        e = say_repeats(b, tap, name, err);
    if (!e)
        say_cut(b, name, &wanted);
    bindings_free(&wanted);
    return e;
}

/* ---- later on ---- */

static void notice(struct broker *b, const struct rabbit_source *s, const char *what)
{
    struct rabbit *rabbit = b->state;
    char text[500];
    snprintf(text, sizeof text, "%s %s %s", channel_kind_name(s->origin->kind), s->origin->channel, what);
    rabbit->reader->sink.notice(rabbit->reader->sink.context, text);
}

#define REPEATS_NOW "is given what an x-recent-history exchange repeats: some of the next messages are old"

static void say_gone(struct broker *b, struct rabbit_source *s)
{
    if (!s->gone)
        notice(b, s, "was deleted: nothing comes until it is made anew");
    s->gone = true;
}

/* ERR_NOTFOUND: it was deleted. (Of bindings the API tells for a queue that is not there, too.) */
static enum err still_there(struct broker *b, const struct origin *o)
{
    bool queue = o->kind == CHANNEL_QUEUE;
    struct rabbit_answer answer = {0};
    char path[900];
    rabbit_path(b, path, sizeof path, queue ? "queues" : "exchanges", o->channel, NULL);
    enum err e = rabbit_api(b, "GET", path, NULL, &answer, NULL);
    if (!e)
        rabbit_answer_free(&answer);
    return !e || e == ERR_NOTFOUND || queue ? e : rabbit_probe_exchange(b, o->channel);
}

/* Whether the tap still has its binding; where nobody can tell, it has. */
static bool is_bound(struct broker *b, const struct rabbit_source *s)
{
    struct bindings have;
    bool bound = bindings_of_queue(b, s->tap, &have, NULL) || have.count > 0;
    bindings_free(&have);
    return bound;
}

static enum err follow_exchange(struct broker *b, struct rabbit_source *s, struct err_info *err)
{
    enum err e = still_there(b, s->origin);
    if (e == ERR_NOTFOUND)
        say_gone(b, s);
    if (e)
        return ERR_OK; /* a connection that is lost is said by the next step */
    bool lost = s->gone || !is_bound(b, s);
    char type[64] = "";
    if (lost && rabbit_exchange_steals(type_of(b, s->origin->channel, type, sizeof type))) {
        if (!s->gone)
            notice(b, s, "was made anew as one that shares out: not tapped, a tap would steal there");
        s->gone = true;
        return ERR_OK;
    }
    e = rabbit_bind(b, rabbit_text(s->tap), s->origin->channel, rabbit_text("#"), NULL, err);
    if (!e && lost)
        notice(b, s, "was made anew and is tapped again: what passed it before that was not seen");
    if (!e && rabbit_exchange_repeats(type))
        notice(b, s, REPEATS_NOW);
    s->gone = false;
    return e;
}

/* Gives the tap what it lacks of the wanted ones, and takes away what it has besides. */
static enum err follow_list(struct broker *b, const struct rabbit_source *s, struct bindings *wanted,
                            struct bindings *have, bool *changed, bool *repeats, struct err_info *err)
{
    amqp_bytes_t tap = rabbit_text(s->tap);
    enum err e = ERR_OK;
    char type[64];
    for (size_t i = 0; !e && i < wanted->count; i++) {
        if (has(have, &wanted->items[i]) || is_thief(b, &wanted->items[i], type, sizeof type))
            continue;
        e = set_binding(b, tap, wanted, &wanted->items[i], true, err);
        *changed = true;
        *repeats |= rabbit_exchange_repeats(type);
    }
    for (size_t i = 0; !e && i < have->count; i++) {
        if (has(wanted, &have->items[i]))
            continue;
        e = set_binding(b, tap, have, &have->items[i], false, err);
        *changed = true;
    }
    return e;
}

static enum err follow_bindings(struct broker *b, struct rabbit_source *s, struct err_info *err)
{
    bool queue = s->origin->kind == CHANNEL_QUEUE, changed = s->gone, repeats = false;
    struct bindings wanted, have;
    enum err e = queue ? bindings_of_queue(b, s->origin->channel, &wanted, NULL)
                       : bindings_of_exchange(b, s->origin->channel, &wanted, NULL);
    if (!e && !queue)
        drop_queue(&wanted, bytes_of_text(s->tap)); /* a new one may not be in the list yet */
    if (!e && wanted.count == 0)
        e = still_there(b, s->origin);
    if (e && e != ERR_NOTFOUND) {
        bindings_free(&wanted);
        return ERR_OK;
    }
    bool gone = e == ERR_NOTFOUND;
    e = ERR_OK;
    if (gone)
        say_gone(b, s);
    if (!wanted.cut && !bindings_of_queue(b, s->tap, &have, NULL)) {
        e = follow_list(b, s, &wanted, &have, &changed, &repeats, err);
        bindings_free(&have);
    }
    bindings_free(&wanted);
    if (!gone && changed)
        notice(b, s,
               "is bound in another way now, and the tap with it: what came that way before was not seen");
    if (repeats)
        notice(b, s, REPEATS_NOW);
    s->gone = gone;
    return e;
}

enum err rabbit_bindings_follow(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    if (clock_mono_ns() < r->follow_ns)
        return ERR_OK;
    if (!rabbit_may_cut(b, true))
        return ERR_OK;
    b->deadline_ns = INT64_MAX;
    enum err e = rabbit_listen(b, err);
    b->deadline_ns = clock_mono_ns() + LOOK_NS;
    rabbit_be_patient(b, true);
    for (size_t i = 0; !e && i < r->source_count; i++)
        if (r->sources[i].tap[0] && !r->sources[i].firehose)
            e = r->sources[i].by_list ? follow_bindings(b, &r->sources[i], err)
                                      : follow_exchange(b, &r->sources[i], err);
    if (!e)
        rabbit_firehose_follow(b);
    rabbit_be_patient(b, false);
    (void)rabbit_may_cut(b, false);
    r->follow_ns = clock_mono_ns() + RABBIT_FOLLOW_EVERY_NS;
    return e;
}
