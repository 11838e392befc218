/* What the management API answers: the input is answers, NUL between them, that come one after the other, none more than once.
 * Without a server: what stands below is linked in place of the HTTP client and of what AMQP would be asked. */
#include "fuzz.h"

#include "base/limits.h"
#include "brokers/rabbitmq/rabbitmq_reader.h"
#include "net/http.h"

#include <stdlib.h>

static struct bytes left;

static void require(int truth)
{
    if (!truth)
        abort();
}

/* ---- in place of HTTP ---- */

struct http_client *http_client_new(struct err_info *err)
{
    static char client;
    (void)err;
    return (struct http_client *)&client;
}

void http_client_free(struct http_client **c)
{
    *c = NULL;
}

void http_response_free(struct http_response *r)
{
    buffer_free(&r->headers);
    buffer_free(&r->body);
}

/* A first byte that begins no JSON is a status. */
static long status_of(struct bytes *answer)
{
    static const long statuses[] = {401, 403, 404, 503, 500, 204};
    if (!answer->len || answer->data[0] == 0 || answer->data[0] > sizeof statuses / sizeof *statuses)
        return 200;
    long status = statuses[answer->data[0] - 1];
    *answer = bytes_slice(*answer, 1, answer->len);
    return status;
}

void http_fetch(struct http_client *c, const struct http_request *request, const atomic_bool *cancelled,
                struct http_response *response)
{
    (void)c;
    (void)cancelled;
    require(strlen(request->url) > 0 && !strpbrk(request->url, " \r\n"));
    const void *end = left.len ? memchr(left.data, 0, left.len) : NULL;
    size_t len = end ? (size_t)((const uint8_t *)end - left.data) : left.len;
    struct bytes answer = bytes_slice(left, 0, len);
    left = bytes_slice(left, len + 1, left.len);
    *response = (struct http_response){.status = status_of(&answer)};
    buffer_init(&response->headers, LIMIT_HEADERS);
    buffer_init(&response->body, request->max_body);
    buffer_bytes(&response->body, answer);
}

/* ---- in place of AMQP ---- */

amqp_queue_bind_ok_t *amqp_queue_bind(amqp_connection_state_t state, amqp_channel_t channel,
                                      amqp_bytes_t queue, amqp_bytes_t exchange, amqp_bytes_t routing_key,
                                      amqp_table_t arguments)
{
    uint8_t room[8192];
    size_t at = 0;
    (void)state;
    (void)channel;
    (void)queue;
    require(exchange.len > 0 && (routing_key.len == 0 || routing_key.bytes));
    (void)amqp_encode_table((amqp_bytes_t){sizeof room, room}, &arguments, &at);
    require(at <= sizeof room);
    return NULL;
}

static bool asked; /* a question by AMQP, which nobody answers */

amqp_queue_declare_ok_t *amqp_queue_declare(amqp_connection_state_t state, amqp_channel_t channel,
                                            amqp_bytes_t queue, amqp_boolean_t passive,
                                            amqp_boolean_t durable, amqp_boolean_t exclusive,
                                            amqp_boolean_t auto_delete, amqp_table_t arguments)
{
    (void)state;
    (void)channel;
    (void)durable;
    (void)exclusive;
    (void)auto_delete;
    (void)arguments;
    require(passive && queue.bytes);
    asked = true;
    return NULL;
}

amqp_exchange_declare_ok_t *amqp_exchange_declare(amqp_connection_state_t state, amqp_channel_t channel,
                                                  amqp_bytes_t exchange, amqp_bytes_t type,
                                                  amqp_boolean_t passive, amqp_boolean_t durable,
                                                  amqp_boolean_t auto_delete, amqp_boolean_t internal,
                                                  amqp_table_t arguments)
{
    (void)state;
    (void)channel;
    (void)type;
    (void)durable;
    (void)auto_delete;
    (void)internal;
    (void)arguments;
    require(passive && exchange.bytes);
    asked = true;
    return NULL;
}

amqp_channel_open_ok_t *amqp_channel_open(amqp_connection_state_t state, amqp_channel_t channel)
{
    (void)state;
    (void)channel;
    return NULL;
}

amqp_rpc_reply_t amqp_get_rpc_reply(amqp_connection_state_t state)
{
    amqp_rpc_reply_t reply = {.reply_type = asked ? AMQP_RESPONSE_NONE : AMQP_RESPONSE_NORMAL};
    (void)state;
    asked = false;
    return reply;
}

int amqp_simple_wait_frame_noblock(amqp_connection_state_t state, amqp_frame_t *frame,
                                   const struct timeval *timeout)
{
    (void)state;
    (void)frame;
    (void)timeout;
    return AMQP_STATUS_TIMEOUT;
}

void amqp_maybe_release_buffers(amqp_connection_state_t state)
{
    (void)state;
}

/* ---- asking ---- */

static void ignore(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static bool is_count(int64_t n)
{
    return n == COUNT_UNKNOWN || n >= 0;
}

static void list(struct broker *b, struct err_info *err)
{
    struct channel_list *l = channel_list_new();
    require(l != NULL);
    l->complete = true;
    require(rabbit_list(b, NULL, READ_INTERNAL, l, err) == ERR_OK);
    require(l->complete || l->note[0]);
    for (size_t i = 0; i < l->count; i++) {
        const struct channel *c = &l->items[i];
        require(c->detail[0] && is_count(c->depth) && is_count(c->unacked) && is_count(c->consumers));
        require(is_count(c->bytes) && is_count(c->in_total) && is_count(c->out_total));
    }
    struct channel_totals totals = channel_list_totals(l);
    require(is_count(totals.depth));
    channel_list_free(&l);
}

/* A policy only ever lowers it. */
static void limit(struct broker *b, struct err_info *err)
{
    int64_t before = 7, now = before, none = -1;
    if (!rabbit_policy_limit(b, "orders", &now, err))
        require(now >= 0 && now <= before);
    if (!rabbit_policy_limit(b, "orders", &none, err))
        require(none >= -1);
}

static void bind(struct broker *b, struct err_info *err)
{
    amqp_bytes_t tap = amqp_cstring_bytes("amq.gen-1");
    enum err e = rabbit_bind_exchange(b, tap, "orders", "direct", err);
    require(!e || err->text[0]);
}

static void bind_like(struct broker *b, struct err_info *err)
{
    int bound = 0;
    enum err e = rabbit_bind_like_queue(b, amqp_cstring_bytes("amq.gen-1"), "orders", &bound, err);
    require(bound >= 0 && (!e || err->text[0]));
}

static void find(struct broker *b, struct err_info *err)
{
    struct rabbit_channel found;
    const struct channel_name name = {CHANNEL_ANY, "orders"};
    if (rabbit_find(b, &name, &found, err))
        require(err->text[0] != '\0');
    else
        require(found.kind != CHANNEL_ANY && found.delivery_limit >= -1 && is_count(found.redelivered));
}

static void alarms(struct broker *b, struct err_info *err)
{
    struct sample sample = {.health = HEALTH_UP};
    (void)err;
    rabbit_look_for_alarms(b, &sample);
    require((sample.health == HEALTH_DEGRADED) == (sample.reason[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const asks[])(struct broker * b, struct err_info * err) = {list,      limit, bind,
                                                                             bind_like, find,  alarms};
    const struct endpoint endpoint = {.name = "rabbit", .vhost = "a/b c"};
    atomic_bool cancelled = false;
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct err_info err = {.code = ERR_OK};
        struct rabbit_reader reader = {.sink = {.notice = ignore}};
        struct rabbit rabbit = {.reader = &reader};
        struct broker b = {.endpoint = &endpoint, .state = &rabbit, .cancelled = &cancelled};
        left = bytes_of(data, size);
        asks[i](&b, &err);
    }
    return 0;
}
