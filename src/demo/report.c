/* The demo without a terminal: the same hub as the console's, watched for a moment and written down. */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "demo/demo.h"
#include "engine/decode.h"
#include "engine/hub.h"

#include <stdio.h>
#include <sys/poll.h>
#include <unistd.h>

#define WATCH_FOR_NS   (4 * NS_PER_S)
#define SHOWN_MESSAGES 8

static void pump_until(struct hub *h, int64_t end_ns)
{
    bool more = false;
    while (clock_mono_ns() < end_ns) {
        struct pollfd p = {.fd = hub_fd(h), .events = POLLIN};
        if (!more)
            poll(&p, 1, clock_poll_ms(end_ns));
        hub_pump(h, 50 * NS_PER_MS, &more);
    }
}

static void put_probes(struct buffer *out, const struct hub *h)
{
    char ms[32];
    buffer_text(out, "\nProbes\n");
    for (size_t i = 0; i < hub_probe_count(h); i++) {
        const struct hub_probe *p = hub_probe(h, i);
        const struct availability *a = &p->health;
        buffer_printf(out, "  %-10s %-14s %-5s p95 %6s ms  %s\n", health_name(a->state), p->target->name,
                      a->last.code, text_ms(ms, sizeof ms, availability_percentile(a, 95)), a->last.reason);
    }
}

static void put_channel(struct buffer *out, const struct channel *c)
{
    char depth[32] = "-";
    if (c->depth >= 0)
        text_count(depth, sizeof depth, (uint64_t)c->depth);
    buffer_printf(out, "      %-16s %-24s depth %s%-8s in %5.1f/s  read effect %s%s\n", c->name, c->detail,
                  c->depth_upper ? "at most " : "", depth, c->in_rate < 0 ? 0.0 : c->in_rate,
                  read_effect_name(c->browse_effect), c->dead_letters ? "  dead letters" : "");
}

static void put_brokers(struct buffer *out, const struct hub *h)
{
    buffer_text(out, "\nBrokers\n");
    for (size_t i = 0; i < hub_endpoint_count(h); i++) {
        const struct hub_endpoint *e = hub_endpoint(h, i);
        buffer_printf(out, "  %-10s %-14s %s\n", health_name(e->health.state), e->config->endpoint.name,
                      e->config->broker->title);
        for (size_t c = 0; e->channels && c < e->channels->count; c++)
            put_channel(out, &e->channels->items[c]);
    }
}

static void put_tail(struct buffer *out, const struct hub *h)
{
    const struct store *s = hub_store(h);
    uint64_t newest = store_newest(s);
    buffer_printf(out, "\nTail: the newest of %llu messages\n", (unsigned long long)store_count(s));
    for (uint64_t id = newest > SHOWN_MESSAGES ? newest - SHOWN_MESSAGES + 1 : 1; id <= newest; id++) {
        const struct message *m = store_get(s, id);
        char time[32], position[40];
        if (!m)
            continue;
        buffer_printf(out, "  %s %-12s %-8s ", clock_hms(m->time_ns, time, sizeof time, 3),
                      m->origin->channel, position_text(m->position, position, sizeof position));
        decode_summary(hub_registry(h)->decoders, m, 72, out);
        buffer_byte(out, '\n');
    }
}

static enum err write_all(int fd, struct bytes text)
{
    while (text.len) {
        ssize_t n = write(fd, text.data, text.len);
        if (n <= 0)
            return ERR_IO;
        text = bytes_slice(text, (size_t)n, text.len);
    }
    return ERR_OK;
}

static enum err open_tail(struct hub *h, struct config *config, struct err_info *err)
{
    struct address addresses[5];
    static const struct channel_name names[] = {{CHANNEL_TOPIC, "orders"}, {CHANNEL_TOPIC, "payments"}};
    static const struct channel_name queues[] = {{CHANNEL_QUEUE, "invoices"},
                                                 {CHANNEL_QUEUE, "invoices.dlq"}};
    size_t n = 0;
    for (size_t i = 0; i < config->endpoint_count; i++) {
        struct config_endpoint *e = &config->endpoints[i];
        const struct channel_name *of = strcmp(e->broker->name, "kafka") == 0 ? names : queues;
        for (int c = 0; c < 2; c++)
            addresses[n++] = (struct address){e, of[c]};
    }
    struct hub_read how = {.mode = READ_TAP, .partition = -1, .limit = -1};
    return hub_tail_open(h, addresses, n, &how, err);
}

enum err demo_report(struct config *config, const struct registry *registry, int fd, struct err_info *err)
{
    struct hub *h = hub_new(config, registry, err);
    if (!h)
        return err->code;
    hub_start(h);
    if (open_tail(h, config, err)) {
        hub_stop(&h);
        return err->code;
    }
    pump_until(h, clock_mono_ns() + WATCH_FOR_NS);
    hub_refresh(h);
    pump_until(h, clock_mono_ns() + NS_PER_S / 2);
    struct buffer out;
    buffer_init(&out, 1 << 20);
    buffer_text(
        &out,
        "signalbox demo: a shop in one process (Kafka: librdkafka's mock cluster; queues: the memory broker)\n");
    put_probes(&out, h);
    put_brokers(&out, h);
    put_tail(&out, h);
    buffer_text(&out, "\nOn a terminal the same command opens the console.\n");
    enum err e = buffer_ok(&out) ? write_all(fd, buffer_view(&out)) : ERR_NOMEM;
    buffer_free(&out);
    hub_stop(&h);
    return e ? err_set(err, e, "the report could not be written") : ERR_OK;
}
