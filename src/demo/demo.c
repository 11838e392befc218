#include "demo/demo.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "brokers/kafka/kafka_mock.h"
#include "brokers/memory/memory_server.h"
#include "demo/services.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_NS      (100 * NS_PER_MS)
#define POISON_EVERY 37
#define REJECT_EVERY 23
#define TWICE_EVERY  11
#define TWICE_PLACED 7
#define PARCELS_MOST 60
#define DEMO_PROBES  3

struct demo {
    struct config *config;
    struct kafka_mock *kafka;
    struct services *services;
    const struct broker_ops *kafka_ops;
    const struct endpoint *kafka_endpoint;
    char state[512]; /* journal and archives; "": there is none */
    int stop_fd;
    pthread_t thread;
    bool running;

    /* traffic thread */
    uint32_t seed;
    uint64_t orders;
};

/* ---- services ---- */

static struct service_answer orders_api(double seconds, uint64_t requests)
{
    (void)seconds;
    return (struct service_answer){200, (int64_t)(requests % 5 + 2) * NS_PER_MS, "{\"status\":\"UP\"}"};
}

/* Down from the 12th second of each minute to the 27th. */
static struct service_answer payments_api(double seconds, uint64_t requests)
{
    double minute = seconds - 60.0 * (double)(int)(seconds / 60.0);
    bool down = minute >= 12 && minute < 27;
    return (struct service_answer){down ? 503 : 200, (int64_t)(requests % 7 + 4) * NS_PER_MS,
                                   down ? "{\"status\":\"DOWN\",\"db\":\"connection refused\"}"
                                        : "{\"status\":\"UP\"}"};
}

static struct service_answer search_api(double seconds, uint64_t requests)
{
    bool slow = (int)(seconds / 20.0) % 2 == 1;
    return (struct service_answer){200, (slow ? 420 : 24) * NS_PER_MS + (int64_t)(requests % 9) * NS_PER_MS,
                                   "{\"status\":\"UP\",\"shards\":12}"};
}

static const struct service demo_services[DEMO_PROBES] = {
    {"orders-api", orders_api},
    {"payments-api", payments_api},
    {"search-api", search_api},
};

/* ---- traffic ---- */

static uint32_t chance(struct demo *d, uint32_t below)
{
    d->seed = d->seed * 1664525u + 1013904223u;
    return (d->seed >> 8) % below;
}

static void ignore_outcome(void *context, const struct publish_outcome *outcome)
{
    (void)context;
    if (outcome->outcome != OUTCOME_CONFIRMED)
        log_write(LOG_DEBUG, "demo", "a message was not confirmed: %s", outcome->err.text);
}

struct lane { /* one Kafka destination of the traffic */
    struct broker broker;
    atomic_bool cancelled;
    bool open;
};

static void lane_close(struct demo *d, struct lane *l)
{
    if (l->open)
        d->kafka_ops->publish_close(&l->broker);
    if (l->broker.state)
        d->kafka_ops->close(&l->broker);
    free(l->broker.state);
    l->broker.state = NULL;
    l->open = false;
}

static void lane_open(struct demo *d, struct lane *l, const char *topic)
{
    struct err_info err = {.code = ERR_OK};
    const struct publish_sink sink = {.outcome = ignore_outcome};
    const struct publish_request request = {.to = {CHANNEL_TOPIC, topic}};
    atomic_init(&l->cancelled, false);
    l->broker = (struct broker){.ops = d->kafka_ops,
                                .endpoint = d->kafka_endpoint,
                                .cancelled = &l->cancelled,
                                .wake_fd = d->stop_fd,
                                .deadline_ns = clock_mono_ns() + 5 * NS_PER_S};
    l->broker.state = calloc(1, d->kafka_ops->state_size);
    l->open = l->broker.state && !d->kafka_ops->open(&l->broker, &err) &&
              !d->kafka_ops->publish_open(&l->broker, &request, &sink, &err);
    if (!l->open)
        log_write(LOG_WARN, "demo", "no traffic to %s: %s", topic, err.text);
}

static void log_unsent(const struct err_info *err)
{
    log_write(LOG_DEBUG, "demo", "a message was not sent: %s", err->text);
}

static void lane_send(struct demo *d, struct lane *l, const char *key, struct headers headers,
                      const char *json)
{
    struct err_info err = {.code = ERR_OK};
    size_t pending = 0;
    if (!l->open)
        return;
    struct message m = {.time_ns = clock_wall_ns(),
                        .key = bytes_of_text(key),
                        .payload = bytes_of_text(json),
                        .headers = headers};
    if (d->kafka_ops->publish(&l->broker, 0, &m, 0, &err) ||
        d->kafka_ops->publish_step(&l->broker, 0, &pending, &err))
        log_unsent(&err);
}

static struct header text_header(const char *name, const char *value)
{
    return (struct header){bytes_of_text(name), {.type = VALUE_BYTES, .bytes = bytes_of_text(value)}};
}

static void send_order(struct demo *d, struct lane *orders, struct lane *dead)
{
    static const char *const states[] = {"NEW", "PAID", "PICKED", "SENT"};
    char key[32], json[512];
    uint64_t id = 88400 + d->orders++;
    uint32_t cents = 990 + chance(d, 40000);
    snprintf(key, sizeof key, "o-%" PRIu64, id);
    snprintf(json, sizeof json,
             "{\"id\":%" PRIu64
             ",\"customer\":{\"id\":%u,\"name\":\"Zoë Nguyễn\"},\"lines\":[{\"sku\":\"A-%u\",\"qty\":%u}],"
             "\"total\":%u.%02u,\"status\":\"%s\",\"trace\":%" PRIu64 "}",
             id, 1000 + chance(d, 900), 10 + chance(d, 90), 1 + chance(d, 4), cents / 100, cents % 100,
             states[chance(d, 4)], UINT64_C(9007199254740993) + id);
    struct header headers[] = {
        text_header("x-tenant", chance(d, 3) ? "acme" : "globex"),
        text_header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")};
    if (d->orders % POISON_EVERY != 0) {
        lane_send(d, orders, key, (struct headers){headers, 2}, json);
        return;
    }
    json[strlen(json) / 2] = '\0'; /* what a producer that ran out of memory once sent */
    struct header why[] = {headers[0], text_header("kafka_dlt-original-topic", "orders"),
                           text_header("kafka_dlt-exception-message", "unexpected end of JSON input")};
    lane_send(d, dead, key, (struct headers){why, 3}, json);
}

static void send_payment(struct demo *d, struct lane *payments)
{
    char key[32], json[256];
    snprintf(key, sizeof key, "p-%u", 1000 + chance(d, 9000));
    snprintf(json, sizeof json,
             "{\"paymentId\":\"%s\",\"orderId\":%" PRIu64 ",\"state\":\"%s\",\"amount\":%u.%02u}", key,
             88400 + d->orders, chance(d, 12) ? "AUTHORISED" : "DECLINED", 10 + chance(d, 400),
             chance(d, 100));
    lane_send(d, payments, key, (struct headers){NULL, 0}, json);
    if (d->orders % TWICE_EVERY == 0) /* a producer that tries again, and is not idempotent */
        lane_send(d, payments, key, (struct headers){NULL, 0}, json);
}

static void memory_send(const char *queue, const char *id, const char *json)
{
    struct header properties[] = {
        {BYTES_LITERAL("content_type"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("application/json")}}};
    struct message m = {.time_ns = clock_wall_ns(),
                        .id = bytes_of_text(id),
                        .payload = bytes_of_text(json),
                        .properties = {properties, 1}};
    struct err_info err;
    if (memory_publish(queue, &m, NULL, &err))
        log_unsent(&err);
}

static void send_invoice(struct demo *d, uint64_t tick)
{
    char id[32], json[200];
    snprintf(id, sizeof id, "inv-%" PRIu64, tick);
    bool poison = tick % REJECT_EVERY == 0;
    snprintf(json, sizeof json, "{\"invoice\":\"%s\",\"net\":%u.%02u%s}", id, 5 + chance(d, 900),
             chance(d, 100), poison ? "" : ",\"total\":1.19");
    memory_send("invoices", id, json);
    if (poison)
        memory_reject("invoices", "rejected: field total missing");
    else
        memory_consume("invoices");
}

/* The mailer sleeps for half a minute, then catches up: a queue that grows and shrinks. */
static void send_mail(struct demo *d, uint64_t tick)
{
    char id[32], json[160];
    snprintf(id, sizeof id, "mail-%" PRIu64, tick);
    snprintf(json, sizeof json, "{\"to\":\"customer%u@example.org\",\"template\":\"order-sent\"}",
             chance(d, 999));
    memory_send("emails", id, json);
    for (int i = 0; i < 3 && (tick / 300) % 2 == 1; i++)
        memory_consume("emails");
}

/* A carrier that calls again when it was answered late: by id some parcels are there twice, now and then with another body. */
static void send_parcel(struct demo *d, uint64_t tick)
{
    char id[32], json[160];
    int64_t ready = 0, unacked = 0;
    uint64_t number = tick / 10;
    snprintf(id, sizeof id, "parcel-%" PRIu64, number);
    for (int i = 0; i < (number % 4 == 1 ? 2 : 1); i++) {
        bool other = i && number % TWICE_PLACED == 0;
        snprintf(json, sizeof json, "{\"parcel\":%" PRIu64 ",\"state\":\"%s\",\"order\":%" PRIu64 "}", number,
                 other ? "RETURNED" : "SENT", 88400 + d->orders);
        memory_send("parcels", id, json);
    }
    while (memory_count("parcels", &ready, &unacked) && ready > PARCELS_MOST && memory_consume("parcels"))
        ;
}

static bool pause_until(struct demo *d, int64_t at_ns)
{
    struct pollfd p = {.fd = d->stop_fd, .events = POLLIN};
    return poll(&p, 1, clock_poll_ms(at_ns)) == 0;
}

static void *traffic(void *context)
{
    struct demo *d = context;
    struct lane orders = {0}, payments = {0}, dead = {0};
    lane_open(d, &orders, "orders");
    lane_open(d, &payments, "payments");
    lane_open(d, &dead, "orders.dlt");
    int64_t next = clock_mono_ns();
    for (uint64_t tick = 1; pause_until(d, next); tick++) {
        next += TICK_NS;
        for (uint32_t i = 0; i < 2 + chance(d, 3); i++)
            send_order(d, &orders, &dead);
        send_payment(d, &payments);
        send_invoice(d, tick);
        send_mail(d, tick);
        if (tick % 10 == 0)
            send_parcel(d, tick);
        if (tick % 10 == 0)
            memory_send("audit", "", "{\"event\":\"heartbeat\",\"host\":\"shop-1\"}");
    }
    lane_close(d, &orders);
    lane_close(d, &payments);
    lane_close(d, &dead);
    return NULL;
}

/* ---- a state directory of its own: nothing of what is tried here stands in the journal of what is real ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path) && errno != ENOENT;
}

static enum err make_state(struct demo *d, struct err_info *err)
{
    const char *run = getenv("XDG_RUNTIME_DIR"), *tmp = getenv("TMPDIR");
    const char *folder = run && *run == '/' ? run : tmp && *tmp == '/' ? tmp : "/tmp";
    int n = snprintf(d->state, sizeof d->state, "%s/signalbox-demo-XXXXXX", folder);
    if (n > 0 && (size_t)n < sizeof d->state && mkdtemp(d->state) && !setenv("XDG_STATE_HOME", d->state, 1))
        return ERR_OK;
    d->state[0] = '\0';
    err_set(err, ERR_IO, "no folder for the demo's journal and archives in %.200s: %s", folder,
            strerror(errno));
    err_next(err, "let TMPDIR name a directory that can be written to");
    return ERR_IO;
}

static void remove_state(struct demo *d)
{
    if (d->state[0] && nftw(d->state, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
        log_write(LOG_WARN, "demo", "%s is left behind", d->state);
}

/* ---- putting it together ---- */

static enum err declare_channels(struct demo *d, struct err_info *err)
{
    static const struct {
        const char *name;
        int partitions;
    } topics[] = {{"orders", 3}, {"payments", 2}, {"orders.dlt", 1}};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        enum err e = kafka_mock_topic(d->kafka, topics[i].name, topics[i].partitions, err);
        if (e)
            return e;
    }
    enum err e = memory_declare("invoices.dlq", CHANNEL_QUEUE, NULL, err);
    if (!e)
        e = memory_declare("invoices", CHANNEL_QUEUE, "invoices.dlq", err);
    if (!e)
        e = memory_declare("emails", CHANNEL_QUEUE, NULL, err);
    if (!e)
        e = memory_declare("parcels", CHANNEL_QUEUE, NULL, err);
    if (!e)
        e = memory_declare("audit", CHANNEL_TOPIC, NULL, err);
    return e;
}

static const struct option mock_options[] = {{"signalbox.mock", "yes"}};

static enum err add_endpoints(struct demo *d, const struct registry *registry, struct err_info *err)
{
    char url[128];
    snprintf(url, sizeof url, "kafka://%s", kafka_mock_bootstrap(d->kafka));
    struct config_endpoint *kafka = config_add_url(d->config, url, registry->brokers, err);
    if (!kafka)
        return err->code;
    kafka->endpoint.name = "demo-kafka";
    kafka->endpoint.options = mock_options;
    kafka->endpoint.option_count = 1;
    kafka->endpoint.write = true;
    struct config_endpoint *memory = config_add_url(d->config, "memory:", registry->brokers, err);
    if (!memory)
        return err->code;
    memory->endpoint.name = "demo-queues";
    memory->endpoint.write = true;
    /* Adding may have moved the array. */
    for (size_t i = 0; i < d->config->endpoint_count; i++) {
        struct config_endpoint *e = &d->config->endpoints[i];
        if (strcmp(e->broker->name, "kafka") == 0) {
            d->kafka_ops = e->broker;
            d->kafka_endpoint = &e->endpoint;
        }
    }
    return ERR_OK;
}

static enum err add_probes(struct demo *d, struct err_info *err)
{
    static const struct assertion up[] = {{ASSERT_STATUS, NULL, "200"}, {ASSERT_JSON, "/status", "UP"}};
    struct arena *arena = d->config->arena;
    struct probe_target *targets = arena_zalloc(arena, DEMO_PROBES * sizeof *targets);
    if (!targets)
        return err_set(err, ERR_NOMEM, "no memory for the demo");
    for (size_t i = 0; i < DEMO_PROBES; i++) {
        char url[96];
        struct probe_target *t = &targets[i];
        snprintf(url, sizeof url, "http://127.0.0.1:%d/health", services_port(d->services, i));
        *t = (struct probe_target){.name = demo_services[i].name,
                                   .kind = "rest",
                                   .every_ns = 2 * NS_PER_S,
                                   .timeout_ns = NS_PER_S,
                                   .slow_ns = 250 * NS_PER_MS,
                                   .down_after = 3,
                                   .up_after = 2,
                                   .expect = up,
                                   .expect_count = 2};
        t->endpoint.name = t->name;
        t->endpoint.text = arena_strdup(arena, url);
        enum err e = url_parse(&t->endpoint.url, t->endpoint.text ? t->endpoint.text : "", arena, err);
        if (e)
            return e;
    }
    d->config->probes = targets;
    d->config->probe_count = DEMO_PROBES;
    return ERR_OK;
}

static bool start_traffic(struct demo *d, struct err_info *err)
{
    d->running = thread_start(&d->thread, traffic, d);
    if (!d->running)
        err_set(err, ERR_FAILED, "no thread for the demo");
    return d->running;
}

/* librdkafka's mock lets its thread have the signals of the one that made it, and ends at the first that interrupts its
 * wait: fg after ^Z would leave the demo without its Kafka. */
static struct kafka_mock *start_mock(struct err_info *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct kafka_mock *mock = kafka_mock_start(err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return mock;
}

struct demo *demo_start(struct config *config, const struct registry *registry, struct err_info *err)
{
    struct demo *d = calloc(1, sizeof *d);
    if (!d) {
        err_set(err, ERR_NOMEM, "no memory for the demo");
        return NULL;
    }
    d->config = config;
    d->seed = 20260211;
    d->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    d->kafka = make_state(d, err) ? NULL : start_mock(err);
    d->services = d->kafka ? services_start(demo_services, DEMO_PROBES, err) : NULL;
    bool ok = d->services && !declare_channels(d, err) && !add_endpoints(d, registry, err) &&
              !add_probes(d, err) && start_traffic(d, err);
    if (!ok)
        demo_stop(&d);
    return d;
}

void demo_stop(struct demo **dp)
{
    struct demo *d = *dp;
    *dp = NULL;
    if (!d)
        return;
    (void)!write(d->stop_fd, &(uint64_t){1}, sizeof(uint64_t));
    if (d->running)
        pthread_join(d->thread, NULL);
    services_stop(&d->services);
    kafka_mock_stop(&d->kafka);
    remove_state(d);
    close(d->stop_fd);
    free(d);
}
