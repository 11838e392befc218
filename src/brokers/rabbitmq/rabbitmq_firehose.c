/* The firehose: with tracing on, the node sends a copy of all that is published to amq.rabbitmq.trace. It is the only way to see
 * what passes the default exchange. The flag belongs to the virtual host, so that it is put back, whatever happens: by this process,
 * by its guard where it is killed, and by the next connection where both are. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/guard.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mark.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

static bool tracing_path(const struct broker *b, char *path, size_t size)
{
    rabbit_path(b, path, size, "vhosts", NULL, NULL);
    return true;
}

static enum err switch_tracing(struct broker *b, bool on, struct err_info *err)
{
    char path[600];
    tracing_path(b, path, sizeof path);
    return rabbit_api(b, "PUT", path, on ? "{\"tracing\":true}" : "{\"tracing\":false}", NULL, err);
}

/* One mark a server and virtual host, whoever asks and by whatever address of it. */
static void mark_name(const struct broker *b, char *into, size_t size)
{
    const struct url *url = &b->endpoint->url;
    char key[600];
    snprintf(key, sizeof key, "%s:%d/%s", url->host_count ? url->hosts[0].host : "",
             url->host_count ? url->hosts[0].port : 0, b->endpoint->vhost ? b->endpoint->vhost : "/");
    snprintf(into, size, "rabbitmq-tracing-%016" PRIx64, hash_bytes(bytes_of_text(key), 0));
}

static enum err is_tracing(struct broker *b, bool *on, struct err_info *err)
{
    char path[600];
    struct rabbit_answer a;
    tracing_path(b, path, sizeof path);
    enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
    if (e) {
        err_next(err, "the firehose is switched by the management API, by an administrator");
        return e;
    }
    *on = rabbit_truth(&a, &a.tree.nodes[0], "tracing");
    rabbit_answer_free(&a);
    return ERR_OK;
}

static enum err write_mark(const struct broker *b, int mark, struct err_info *err)
{
    char text[700];
    snprintf(
        text, sizeof text,
        "signalbox switched tracing on at %s, virtual host %s; `rabbitmqctl trace_off -p VHOST` switches it off.\n",
        b->endpoint->text, b->endpoint->vhost ? b->endpoint->vhost : "/");
    return mark_write(mark, text, err);
}

/* Should this process be killed, another one switches it off. */
static bool start_guard(const struct broker *b, const char *mark, struct guard *g)
{
    struct buffer text;
    buffer_init(&text, 64 * KIB);
    endpoint_pack(b->endpoint, &text);
    bool started = buffer_ok(&text) && guard_start(g, mark, buffer_view(&text));
    if (!started)
        log_write(LOG_WARN, b->endpoint->name, "no guard for the firehose: a kill -9 would leave it on");
    buffer_free(&text);
    return started;
}

/* The mark is on disk before the switch: a process that is killed at any moment leaves a trace of what is to be undone. */
static enum err start_tracing(struct broker *b, struct rabbit_reader *r, struct err_info *err)
{
    char name[64];
    bool on = false, fresh = true;
    mark_name(b, name, sizeof name);
    /* First, so that nobody who leaves just now switches off what was asked about. */
    int mark = mark_take(name, &fresh, err);
    if (mark < 0) {
        err_next(err, "without a mark there tracing could stay on for ever: make the folder writable");
        return ERR_IO;
    }
    enum err e = is_tracing(b, &on, err);
    bool ours = !e && (!on || !fresh);
    if (ours && fresh && (e = write_mark(b, mark, err)))
        err_next(err, "without a mark there tracing could stay on for ever: make room");
    bool guarded = !e && ours && start_guard(b, name, &r->tracing_guard);
    bool asked = !e && !on;
    if (asked)
        e = switch_tracing(b, true, err);
    bool refused = e == ERR_DENIED || e == ERR_AUTH || e == ERR_NOTFOUND;
    if (ours && (!e || (asked && !refused))) { /* what nobody has answered may have been done */
        r->tracing_mark = mark;
        r->tracing_switched = true;
    } else {
        if (mark_is_last(mark))
            mark_end(mark, name, fresh); /* else a killed process has left it, and it is still to be undone */
        if (guarded)
            guard_dismiss(&r->tracing_guard);
    }
    if (!e)
        r->sink.notice(
            r->sink.context,
            guarded ? "the firehose is on for this virtual host and node while this reads"
            : ours
                ? "the firehose is on for this virtual host and node while this reads; after a kill -9 it stays on "
                  "until signalbox connects there again"
                : "the firehose was on already: it stays on, unless somebody else switches it off, which will be said");
    return e;
}

static enum err switch_off(struct broker *b, int mark, struct err_info *err)
{
    char name[64];
    mark_name(b, name, sizeof name);
    enum err e = switch_tracing(b, false, err);
    if (e)
        err_next(err, "switch it off: rabbitmqctl trace_off -p VHOST");
    mark_end(mark, name, !e);
    return e;
}

enum err rabbit_firehose_restore(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    if (!rabbit->reader->tracing_switched)
        return ERR_OK;
    rabbit->reader->tracing_switched = false;
    atomic_bool never = false, *cancelled = b->cancelled;
    enum err e = ERR_OK;
    b->cancelled = &never;                          /* a cancelled session still owes this */
    if (mark_is_last(rabbit->reader->tracing_mark)) /* else somebody else still reads */
        e = switch_off(b, rabbit->reader->tracing_mark, err);
    b->cancelled = cancelled;
    if (e)
        guard_leave(&rabbit->reader->tracing_guard);
    else
        guard_dismiss(&rabbit->reader->tracing_guard);
    return e;
}

/* Whether somebody wants it on by now cannot be seen: hence it is said. */
void rabbit_firehose_clean(struct broker *b)
{
    char name[64], since[CLOCK_TEXT], why[600] = "", text[900];
    struct err_info err = {.code = ERR_OK};
    bool on = true;
    mark_name(b, name, sizeof name);
    int mark = mark_left(name);
    if (mark < 0)
        return;
    clock_rfc3339(mark_time(mark), since, sizeof since);
    enum err e = is_tracing(b, &on, &err);
    if (!e && !on) {
        mark_end(mark, name, true);
        return;
    }
    if (e)
        mark_end(mark, name, false);
    else
        e = switch_off(b, mark, &err);
    if (e)
        snprintf(text, sizeof text,
                 "the firehose was left on at %s by a killed signalbox, and cannot be switched off: %s",
                 since, err_format(&err, why, sizeof why));
    else
        snprintf(text, sizeof text,
                 "the firehose is off again, which a killed signalbox had left on at %s: "
                 "switch it on again if somebody wants it",
                 since);
    b->notice(b->notice_context, text);
}

void rabbit_firehose_follow(struct broker *b)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    bool on = true;
    if (!r->has_firehose || is_tracing(b, &on, NULL) || on != r->firehose_off)
        return;
    r->firehose_off = !on;
    r->sink.notice(
        r->sink.context,
        on ? "the firehose is on again: what came by the default exchange meanwhile was not seen"
           : "somebody has switched the firehose off: what comes by the default exchange is not seen any more");
}

enum err rabbit_firehose_open(struct broker *b, const struct channel_name *name, enum channel_kind kind,
                              const char *queue_name, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    amqp_bytes_t queue = amqp_empty_bytes;
    enum err e = r->has_firehose ? ERR_OK : start_tracing(b, r, err);
    r->has_firehose |= !e;
    if (!e)
        e = rabbit_tap_declare(b, &queue, err);
    if (!e)
        e = rabbit_bind(b, queue, "amq.rabbitmq.trace", rabbit_text("publish.#"), NULL, err);
    struct rabbit_source *s = e ? NULL : rabbit_source_add(b, name->name, kind);
    if (!e && !s)
        e = err_set(err, ERR_LIMIT, "too many channels for one session");
    if (!e) {
        s->firehose = true;
        text_copy(s->queue, sizeof s->queue, queue_name);
        e = rabbit_tap_consume(b, queue, false, err);
    }
    amqp_bytes_free(queue);
    return e;
}

static struct headers table_of(struct headers headers, const char *name)
{
    const struct value *v = headers_find(headers, bytes_of_text(name));
    return v && (v->type == VALUE_TABLE || v->type == VALUE_ARRAY)
               ? (struct headers){v->list.items, v->list.count}
               : (struct headers){NULL, 0};
}

static bool lists(struct headers list, const char *text)
{
    for (uint32_t i = 0; list.items && i < list.count; i++)
        if (list.items[i].value.type == VALUE_STRING && bytes_equal_text(list.items[i].value.bytes, text))
            return true;
    return false;
}

/* Whoever may write to amq.rabbitmq.trace can say anything there. */
static struct bytes first_text(struct headers list)
{
    bool text = list.items && list.count && list.items[0].value.type == VALUE_STRING;
    return text ? list.items[0].value.bytes : BYTES_LITERAL("");
}

/* RabbitMQ firehose: exchange_name, routing_keys[], properties{...}, routed_queues[] as headers, the body as it was. */
bool rabbit_firehose_message(const struct rabbit_source *s, struct message *m, struct arena *arena)
{
    struct headers told = m->headers, properties = table_of(told, "properties");
    const struct value *exchange = headers_find(told, BYTES_LITERAL("exchange_name"));
    bool by_default = exchange && exchange->type == VALUE_STRING && exchange->bytes.len == 0;
    if (!by_default || (s->queue[0] && !lists(table_of(told, "routed_queues"), s->queue)))
        return false;
    struct header *list = arena_alloc(arena, (properties.count + 3) * sizeof *list);
    uint32_t count = 0;
    m->headers = (struct headers){NULL, 0};
    m->id = BYTES_NULL;
    struct bytes key = first_text(table_of(told, "routing_keys"));
    for (uint32_t i = 0; list && properties.items && i < properties.count; i++) {
        const struct header *p = &properties.items[i];
        if (bytes_equal_text(p->name, "headers"))
            m->headers = table_of(properties, "headers");
        else
            list[count++] = (struct header){p->name, rabbit_property(m, p)};
    }
    if (list) {
        list[count++] =
            (struct header){BYTES_LITERAL("exchange"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("")}};
        list[count++] = (struct header){BYTES_LITERAL("routing_key"), {.type = VALUE_STRING, .bytes = key}};
    }
    m->properties = (struct headers){list, count};
    return true;
}
