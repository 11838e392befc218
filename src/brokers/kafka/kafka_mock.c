#include "brokers/kafka/kafka_mock.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

struct kafka_mock {
    rd_kafka_t *handle; /* the cluster lives on a handle's timers */
    rd_kafka_mock_cluster_t *cluster;
};

static void ignore_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

struct kafka_mock *kafka_mock_start(struct err_info *err)
{
    char text[256] = "";
    struct kafka_mock *m = calloc(1, sizeof *m);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, ignore_log);
    if (m)
        m->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!m || !m->handle)
        rd_kafka_conf_destroy(conf);
    else
        m->cluster = rd_kafka_mock_cluster_new(m->handle, 1);
    if (m && m->cluster)
        return m;
    err_set(err, ERR_FAILED, "the mock Kafka did not start%s%s", text[0] ? ": " : "", text);
    kafka_mock_stop(&m);
    return NULL;
}

const char *kafka_mock_bootstrap(const struct kafka_mock *m)
{
    return rd_kafka_mock_cluster_bootstraps(m->cluster);
}

enum err kafka_mock_topic(struct kafka_mock *m, const char *name, int partitions, struct err_info *err)
{
    rd_kafka_resp_err_t e = rd_kafka_mock_topic_create(m->cluster, name, partitions, 1);
    return e ? err_set(err, ERR_FAILED, "mock topic %s: %s", name, rd_kafka_err2str(e)) : ERR_OK;
}

void kafka_mock_stop(struct kafka_mock **mp)
{
    struct kafka_mock *m = *mp;
    *mp = NULL;
    if (!m)
        return;
    if (m->cluster)
        rd_kafka_mock_cluster_destroy(m->cluster);
    if (m->handle)
        rd_kafka_destroy(m->handle);
    free(m);
}
