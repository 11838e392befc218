#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/log.h"
#include "net/http.h"

#include <stdio.h>

static enum err rabbit_open(struct broker *b, struct err_info *err)
{
    enum err e = rabbit_connect(b, err);
    if (!e && b->notice) /* who cannot say it leaves it to the next one */
        rabbit_firehose_clean(b);
    return e;
}

static void rabbit_close(struct broker *b)
{
    struct rabbit *r = b->state;
    struct err_info err;
    int64_t returned;
    rabbit_publish_close(b);
    if (rabbit_lease_close(b, &returned, &err))
        log_write(LOG_WARN, b->endpoint->name, "%s", err.text);
    if (rabbit_read_close(b, &err)) /* what it could not undo: nobody else says it by now */
        log_write(LOG_WARN, b->endpoint->name, "%s", err.text);
    rabbit_disconnect(b);
    if (r->http)
        http_client_free(&r->http);
}

static enum err rabbit_rest(struct broker *b, int timeout_ms, struct err_info *err)
{
    rabbit_wait(b, timeout_ms);
    return rabbit_serve(b, err);
}

/* Channels of two vhosts are two. A cluster that has no name of its own is called by its first node. */
static enum err rabbit_cluster(struct broker *b, char *name, size_t size, struct err_info *err)
{
    char cluster[200] = "";
    struct rabbit *r = b->state;
    (void)err;
    rabbit_server_says(r, "cluster_name", cluster, sizeof cluster);
    snprintf(name, size, "%s,%s", *cluster ? cluster : b->endpoint->name, b->endpoint->vhost);
    return ERR_OK;
}

static const char *const rabbit_schemes[] = {"rabbitmq", "rabbitmqs", NULL};

const struct broker_ops rabbitmq_broker = {
    .name = "rabbitmq",
    .tells_redelivered = true,
    .unacked_is_late = true,
    .title = "RabbitMQ",
    .schemes = rabbit_schemes,
    .default_port = 5672,
    .state_size = sizeof(struct rabbit),
    .carries = CARRY_TYPES | CARRY_AMQP | CARRY_NESTED,
    .counters = rabbit_counters,
    .max_channels = RABBIT_MOST_CHANNELS,
    .path_is_channel = false,
    .open = rabbit_open,
    .close = rabbit_close,
    .interrupt = rabbit_interrupt,
    .list = rabbit_list,
    .ping = rabbit_ping,
    .cluster = rabbit_cluster,
    .rest = rabbit_rest,
    .read_open = rabbit_read_open,
    .read_step = rabbit_read_step,
    .read_pause = rabbit_read_pause,
    .read_progress = rabbit_read_progress,
    .read_places = rabbit_read_places,
    .read_close = rabbit_read_close,
    .lease_open = rabbit_lease_open,
    .lease_step = rabbit_lease_step,
    .lease_pause = rabbit_lease_pause,
    .settle = rabbit_settle,
    .settle_sync = rabbit_settle_sync,
    .lease_close = rabbit_lease_close,
    .count = rabbit_count,
    .bounds = rabbit_bounds,
    .truncate = rabbit_truncate,
    .publish_open = rabbit_publish_open,
    .publish = rabbit_publish,
    .publish_step = rabbit_publish_step,
    .publish_close = rabbit_publish_close,
};
