/* Topics as the cluster knows them: metadata, watermarks, the listing, the broker's health. */
#include "brokers/kafka/kafka_internal.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES_WHY  "librdkafka 2.0 cannot ask for sizes on disk"
#define NAMES_MOST 4096

#define SOON_NS        NS_PER_S
#define SETTLES_NS     (4 * NS_PER_S)
#define SETTLE_POLL_MS 100
#define CLUSTER_MS     100 /* a cancel is heard between two */

static enum err metadata_with(struct broker *b, rd_kafka_topic_t *topic, const char *name,
                              const struct rd_kafka_metadata **md, struct err_info *err)
{
    struct kafka_state *s = b->state;
    rd_kafka_resp_err_t e = rd_kafka_metadata(s->rk, topic == NULL, topic, md, kafka_left_ms(b));
    if (!e)
        return ERR_OK;
    char what[300];
    snprintf(what, sizeof what, "metadata%s%s", name ? " of " : "", name ? name : "");
    return kafka_fail(b, e, what, err);
}

enum err kafka_metadata(struct broker *b, const char *name, const struct rd_kafka_metadata **md,
                        struct err_info *err)
{
    struct kafka_state *s = b->state;
    *md = NULL;
    if (!name)
        return metadata_with(b, NULL, NULL, md, err);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(s->rk, name, NULL);
    if (!topic)
        return kafka_fail(b, rd_kafka_last_error(), name, err);
    enum err e = metadata_with(b, topic, name, md, err);
    rd_kafka_topic_destroy(topic);
    return e;
}

static enum err not_found(struct broker *b, const char *name, struct err_info *err)
{
    const struct rd_kafka_metadata *all = NULL;
    const char *near = NULL;
    if (!kafka_metadata(b, NULL, &all, NULL)) {
        size_t n = (size_t)all->topic_cnt < NAMES_MOST ? (size_t)all->topic_cnt : NAMES_MOST;
        const char **names = calloc(n + 1, sizeof *names);
        for (size_t i = 0; names && i < n; i++)
            names[i] = all->topics[i].topic;
        near = names ? text_nearest(name, names) : NULL;
        free(names);
    }
    err_set(err, ERR_NOTFOUND, "no topic %s", name);
    err_where(err, "%s", b->endpoint->name);
    if (near)
        err_next(err, "did you mean %s?", near);
    else
        err_next(err, "`signalbox ls %s` lists them", endpoint_address(b->endpoint));
    if (all)
        rd_kafka_metadata_destroy(all);
    return ERR_NOTFOUND;
}

/* The mock cluster makes a topic of every name that it is asked for; a list of all names makes none. */
static bool mock_lacks(struct broker *b, const char *name)
{
    const struct kafka_state *s = b->state;
    const struct rd_kafka_metadata *all = NULL;
    bool found = !s->mock || kafka_metadata(b, NULL, &all, NULL);
    for (int i = 0; !found && i < all->topic_cnt; i++)
        found = strcmp(all->topics[i].topic, name) == 0;
    if (all)
        rd_kafka_metadata_destroy(all);
    return !found;
}

enum err kafka_topic_metadata(struct broker *b, const char *name, const struct rd_kafka_metadata **md,
                              struct err_info *err)
{
    if (mock_lacks(b, name))
        return not_found(b, name, err);
    enum err e = kafka_metadata(b, name, md, err);
    if (e)
        return e;
    rd_kafka_resp_err_t te =
        (*md)->topic_cnt == 1 ? (*md)->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (!te && (*md)->topics[0].partition_cnt > 0)
        return ERR_OK;
    rd_kafka_metadata_destroy(*md);
    *md = NULL;
    if (!te || kafka_err(te) == ERR_NOTFOUND)
        return not_found(b, name, err);
    return kafka_fail(b, te, name, err);
}

static rd_kafka_resp_err_t ask_rows(struct broker *b, rd_kafka_t *rk, rd_kafka_topic_partition_list_t *rows,
                                    int64_t which)
{
    for (int i = 0; i < rows->cnt; i++) {
        rows->elems[i].offset = which;
        rows->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_resp_err_t e = rd_kafka_offsets_for_times(rk, rows, kafka_left_ms(b));
    /* So the library says that it asked nobody, since no row has a leader: the rows have their reasons. */
    return e == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ? RD_KAFKA_RESP_ERR_NO_ERROR : e;
}

enum err kafka_offsets(struct broker *b, rd_kafka_t *rk, rd_kafka_topic_partition_list_t *rows, int64_t which,
                       struct err_info *err)
{
    rd_kafka_resp_err_t e = rows->cnt ? ask_rows(b, rk, rows, which) : RD_KAFKA_RESP_ERR_NO_ERROR;
    return e ? kafka_fail(b, e, "offsets", err) : ERR_OK;
}

/* What a cluster answers while a new topic, or a new leader, is not known to all of its brokers yet. */
static bool is_settling(rd_kafka_resp_err_t e)
{
    return e == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || kafka_is_electing(e);
}

static const rd_kafka_topic_partition_t *failed_row(const rd_kafka_topic_partition_list_t *rows)
{
    for (int i = 0; i < rows->cnt; i++)
        if (rows->elems[i].err)
            return &rows->elems[i];
    return NULL;
}

static rd_kafka_resp_err_t failure(rd_kafka_resp_err_t of_all, const rd_kafka_topic_partition_list_t *rows)
{
    const rd_kafka_topic_partition_t *row = failed_row(rows);
    return !of_all && row ? row->err : of_all;
}

static rd_kafka_resp_err_t ask_until_settled(struct broker *b, rd_kafka_t *rk,
                                             rd_kafka_topic_partition_list_t *rows, int64_t which,
                                             int64_t patience_ns)
{
    int64_t until = clock_mono_ns() + patience_ns;
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;
    while (rows->cnt) {
        e = ask_rows(b, rk, rows, which);
        if (!is_settling(failure(e, rows)) || clock_mono_ns() >= until || atomic_load(b->cancelled))
            break;
        poll(NULL, 0, SETTLE_POLL_MS);
    }
    return e;
}

enum err kafka_offsets_soon(struct broker *b, rd_kafka_t *rk, rd_kafka_topic_partition_list_t *rows,
                            int64_t which, struct err_info *err)
{
    rd_kafka_resp_err_t e = ask_until_settled(b, rk, rows, which, SOON_NS);
    return e ? kafka_fail(b, e, "offsets", err) : ERR_OK;
}

enum err kafka_offsets_settled(struct broker *b, rd_kafka_t *rk, rd_kafka_topic_partition_list_t *rows,
                               int64_t which, struct err_info *err)
{
    rd_kafka_resp_err_t e = failure(ask_until_settled(b, rk, rows, which, SETTLES_NS), rows);
    return e ? kafka_fail(b, e, "offsets", err) : ERR_OK;
}

/* ---- the listing ---- */

static bool internal_name(const char *name)
{
    return text_starts(name, "__");
}

static bool looks_dead(const char *name)
{
    static const char *const endings[] = {"dlt",         "dlq",          "deadletter",
                                          "dead-letter", "dead-letters", "dead_letter"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (len > n && strchr(".-_", name[len - n - 1]) && text_equal_nocase(name + len - n, endings[i]))
            return true;
    }
    return false;
}

static void fill_capabilities(const struct kafka_state *s, struct channel *c)
{
    for (int i = 0; i < CAPABILITIES; i++)
        c->why_not[i] = NULL;
    c->why_not[CAN_REMOVE] = KAFKA_NO_REMOVE;
    if (kafka_topic_is_kafkas(c->name))
        c->why_not[CAN_PURGE] = c->why_not[CAN_PUBLISH] = "the topic is Kafka's own";
    if (s->mock) {
        c->why_not[CAN_GROUPS] = "the mock cluster keeps no groups";
        c->why_not[CAN_CREATE] = "the mock cluster answers no administration";
        c->why_not[CAN_PURGE] = "the mock cluster answers no administration";
    }
}

static void fill_channel(const struct kafka_state *s, struct channel *c,
                         const struct rd_kafka_metadata_topic *t)
{
    int leaderless = 0;
    for (int i = 0; i < t->partition_cnt; i++)
        leaderless += t->partitions[i].leader < 0;
    c->partitions = t->partition_cnt;
    c->internal = internal_name(t->topic);
    c->dead_letters = looks_dead(t->topic);
    c->bytes_why = BYTES_WHY;
    c->browse_effect = c->tap_effect = EFFECT_NONE;
    snprintf(c->detail, sizeof c->detail, "topic, %d partition%s", t->partition_cnt,
             t->partition_cnt == 1 ? "" : "s");
    if (t->err)
        text_copy(c->state, sizeof c->state, rd_kafka_err2str(t->err));
    else if (leaderless)
        snprintf(c->state, sizeof c->state, "no leader for %d of %d partitions", leaderless,
                 t->partition_cnt);
    fill_capabilities(s, c);
}

/* Rows of all partitions that have a leader, in the order of the channels. Asking for the others would wait in vain. */
static rd_kafka_topic_partition_list_t *partition_rows(const struct rd_kafka_metadata *md,
                                                       const struct channel_list *list)
{
    rd_kafka_topic_partition_list_t *rows = rd_kafka_topic_partition_list_new(64);
    size_t at = 0; /* the list has some of the topics, in the same order */
    for (int t = 0; t < md->topic_cnt && at < list->count; t++) {
        const struct rd_kafka_metadata_topic *topic = &md->topics[t];
        if (strcmp(topic->topic, list->items[at].name) != 0)
            continue;
        at++;
        for (int p = 0; p < topic->partition_cnt; p++)
            if (topic->partitions[p].leader >= 0)
                rd_kafka_topic_partition_list_add(rows, topic->topic, topic->partitions[p].id);
    }
    return rows;
}

static void sum_up(struct channel *c, const rd_kafka_topic_partition_list_t *low,
                   const rd_kafka_topic_partition_list_t *high, int at, int count)
{
    int64_t depth = 0, total = 0;
    bool known = count == c->partitions && count > 0;
    for (int i = at; i < at + count; i++) {
        known = known && !low->elems[i].err && !high->elems[i].err && high->elems[i].offset >= 0;
        depth += high->elems[i].offset - low->elems[i].offset;
        total += high->elems[i].offset;
    }
    if (!known)
        return;
    c->depth = depth;
    c->depth_upper = true;
    c->in_total = total;
}

static void add_watermarks(struct channel_list *list, const rd_kafka_topic_partition_list_t *low,
                           const rd_kafka_topic_partition_list_t *high)
{
    int at = 0;
    for (size_t i = 0; i < list->count; i++) {
        int count = 0;
        while (at + count < low->cnt && strcmp(low->elems[at + count].topic, list->items[i].name) == 0)
            count++;
        sum_up(&list->items[i], low, high, at, count);
        at += count;
    }
}

static void free_bounds(struct kafka_bounds *bounds)
{
    if (bounds->low)
        rd_kafka_topic_partition_list_destroy(bounds->low);
    if (bounds->high)
        rd_kafka_topic_partition_list_destroy(bounds->high);
    *bounds = (struct kafka_bounds){NULL, NULL};
}

void kafka_list_lacks(struct channel_list *list, const char *what, const struct err_info *why)
{
    if (!list->complete)
        return;
    list->complete = false;
    snprintf(list->note, sizeof list->note, "%s missing: %.120s%s%.40s", what, why->text,
             why->next[0] ? "; " : "", why->next);
}

static void list_watermarks(struct broker *b, const struct rd_kafka_metadata *md, struct channel_list *list,
                            struct kafka_bounds *bounds)
{
    struct kafka_state *s = b->state;
    struct err_info err = {.code = ERR_OK};
    bounds->low = partition_rows(md, list);
    bounds->high = rd_kafka_topic_partition_list_copy(bounds->low);
    enum err e = kafka_offsets_soon(b, s->rk, bounds->low, RD_KAFKA_OFFSET_BEGINNING, &err);
    if (!e)
        e = kafka_offsets_soon(b, s->rk, bounds->high, RD_KAFKA_OFFSET_END, &err);
    if (e) {
        free_bounds(bounds);
        kafka_list_lacks(list, "depths are", &err);
        return;
    }
    add_watermarks(list, bounds->low, bounds->high);
    const rd_kafka_topic_partition_t *low = failed_row(bounds->low),
                                     *row = low ? low : failed_row(bounds->high);
    if (row) {
        kafka_fail(b, row->err, row->topic, &err);
        kafka_list_lacks(list, "some depths are", &err);
    }
}

/* Of the one topic that was asked for by its name. */
static void detail_partitions(const struct rd_kafka_metadata_topic *t, const struct kafka_bounds *bounds,
                              struct channel_list *list)
{
    list->partitions = calloc((size_t)t->partition_cnt, sizeof *list->partitions);
    for (int i = 0; list->partitions && i < t->partition_cnt; i++) {
        int32_t id = t->partitions[i].id;
        struct channel_partition *p = &list->partitions[list->partition_count++];
        *p = (struct channel_partition){id, COUNT_UNKNOWN, COUNT_UNKNOWN, t->partitions[i].leader};
        for (int row = 0; bounds->low && row < bounds->low->cnt; row++) {
            const rd_kafka_topic_partition_t *low = &bounds->low->elems[row],
                                             *high = &bounds->high->elems[row];
            if (low->partition != id)
                continue;
            p->low = low->err || low->offset < 0 ? COUNT_UNKNOWN : low->offset;
            p->high = high->err || high->offset < 0 ? COUNT_UNKNOWN : high->offset;
            break;
        }
    }
}

static void detail_policy(struct broker *b, struct channel *c)
{
    char policy[64];
    if (c->why_not[CAN_PURGE] || !kafka_topic_setting(b, c->name, "cleanup.policy", policy, sizeof policy))
        return;
    c->compacted = strstr(policy, "compact");
    if (!strstr(policy, "delete"))
        c->why_not[CAN_PURGE] = KAFKA_COMPACTED;
}

static bool wanted(const struct rd_kafka_metadata_topic *t, const char *pattern, uint32_t flags)
{
    if (pattern && strcmp(pattern, t->topic) == 0)
        return true;
    return text_glob(pattern, t->topic) && ((flags & READ_INTERNAL) || !internal_name(t->topic));
}

enum err kafka_list(struct broker *b, const char *pattern, uint32_t flags, struct channel_list *list,
                    struct err_info *err)
{
    struct kafka_state *s = b->state;
    const struct rd_kafka_metadata *md = NULL;
    struct kafka_bounds bounds = {NULL, NULL};
    bool plain = pattern && *pattern && !strpbrk(pattern, "*?");
    enum err e = kafka_isolate(b, false, err);
    if (!e)
        e = plain ? kafka_topic_metadata(b, pattern, &md, err) : kafka_metadata(b, NULL, &md, err);
    if (plain && e == ERR_NOTFOUND)
        return ERR_OK;
    if (e)
        return e;
    for (int i = 0; i < md->topic_cnt; i++) {
        struct channel *c = wanted(&md->topics[i], pattern, flags)
                                ? channel_list_add(list, md->topics[i].topic, CHANNEL_TOPIC)
                                : NULL;
        if (c)
            fill_channel(s, c, &md->topics[i]);
    }
    if (s->mock)
        text_copy(list->version, sizeof list->version, "Kafka (librdkafka's mock cluster)");
    list_watermarks(b, md, list, &bounds);
    if (plain && list->count == 1) {
        detail_partitions(&md->topics[0], &bounds, list);
        detail_policy(b, &list->items[0]);
    }
    kafka_groups_annotate(b, list, &bounds, plain);
    free_bounds(&bounds);
    rd_kafka_metadata_destroy(md);
    return ERR_OK;
}

/* ---- health ---- */

enum err kafka_ping(struct broker *b, struct sample *sample, struct err_info *err)
{
    const struct rd_kafka_metadata *md = NULL;
    struct kafka_state *s = b->state;
    rd_kafka_poll(s->rk, 0);
    enum err e = kafka_metadata(b, NULL, &md, err);
    if (e)
        return e;
    int offline = 0, thin = 0;
    for (int t = 0; t < md->topic_cnt; t++) {
        for (int p = 0; p < md->topics[t].partition_cnt; p++) {
            const struct rd_kafka_metadata_partition *row = &md->topics[t].partitions[p];
            offline += row->leader < 0;
            thin += row->isr_cnt < row->replica_cnt;
        }
    }
    sample->health = offline || thin ? HEALTH_DEGRADED : HEALTH_UP;
    snprintf(sample->code, sizeof sample->code, "%d broker%s", md->broker_cnt,
             md->broker_cnt == 1 ? "" : "s");
    if (offline)
        snprintf(sample->reason, sizeof sample->reason, "%d partitions have no leader", offline);
    else if (thin)
        snprintf(sample->reason, sizeof sample->reason, "%d partitions lack replicas in sync", thin);
    rd_kafka_metadata_destroy(md);
    return ERR_OK;
}

/* ---- the cluster's name ---- */

enum err kafka_cluster(struct broker *b, char *name, size_t size, struct err_info *err)
{
    const struct kafka_state *s = b->state;
    char *id = NULL;
    do {
        int left = kafka_left_ms(b);
        id = rd_kafka_clusterid(s->rk, left < CLUSTER_MS ? left : CLUSTER_MS);
    } while (!id && !atomic_load(b->cancelled) && clock_mono_ns() < b->deadline_ns);
    if (!id && atomic_load(b->cancelled))
        return err_set(err, ERR_CANCELLED, "cancelled");
    if (!id) {
        err_set(err, ERR_TIMEOUT, "no broker has told its cluster's id");
        err_where(err, "%s", b->endpoint->name);
        return ERR_TIMEOUT;
    }
    text_copy(name, size, id);
    rd_kafka_mem_free(s->rk, id);
    return ERR_OK;
}
