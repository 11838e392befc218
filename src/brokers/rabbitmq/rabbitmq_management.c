/* The management API: paged lists, never an unpaged sweep, and nothing asked again that was refused for good. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "decoders/json.h"
#include "net/http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE       500
#define MOST_PAGES 40
#define MOST_COUNT (INT64_C(1) << 48) /* so that LIMIT_CHANNELS of them can be added up */

/* ---- asking ---- */

static void find_base(struct broker *b)
{
    struct rabbit *r = b->state;
    const struct url *u = &b->endpoint->url;
    const char *host = u->host_count ? u->hosts[0].host : "localhost";
    if (r->api[0])
        return;
    if (b->endpoint->management) {
        text_copy(r->api, sizeof r->api, b->endpoint->management);
        for (size_t len = strlen(r->api); len && r->api[len - 1] == '/';)
            r->api[--len] = '\0';
    } else {
        snprintf(r->api, sizeof r->api, strchr(host, ':') ? "http://[%s]:15672" : "http://%s:15672", host);
    }
}

static enum err refuse(struct broker *b, enum err code, bool for_good, struct err_info *err,
                       const char *format, ...) SB_PRINTF(5, 6);
static enum err refuse(struct broker *b, enum err code, bool for_good, struct err_info *err,
                       const char *format, ...)
{
    struct rabbit *r = b->state;
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (for_good) {
        r->api_refused = true;
        r->api_code = code;
        text_copy(r->api_why, sizeof r->api_why, text);
    }
    err_set(err, code, "%s", text);
    err_where(err, "%s", r->api);
    if (err_policy(code) == ERR_POLICY_RETRY)
        err_next(err, "say where it is: ?management=URL, or management: in the configuration");
    return code;
}

static const char *user_of(const struct broker *b)
{
    return b->endpoint->username ? b->endpoint->username : "guest";
}

static enum err parse(struct http_response *response, struct rabbit_answer *answer, struct err_info *err)
{
    arena_init(&answer->arena, LIMIT_DECODE_ARENA);
    field_tree_init(&answer->tree, &answer->arena);
    answer->body = malloc(sizeof *answer->body);
    if (!answer->body)
        return err_set(err, ERR_NOMEM, "no memory for an answer");
    *answer->body = response->body; /* the tree's slices point into it */
    response->body = (struct buffer){0};
    if (json_decoder.decode(buffer_view(answer->body), NULL, &answer->tree) == ERR_OK)
        return ERR_OK;
    rabbit_answer_free(answer);
    return err_set(err, ERR_PROTOCOL, "the management API's answer is no JSON: is that its URL?");
}

/* "Not monitor user", "Not administrator user": as the broker says it; "" it doesn't. */
static void read_reason(struct http_response *response, char *into, size_t size)
{
    struct rabbit_answer a;
    into[0] = '\0';
    if (parse(response, &a, NULL))
        return;
    rabbit_string(&a, &a.tree.nodes[0], "reason", into, size);
    rabbit_answer_free(&a);
}

/* 401 is the answer to a stranger, and to a user whose tag is not enough for that path: `management` sees the least, then come
 * `policymaker`, `monitoring`, `administrator`. Who they are is told to all of them. */
static enum err judge_401(struct broker *b, struct http_response *response, const char *path,
                          struct err_info *err)
{
    struct rabbit *r = b->state;
    static const char whoami[] = "whoami";
    char reason[80];
    if (strcmp(path, whoami) == 0)
        return refuse(
            b, ERR_DENIED, true, err,
            "the management API refuses user \"%s\": wrong password, or no tag management or monitoring",
            user_of(b));
    r->api_knows_us = r->api_knows_us || !rabbit_api(b, "GET", whoami, NULL, NULL, NULL);
    if (r->api_refused)
        return refuse(b, r->api_code, false, err, "%s", r->api_why);
    read_reason(response, reason, sizeof reason);
    return refuse(b, ERR_DENIED, false, err, "the management API does not let user \"%s\" do this: %s (%s)",
                  user_of(b), reason[0] ? reason : "401", path);
}

static enum err judge(struct broker *b, struct http_response *response, const char *path,
                      struct err_info *err)
{
    switch (response->status) {
    case 200:
    case 201:
    case 204: return ERR_OK;
    case 401: return judge_401(b, response, path, err);
    case 403:
        return refuse(b, ERR_DENIED, false, err, "the management API does not let user \"%s\" see this",
                      user_of(b));
    case 404: return refuse(b, ERR_NOTFOUND, false, err, "the management API knows no %s", path);
    case 503: return refuse(b, ERR_DOWN, false, err, "the management API answers 503 to %s", path);
    default: return refuse(b, ERR_FAILED, false, err, "the management API answers %ld", response->status);
    }
}

enum err rabbit_api(struct broker *b, const char *method, const char *path, const char *json,
                    struct rabbit_answer *answer, struct err_info *err)
{
    struct rabbit *r = b->state;
    struct err_info own;
    char url[1400];
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    if (!err)
        err = &own;
    find_base(b);
    if (r->api_refused)
        return refuse(b, r->api_code, false, err, "%s", r->api_why);
    if (!r->http && !(r->http = http_client_new(err)))
        return err->code;
    snprintf(url, sizeof url, "%s/api/%s", r->api, path);
    const char *user = user_of(b);
    struct http_request request = {
        .method = method,
        .url = url,
        .username = user,
        .password = b->endpoint->password        ? b->endpoint->password
                    : strcmp(user, "guest") == 0 ? "guest"
                                                 : "",
        .headers = headers,
        .body = bytes_of_text(json),
        .tls = b->endpoint->tls,
        .deadline_ns = b->deadline_ns,
        .max_body = LIMIT_HTTP_BODY,
    };
    struct http_response response;
    http_fetch(r->http, &request, b->cancelled, &response);
    enum err e = response.error;
    if (e == ERR_UNREACHABLE || e == ERR_TIMEOUT || e == ERR_TLS)
        refuse(b, e, !b->endpoint->management, err, "no management API: %s", response.err.text);
    else if (e)
        *err = response.err;
    else
        e = judge(b, &response, path, err);
    if (!e && answer)
        e = parse(&response, answer, err);
    http_response_free(&response);
    return e;
}

void rabbit_answer_free(struct rabbit_answer *a)
{
    arena_free(&a->arena);
    if (a->body) {
        buffer_free(a->body);
        free(a->body);
    }
    a->body = NULL;
}

static size_t put_encoded(char *into, size_t size, const char *name)
{
    size_t at = 0;
    for (; *name && at + 4 < size; name++) {
        if (isalnum((unsigned char)*name) || strchr("-._~", *name))
            into[at++] = *name;
        else
            at += (size_t)snprintf(into + at, size - at, "%%%02X", (unsigned char)*name);
    }
    into[at] = '\0';
    return at;
}

void rabbit_path(const struct broker *b, char *into, size_t size, const char *kind, const char *name,
                 const char *rest)
{
    char vhost[400], encoded[800] = "";
    put_encoded(vhost, sizeof vhost, b->endpoint->vhost ? b->endpoint->vhost : "/");
    if (name)
        put_encoded(encoded, sizeof encoded, name);
    snprintf(into, size, "%s/%s%s%s%s", kind, vhost, name ? "/" : "", encoded, rest ? rest : "");
}

/* ---- reading answers ---- */

const struct field *rabbit_first(const struct rabbit_answer *a, const struct field *list)
{
    const struct field *first = list + 1;
    return list->next > (uint32_t)(list - a->tree.nodes) + 1 ? first : NULL;
}

const struct field *rabbit_next(const struct rabbit_answer *a, const struct field *list,
                                const struct field *item)
{
    return item->next < list->next ? &a->tree.nodes[item->next] : NULL;
}

const struct field *rabbit_member(const struct rabbit_answer *a, const struct field *object, const char *name)
{
    if (!object || object->kind != FIELD_OBJECT)
        return NULL;
    for (const struct field *f = rabbit_first(a, object); f; f = rabbit_next(a, object, f))
        if (bytes_equal_text(f->name, name))
            return f;
    return NULL;
}

int64_t rabbit_number(const struct rabbit_answer *a, const struct field *object, const char *name)
{
    const struct field *f = rabbit_member(a, object, name);
    int64_t value;
    if (!f || f->kind != FIELD_NUMBER || !json_to_int64(f->text, &value))
        return COUNT_UNKNOWN;
    return value >= 0 && value <= MOST_COUNT ? value : COUNT_UNKNOWN;
}

bool rabbit_truth(const struct rabbit_answer *a, const struct field *object, const char *name)
{
    const struct field *f = rabbit_member(a, object, name);
    return f && f->kind == FIELD_BOOL && bytes_equal_text(f->text, "true");
}

char *rabbit_string(const struct rabbit_answer *a, const struct field *object, const char *name, char *into,
                    size_t size)
{
    const struct field *f = rabbit_member(a, object, name);
    return text_copy_bytes(into, size, f && f->kind == FIELD_STRING ? f->text : BYTES_LITERAL(""));
}

double rabbit_rate(const struct rabbit_answer *a, const struct field *stats, const char *name)
{
    const struct field *f = rabbit_member(a, rabbit_member(a, stats, name), "rate");
    double value;
    return f && f->kind == FIELD_NUMBER && json_to_double(f->text, &value) ? value : -1;
}

/* ---- listing ---- */

static bool looks_dead(const char *name)
{
    static const char *const parts[] = {".dlq",  ".dlx",        "-dlq",        "_dlq",
                                        ".dead", "dead-letter", "dead_letter", "deadletter"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

static const char exclusive_why[] = "it belongs to another connection alone";

static void queue_capabilities(struct channel *c, const struct rabbit_answer *a, const struct field *q)
{
    const struct field *arguments = rabbit_member(a, q, "arguments");
    for (int i = 0; i < CAPABILITIES; i++)
        c->why_not[i] = NULL;
    c->browse_effect = c->kind == CHANNEL_STREAM ? EFFECT_NONE : EFFECT_MARKS;
    c->why_not[CAN_GROUPS] = "RabbitMQ has no consumer groups";
    c->why_not[CAN_PURGE] = "this version removes nothing";
    if (c->kind != CHANNEL_STREAM)
        c->why_not[CAN_SEEK] = "a queue is read from its head";
    if (rabbit_truth(a, arguments, "x-single-active-consumer") && strstr(c->detail, "quorum"))
        c->why_not[CAN_BROWSE] =
            "a quorum queue with a single active consumer gives nothing to lookers (405 RESOURCE_LOCKED)";
    if (rabbit_truth(a, q, "exclusive"))
        c->why_not[CAN_BROWSE] = exclusive_why;
}

static void take_queue(struct channel_list *list, const struct rabbit_answer *a, const struct field *q)
{
    char name[256], type[32];
    rabbit_string(a, q, "name", name, sizeof name);
    rabbit_string(a, q, "type", type, sizeof type);
    bool stream = strcmp(type, "stream") == 0;
    struct channel *c = channel_list_add(list, name, stream ? CHANNEL_STREAM : CHANNEL_QUEUE);
    if (!c)
        return;
    const struct field *stats = rabbit_member(a, q, "message_stats");
    snprintf(c->detail, sizeof c->detail, stream ? "stream" : "%s queue", type[0] ? type : "classic");
    rabbit_string(a, q, "state", c->state, sizeof c->state);
    c->depth = rabbit_number(a, q, "messages");
    c->unacked = rabbit_number(a, q, "messages_unacknowledged");
    c->consumers = rabbit_number(a, q, "consumers");
    c->bytes = rabbit_number(a, q, "message_bytes");
    c->bytes_why = c->bytes < 0 ? "the broker has not counted yet" : NULL;
    c->in_rate = rabbit_rate(a, stats, "publish_details");
    c->out_rate = rabbit_rate(a, stats, "deliver_get_details");
    c->in_total = rabbit_number(a, stats, "publish");
    c->out_total = rabbit_number(a, stats, "deliver_get");
    c->dead_letters = looks_dead(name);
    c->internal = rabbit_truth(a, rabbit_member(a, q, "arguments"), RABBIT_TAP_ARGUMENT); /* somebody looks */
    queue_capabilities(c, a, q);
}

static void exchange_capabilities(struct channel *c)
{
    for (int i = 0; i < CAPABILITIES; i++)
        c->why_not[i] = NULL;
    c->why_not[CAN_BROWSE] = "an exchange keeps nothing";
    c->why_not[CAN_SEEK] = "an exchange keeps nothing";
    c->why_not[CAN_GROUPS] = "RabbitMQ has no consumer groups";
    c->why_not[CAN_PURGE] = "an exchange keeps nothing";
    c->why_not[CAN_CREATE] = "only queues and streams are made";
}

static void take_exchange(struct channel_list *list, const struct rabbit_answer *a, const struct field *x)
{
    char name[256], type[40];
    rabbit_string(a, x, "name", name, sizeof name);
    rabbit_string(a, x, "type", type, sizeof type);
    if (!name[0])
        return; /* the default exchange: no channel to tap */
    struct channel *c = channel_list_add(list, name, CHANNEL_EXCHANGE);
    if (!c)
        return;
    const struct field *stats = rabbit_member(a, x, "message_stats");
    snprintf(c->detail, sizeof c->detail, "%s exchange", type);
    text_copy(c->state, sizeof c->state, "running");
    c->internal = text_starts(name, "amq.") || rabbit_truth(a, x, "internal");
    c->in_rate = rabbit_rate(a, stats, "publish_in_details");
    c->out_rate = rabbit_rate(a, stats, "publish_out_details");
    c->in_total = rabbit_number(a, stats, "publish_in");
    c->out_total = rabbit_number(a, stats, "publish_out");
    exchange_capabilities(c);
    if (rabbit_exchange_steals(type))
        c->why_not[CAN_TAP] = "a tap would become a partition of it and take a share from the others";
}

typedef void take_row(struct channel_list *list, const struct rabbit_answer *a, const struct field *row);

static const char queue_columns[] =
    "columns=name,type,messages,messages_unacknowledged,consumers,message_bytes,state,exclusive,"
    "arguments.x-single-active-consumer,arguments." RABBIT_TAP_ARGUMENT
    ",message_stats.publish,message_stats.deliver_get,"
    "message_stats.publish_details.rate,message_stats.deliver_get_details.rate";
static const char exchange_columns[] =
    "columns=name,type,internal,message_stats.publish_in,message_stats.publish_out,"
    "message_stats.publish_in_details.rate,message_stats.publish_out_details.rate";

static enum err list_pages(struct broker *b, const char *kind, const char *columns, take_row *take,
                           struct channel_list *list, struct err_info *err)
{
    int64_t pages = 1;
    for (int64_t page = 1; page <= pages && page <= MOST_PAGES && list->complete; page++) {
        char path[900], rest[600];
        struct rabbit_answer a;
        snprintf(rest, sizeof rest, "?page=%lld&page_size=%d&%s", (long long)page, PAGE, columns);
        rabbit_path(b, path, sizeof path, kind, NULL, rest);
        enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
        if (e)
            return e;
        pages = rabbit_number(&a, &a.tree.nodes[0], "page_count");
        const struct field *items = rabbit_member(&a, &a.tree.nodes[0], "items");
        for (const struct field *f = items ? rabbit_first(&a, items) : NULL; f; f = rabbit_next(&a, items, f))
            take(list, &a, f);
        rabbit_answer_free(&a);
    }
    return ERR_OK;
}

/* The statistics are seconds late, and a new queue has none: the queue itself counts what is ready. Not one of another connection alone,
 * which answers by closing the channel, and not a stream, which knows no better. */
static void count_now(struct broker *b, struct channel *c)
{
    int64_t ready, consumers;
    bool exclusive = c->why_not[CAN_BROWSE] == exclusive_why;
    if (c->kind != CHANNEL_QUEUE || exclusive || rabbit_ready(b, c->name, &ready, &consumers, NULL))
        return;
    c->depth = ready + (c->unacked > 0 ? c->unacked : 0);
    c->consumers = consumers;
    if (!c->state[0])
        text_copy(c->state, sizeof c->state, "running");
}

static enum err list_one(struct broker *b, const char *kind, const char *name, take_row *take,
                         struct channel_list *list, struct err_info *err)
{
    char path[900];
    struct rabbit_answer a;
    rabbit_path(b, path, sizeof path, kind, name, NULL);
    enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
    if (e == ERR_NOTFOUND)
        return ERR_OK;
    if (e)
        return e;
    size_t before = list->count;
    take(list, &a, &a.tree.nodes[0]);
    rabbit_answer_free(&a);
    if (list->count > before)
        count_now(b, &list->items[before]);
    return ERR_OK;
}

static void put_queue_by_amqp(struct channel_list *list, const char *name, const struct rabbit_channel *found)
{
    static const char *const details[CHANNEL_KINDS] = {
        "queue or stream", [CHANNEL_QUEUE] = "queue", [CHANNEL_STREAM] = "stream"};
    struct channel *c = channel_list_add(list, name, found->kind);
    if (!c)
        return;
    c->depth = found->depth;
    c->consumers = found->consumers;
    c->browse_effect = found->kind == CHANNEL_STREAM ? EFFECT_NONE : EFFECT_MARKS;
    c->bytes_why = "only the management API knows";
    text_copy(c->detail, sizeof c->detail, details[found->kind]);
    for (int i = 0; i < CAPABILITIES; i++)
        c->why_not[i] = NULL;
    if (found->kind == CHANNEL_QUEUE)
        c->why_not[CAN_SEEK] = "a queue is read from its head";
    if (found->kind != CHANNEL_STREAM)
        c->why_not[CAN_TAP] = "the queue's bindings are known only to the management API";
    c->why_not[CAN_GROUPS] = "RabbitMQ has no consumer groups";
    c->why_not[CAN_PURGE] = "this version removes nothing";
}

static void put_exchange_by_amqp(struct channel_list *list, const char *name)
{
    struct channel *c = channel_list_add(list, name, CHANNEL_EXCHANGE);
    if (!c)
        return;
    text_copy(c->detail, sizeof c->detail, "exchange");
    exchange_capabilities(c);
}

/* AMQP alone names nothing, but tells of one name what it is. ERR_NOTFOUND: nothing is called so. */
static enum err list_by_amqp(struct broker *b, const char *name, struct channel_list *list)
{
    struct err_info err = {.code = ERR_OK};
    struct rabbit_channel found = {.depth = COUNT_UNKNOWN};
    enum err queue = rabbit_find_queue_by_amqp(b, name, &found, &err);
    if (!queue)
        put_queue_by_amqp(list, name, &found);
    enum err exchange = rabbit_probe_exchange(b, name);
    if (!exchange)
        put_exchange_by_amqp(list, name);
    if (!queue || queue == ERR_NOTFOUND)
        return exchange ? queue : ERR_OK;
    list->error = queue;
    text_copy(list->note, sizeof list->note, err.text);
    return queue;
}

/* Rows that the pattern leaves out, and the broker's own ones, go away again. */
static void keep_wanted(struct channel_list *list, const char *pattern, uint32_t flags)
{
    size_t kept = 0;
    bool one = pattern && pattern[0] && !strpbrk(pattern, "*?");
    for (size_t i = 0; i < list->count; i++) {
        bool hidden = list->items[i].internal && !(flags & READ_INTERNAL) && !one;
        if (!hidden && text_glob(pattern, list->items[i].name))
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static enum err list_by_api(struct broker *b, const char *pattern, bool one, struct channel_list *list,
                            struct err_info *why)
{
    enum err e = one ? list_one(b, "queues", pattern, take_queue, list, why)
                     : list_pages(b, "queues", queue_columns, take_queue, list, why);
    if (!e)
        e = one ? list_one(b, "exchanges", pattern, take_exchange, list, why)
                : list_pages(b, "exchanges", exchange_columns, take_exchange, list, why);
    return e;
}

static void say_missing(const struct broker *b, const char *name, struct channel_list *list)
{
    list->error = ERR_NOMATCH;
    snprintf(list->note, sizeof list->note, "no queue, stream or exchange %.80s in vhost %.60s", name,
             b->endpoint->vhost ? b->endpoint->vhost : "/");
}

enum err rabbit_list(struct broker *b, const char *pattern, uint32_t flags, struct channel_list *list,
                     struct err_info *err)
{
    struct rabbit *r = b->state;
    bool one = pattern && pattern[0] && !strpbrk(pattern, "*?");
    if (r->version[0])
        snprintf(list->version, sizeof list->version, "RabbitMQ %s", r->version);
    enum err e = rabbit_serve(b, err); /* heartbeats, and whether the connection still lives */
    if (e)
        return e;
    struct err_info why = {.code = ERR_OK};
    e = list_by_api(b, pattern, one, list, &why);
    if (e == ERR_CANCELLED)
        return e;
    if (e) {
        list->complete = false;
        list->error = e;
        snprintf(list->note, sizeof list->note, "%.130s%s", why.text,
                 one ? "" : "; name a queue to see its depth");
    }
    if (e && one && list_by_amqp(b, pattern, list) == ERR_NOTFOUND)
        say_missing(b, pattern, list);
    keep_wanted(list, pattern, flags);
    return ERR_OK;
}

/* ---- ping ---- */

static void take_alarms(const struct rabbit_answer *a, struct sample *sample)
{
    const struct field *nodes = &a->tree.nodes[0];
    for (const struct field *n = rabbit_first(a, nodes); n; n = rabbit_next(a, nodes, n)) {
        char name[80];
        const char *alarm = rabbit_truth(a, n, "mem_alarm")         ? "memory alarm: publishers are blocked"
                            : rabbit_truth(a, n, "disk_free_alarm") ? "disk alarm: publishers are blocked"
                            : !rabbit_truth(a, n, "running")        ? "not running"
                                                                    : NULL;
        if (!alarm)
            continue;
        sample->health = HEALTH_DEGRADED;
        snprintf(sample->reason, sizeof sample->reason, "%s: %s",
                 rabbit_string(a, n, "name", name, sizeof name), alarm);
    }
}

/* Whether there is one, and no more, is told to everybody with the tag `management`. */
static void check_alarms(struct broker *b, const struct err_info *why, struct sample *sample)
{
    struct rabbit *r = b->state;
    enum err e = rabbit_api(b, "GET", "health/checks/alarms", NULL, NULL, NULL);
    if (e == ERR_DOWN) {
        sample->health = HEALTH_DEGRADED;
        text_copy(sample->reason, sizeof sample->reason,
                  "memory alarm or disk alarm: publishers are blocked");
    } else if (e && !r->said_no_alarms) {
        log_write(LOG_INFO, b->endpoint->name, "memory and disk alarms are not seen: %s", why->text);
        r->said_no_alarms = true;
    }
}

enum err rabbit_ping(struct broker *b, struct sample *sample, struct err_info *err)
{
    struct rabbit_answer a;
    struct err_info why;
    enum err e = rabbit_serve(b, err);
    if (e)
        return e;
    sample->health = HEALTH_UP;
    text_copy(sample->code, sizeof sample->code, "AMQP");
    /* Alarms are asked for where the user may know; that AMQP answers is enough for up. */
    e = rabbit_api(b, "GET", "nodes?columns=name,running,mem_alarm,disk_free_alarm", NULL, &a, &why);
    if (!e) {
        take_alarms(&a, sample);
        rabbit_answer_free(&a);
    } else if (e == ERR_DENIED) {
        check_alarms(b, &why, sample);
    }
    return ERR_OK;
}
