/* A hub of fixed data behind the accessors of engine/hub.h, for golden screens: linked in place of the real one. It starts
 * nothing and waits for nothing; tests change it directly. */
#ifndef TESTS_UNIT_UI_FAKE_HUB_H
#define TESTS_UNIT_UI_FAKE_HUB_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/hub.h"

#include <stdio.h>
#include <semaphore.h>
#include <stdlib.h>

#ifndef FAKE_NOW
# define FAKE_NOW (INT64_C(1763985871) * NS_PER_S) /* 2025-11-24T12:04:31Z */
#endif

struct hub {
    struct config *config;
    struct registry registry;
    struct hub_endpoint endpoints[4];
    struct hub_probe probes[8];
    struct hub_attention attention[16];
    size_t attention_count;
    struct hub_tail tail;
    bool tail_open;
    struct store *store;
    char notice[240];
    uint64_t notice_serial;
    struct err_info refuse; /* what the next opening fails with */
    struct hub_read asked;  /* how the last opening was to read */
    uint32_t kept;          /* the tail that a failed opening gives back */
    unsigned refreshed, started;
    struct decode_pool *decode_pool; /* a real one */
    sem_t decoded;                   /* posted for each job that it has done */
};

/* Who asks them something finds nobody there. */
static enum err fake_connect(struct broker *b, struct err_info *err)
{
    (void)b;
    return err_set(err, ERR_UNREACHABLE, "nobody is there");
}

static void fake_disconnect(struct broker *b)
{
    (void)b;
}

static const struct broker_ops fake_kafka = {.name = "kafka",
                                             .title = "Kafka",
                                             .max_channels = 16,
                                             .state_size = 1,
                                             .open = fake_connect,
                                             .close = fake_disconnect};
static const struct broker_ops fake_rabbit = {.name = "rabbitmq",
                                              .title = "RabbitMQ",
                                              .max_channels = 1,
                                              .state_size = 1,
                                              .open = fake_connect,
                                              .close = fake_disconnect};
static const struct broker_ops *const fake_brokers[] = {&fake_kafka, &fake_rabbit, NULL};

/* ---- building ---- */

static void fake_samples(struct availability *a, unsigned minutes, int64_t ms, unsigned failing,
                         const char *code, const char *reason)
{
    assert_int_equal(availability_init(a, 3, 2, 800 * NS_PER_MS, 20 * NS_PER_S, NULL), ERR_OK);
    for (unsigned i = 0; i < minutes * 12; i++) {
        struct sample s = {.health = HEALTH_UP,
                           .certificate_expires_ns = TIME_NONE,
                           .time_ns = FAKE_NOW - (int64_t)(minutes * 12 - i) * 5 * NS_PER_S + 2 * NS_PER_S};
        bool fails = i + failing >= minutes * 12;
        phases_init(&s.phases);
        s.phases.total = (ms + (int64_t)(i % 7) * ms / 8) * NS_PER_MS;
        snprintf(s.code, sizeof s.code, "%s", fails ? "REFUSED" : code);
        if (fails) {
            s.health = HEALTH_DOWN;
            s.error = ERR_UNREACHABLE;
            snprintf(s.reason, sizeof s.reason, "%s", reason);
        }
        availability_sample(a, &s);
    }
}

static struct channel *fake_channel(struct channel_list *l, const char *name, enum channel_kind kind,
                                    const char *detail, int64_t depth)
{
    struct channel *c = channel_list_add(l, name, kind);
    snprintf(c->detail, sizeof c->detail, "%s", detail);
    c->depth = depth;
    c->why_not[CAN_TAP] = c->why_not[CAN_BROWSE] = NULL;
    return c;
}

static struct channel_list *fake_topics(void)
{
    struct channel_list *l = channel_list_new();
    l->time_ns = FAKE_NOW - 4 * NS_PER_S;
    l->complete = true;
    snprintf(l->version, sizeof l->version, "Kafka 3.7");
    struct channel *c = fake_channel(l, "orders", CHANNEL_TOPIC, "topic, 12 partitions", 18402);
    c->depth_upper = true;
    c->in_rate = 812.4;
    c->lag = 4120;
    c = fake_channel(l, "payments", CHANNEL_TOPIC, "topic, 3 partitions", 991);
    c->depth_upper = true;
    c->in_rate = 0.6;
    c->lag = 0;
    channel_list_sort(l);
    return l;
}

static struct channel_list *fake_queues(void)
{
    struct channel_list *l = channel_list_new();
    l->time_ns = FAKE_NOW - 2 * NS_PER_S;
    l->complete = true;
    snprintf(l->version, sizeof l->version, "RabbitMQ 3.10.8");
    struct channel *c = fake_channel(l, "invoices", CHANNEL_QUEUE, "quorum queue", 92);
    c->consumers = 4;
    c->in_rate = 31;
    c->out_rate = 31;
    c->browse_effect = EFFECT_MARKS;
    c = fake_channel(l, "orders.dlq", CHANNEL_QUEUE, "classic queue", 1204);
    c->dead_letters = true;
    c->consumers = 0;
    c->browse_effect = EFFECT_MARKS;
    c = fake_channel(l, "events", CHANNEL_EXCHANGE, "topic exchange", COUNT_UNKNOWN);
    c->why_not[CAN_BROWSE] = "an exchange stores nothing; tail it to see what flows";
    channel_list_sort(l);
    return l;
}

static void fake_attention(struct hub *h, enum severity severity, const char *word, const char *name,
                           const char *where, int64_t age_s, const char *text)
{
    struct hub_attention *a = &h->attention[h->attention_count++];
    *a = (struct hub_attention){.severity = severity,
                                .word = word,
                                .name = name,
                                .where = where,
                                .next = "",
                                .since_ns = FAKE_NOW - age_s * NS_PER_S};
    snprintf(a->text, sizeof a->text, "%s", text);
}

static void fake_probes(struct hub *h)
{
    static const struct {
        const char *name, *kind, *url, *code;
        int64_t ms;
        unsigned minutes, failing;
    } rows[] = {
        {"payments-api", "rest", "http://payments:8080/health", "200", 21, 40, 33},
        {"search-api", "rest", "http://search:8080/health", "200", 820, 40, 0},
        {"orders-api", "rest", "http://orders:8080/health", "200", 9, 40, 0},
        {"bastion", "tcp", "tcp://10.0.0.7:22", "OPEN", 2, 3, 0},
        {"новый-сервис", "rest", "http://new:8080/", "", 1, 0, 0},
    };
    size_t count = sizeof rows / sizeof *rows;
    struct probe_target *targets = arena_zalloc(h->config->arena, count * sizeof *targets);
    h->config->probes = targets;
    h->config->probe_count = count;
    for (size_t i = 0; i < count; i++) {
        targets[i] = (struct probe_target){.name = rows[i].name,
                                           .kind = rows[i].kind,
                                           .endpoint.text = rows[i].url,
                                           .endpoint.name = rows[i].name,
                                           .every_ns = 5 * NS_PER_S};
        h->probes[i].target = &targets[i];
        fake_samples(&h->probes[i].health, rows[i].minutes, rows[i].ms, rows[i].failing, rows[i].code,
                     "connection refused");
    }
}

static void fake_endpoints(struct hub *h)
{
    static const struct {
        const char *name, *url;
        const struct broker_ops *broker;
    } rows[] = {{"kafka-a", "kafka://kafka-1:9092", &fake_kafka},
                {"rabbit-1", "rabbitmq://rabbit-1:5672", &fake_rabbit},
                {"rabbit-2", "rabbitmq://10.9.9.9:5672", &fake_rabbit}};
    h->config->endpoint_count = h->config->endpoint_cap = sizeof rows / sizeof *rows;
    h->config->endpoints =
        arena_zalloc(h->config->arena, sizeof *h->config->endpoints * h->config->endpoint_count);
    for (size_t i = 0; i < h->config->endpoint_count; i++) {
        struct hub_endpoint *e = &h->endpoints[i];
        h->config->endpoints[i] = (struct config_endpoint){
            .endpoint = {.name = rows[i].name, .text = rows[i].url}, .broker = rows[i].broker};
        *e = (struct hub_endpoint){.config = &h->config->endpoints[i],
                                   .status = {.state = SESSION_UP, .generation = 1},
                                   .totals = {COUNT_UNKNOWN, COUNT_UNKNOWN, COUNT_UNKNOWN, -1, -1}};
        fake_samples(&e->health, 30, 3, i == 2 ? 360 : 0, "OK", "10.9.9.9:5672: connection refused");
    }
    h->endpoints[0].channels = fake_topics();
    h->endpoints[0].totals = channel_list_totals(h->endpoints[0].channels);
    h->endpoints[1].channels = fake_queues();
    h->endpoints[1].totals = channel_list_totals(h->endpoints[1].channels);
    h->endpoints[2].status.state = SESSION_BACKOFF;
    err_set(&h->endpoints[2].status.err, ERR_UNREACHABLE, "connection refused");
    err_where(&h->endpoints[2].status.err, "10.9.9.9:5672");
    err_next(&h->endpoints[2].status.err, "is the broker running, and the port right?");
}

static struct hub *fake_hub_new(struct config *config, struct arena *arena, decoder_registry decoders)
{
    struct hub *h = calloc(1, sizeof *h);
    arena_init(arena, 4 * MIB);
    *config = (struct config){.arena = arena};
    h->config = config;
    h->registry = (struct registry){.brokers = fake_brokers, .decoders = decoders};
    h->store = store_new(1 * MIB);
    return h;
}

static void fake_hub_fill(struct hub *h)
{
    fake_probes(h);
    fake_endpoints(h);
    fake_attention(h, SEVERITY_CRIT, "DOWN", "payments-api", "http://payments:8080/health", 161,
                   "connection refused, 33 of 33 probes");
    fake_attention(h, SEVERITY_CRIT, "DOWN", "rabbit-2", "rabbitmq://10.9.9.9:5672", 1795,
                   "connection refused");
    h->attention[h->attention_count - 1].since_before = true;
    fake_attention(h, SEVERITY_WARN, "DLQ", "orders.dlq", "rabbit-1", 840,
                   "1,204 dead letters, nobody reading them");
    h->attention[h->attention_count - 1].next = "t tails, b browses";
    fake_attention(h, SEVERITY_WARN, "SLOW", "search-api", "http://search:8080/health", 362,
                   "p95 1,435 ms, threshold 800 ms");
}

/* A message as the tail would have it; the n-th comes n * 9 ms later. */
static void fake_message(struct hub *h, unsigned n, const char *channel, const char *key,
                         struct bytes payload, uint32_t flags)
{
    struct header headers[] = {
        {.name = BYTES_LITERAL("x-tenant"), .value = {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("acme")}},
        {.name = BYTES_LITERAL("traceparent"),
         .value = {.type = VALUE_BYTES,
                   .bytes = BYTES_LITERAL("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}}};
    struct header properties[] = {
        {.name = BYTES_LITERAL("partition"), .value = {.type = VALUE_INT32, .i = 3}},
        {.name = BYTES_LITERAL("timestamp_type"),
         .value = {.type = VALUE_STRING, .bytes = BYTES_LITERAL("create")}}};
    struct message m = {.origin = origin_intern("kafka-a", channel, CHANNEL_TOPIC),
                        .position = {.kind = POSITION_PARTITION, .partition = 3, .offset = 10482 + n},
                        .time_ns = FAKE_NOW - NS_PER_S + (int64_t)n * 9 * NS_PER_MS,
                        .received_ns = FAKE_NOW,
                        .flags = flags,
                        .key = bytes_of_text(key),
                        .payload = payload,
                        .headers = {headers, 2},
                        .properties = {properties, 2}};
    store_add(h->store, message_seal(&m, NULL));
    h->tail.received++;
    h->tail.per_second[59]++;
}

static void fake_gap(struct hub *h, unsigned n, const char *text)
{
    struct message m = {.origin = origin_intern("signalbox", "kafka-a", CHANNEL_ANY),
                        .time_ns = FAKE_NOW - NS_PER_S + (int64_t)n * 9 * NS_PER_MS,
                        .payload = bytes_of_text(text)};
    store_add(h->store, message_seal(&m, NULL));
    h->tail.gap_count++;
}

static void fake_open(struct hub *h, const struct address *addresses, size_t count)
{
    free(h->tail.channels);
    store_free(&h->store);
    h->store = store_new(1 * MIB);
    h->tail = (struct hub_tail){.serial = h->tail.serial + 1, .channel_count = count};
    h->tail.channels = calloc(count, sizeof *h->tail.channels);
    for (size_t i = 0; i < count; i++) {
        h->tail.channels[i].address = addresses[i];
        h->tail.channels[i].status.state = SESSION_UP;
    }
    h->tail_open = true;
}

/* ---- the accessors ---- */

struct hub *hub_new(struct config *config, const struct registry *registry, struct err_info *err)
{
    (void)config;
    (void)registry;
    err_set(err, ERR_UNSUPPORTED, "the fake hub is made by the test");
    return NULL;
}

void hub_start(struct hub *h)
{
    h->started++;
}

void hub_stop(struct hub **hp)
{
    struct hub *h = *hp;
    *hp = NULL;
    if (!h)
        return;
    decode_pool_free(&h->decode_pool);
    for (size_t i = 0; i < sizeof h->endpoints / sizeof *h->endpoints; i++) {
        availability_free(&h->endpoints[i].health);
        channel_list_free(&h->endpoints[i].channels);
    }
    for (size_t i = 0; i < sizeof h->probes / sizeof *h->probes; i++)
        availability_free(&h->probes[i].health);
    free(h->tail.channels);
    store_free(&h->store);
    arena_free(h->config->arena);
    free(h);
}

enum err hub_address(struct hub *h, const char *text, struct address *address, struct err_info *err)
{
    return config_address(h->config, text, h->registry.brokers, address, err);
}

int hub_fd(const struct hub *h)
{
    (void)h;
    return -1;
}

uint32_t hub_pump(struct hub *h, int64_t budget_ns, bool *more)
{
    (void)h;
    (void)budget_ns;
    *more = false;
    return 0;
}

int64_t hub_wakeup_ns(const struct hub *h)
{
    (void)h;
    return INT64_MAX;
}

void hub_refresh(struct hub *h)
{
    h->refreshed++;
}

size_t hub_endpoint_count(const struct hub *h)
{
    return h->config->endpoint_count;
}

const struct hub_endpoint *hub_endpoint(const struct hub *h, size_t i)
{
    return &h->endpoints[i];
}

size_t hub_probe_count(const struct hub *h)
{
    return h->config->probe_count;
}

const struct hub_probe *hub_probe(const struct hub *h, size_t i)
{
    return &h->probes[i];
}

size_t hub_attention(const struct hub *h, const struct hub_attention **rows)
{
    *rows = h->attention;
    return h->attention_count;
}

enum err hub_tail_open(struct hub *h, const struct address *addresses, size_t count,
                       const struct hub_read *how, struct err_info *err)
{
    h->asked = *how;
    if (h->refuse.code) {
        *err = h->refuse;
        return err->code;
    }
    fake_open(h, addresses, count);
    h->tail.how = *how;
    return ERR_OK;
}

bool hub_tail_holds(const struct hub *h, uint32_t serial)
{
    return h->kept == serial;
}

const struct hub_tail *hub_tail_beneath(const struct hub *h)
{
    return h->kept && h->tail.how.mode == READ_BROWSE ? &h->tail : NULL; /* another one of that name */
}

bool hub_tail_back(struct hub *h)
{
    bool back = h->kept && h->tail.how.mode == READ_BROWSE;
    if (!back)
        return false;
    h->tail.serial = h->kept;
    h->tail.how.mode = READ_TAP;
    h->kept = 0;
    return true;
}

bool hub_tail_retry(struct hub *h)
{
    return h->tail.channels[0].status.state != SESSION_ENDED;
}

void hub_tail_close(struct hub *h)
{
    h->tail_open = false;
}

const struct hub_tail *hub_tail(const struct hub *h)
{
    return h->tail_open ? &h->tail : NULL;
}

const struct store *hub_store(const struct hub *h)
{
    return h->store;
}

void hub_hold(struct hub *h, const struct message *m)
{
    store_hold(h->store, m);
}

const char *hub_notice(const struct hub *h, uint64_t *serial, enum severity *severity)
{
    *serial = h->notice_serial;
    *severity = SEVERITY_WARN;
    return h->notice_serial ? h->notice : NULL;
}

static void fake_decoded(void *context)
{
    struct hub *h = context;
    sem_post(&h->decoded);
}

struct decode_job *hub_decode(struct hub *h, struct message *m, const char *wanted)
{
    if (!h->decode_pool && sem_init(&h->decoded, 0, 0) == 0)
        h->decode_pool = decode_pool_new(h->registry.decoders, fake_decoded, h);
    return decode_pool_start(h->decode_pool, m, wanted);
}

const struct registry *hub_registry(const struct hub *h)
{
    return &h->registry;
}

struct config *hub_config(const struct hub *h)
{
    return h->config;
}

#endif
