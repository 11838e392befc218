/* Consumer groups: names and states, members, committed offsets, lag. Four kinds of questions, the answers of each awaited
 * together within the session's deadline; librdkafka 2.0 asks the offsets of one group a request. */
#include "brokers/kafka/kafka_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUPS_MOST     2000
#define OFFSETS_ABREAST 32
/* Groups of the protocol of KIP-848 have their state in the list alone; the old description calls them Dead, without members. */
#define NOTE_KIP848 "members are not visible with this library (new group protocol)"

struct group {
    const char *name; /* in the list's event */
    rd_kafka_consumer_group_state_t listed, state;
    int32_t members;
    const char *note; /* static text */
    rd_kafka_topic_partition_list_t *offsets;
    rd_kafka_topic_partition_list_t
        *readers; /* a row for each topic that a member is assigned; `partition` is the member's index */
};

struct group_set {
    struct group *items;
    size_t count;
    bool cut;
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *listed; /* owns the names */
    rd_kafka_topic_partition_list_t *ends;
};

static void set_free(struct group_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].offsets)
            rd_kafka_topic_partition_list_destroy(set->items[i].offsets);
        if (set->items[i].readers)
            rd_kafka_topic_partition_list_destroy(set->items[i].readers);
    }
    free(set->items);
    if (set->ends)
        rd_kafka_topic_partition_list_destroy(set->ends);
    if (set->listed)
        rd_kafka_event_destroy(set->listed);
    if (set->queue)
        rd_kafka_queue_destroy(set->queue);
}

/* The next answer; NULL with *err. */
static rd_kafka_event_t *answer(struct broker *b, struct group_set *set, const char *what,
                                struct err_info *err)
{
    rd_kafka_event_t *event;
    if (kafka_answer(b, set->queue, what, &event, err))
        return NULL;
    if (!rd_kafka_event_error(event))
        return event;
    kafka_fail(b, rd_kafka_event_error(event), what, err);
    rd_kafka_event_destroy(event);
    return NULL;
}

/* ---- which groups ---- */

static enum err list_names(struct broker *b, struct group_set *set, const char *pattern, size_t most,
                           struct err_info *err)
{
    struct kafka_state *s = b->state;
    rd_kafka_AdminOptions_t *options =
        kafka_admin_options(b, s->groups, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    rd_kafka_ListConsumerGroups(s->groups, options, set->queue);
    rd_kafka_AdminOptions_destroy(options);
    set->listed = answer(b, set, "listing groups", err);
    if (!set->listed)
        return err->code;
    const rd_kafka_ListConsumerGroups_result_t *result =
        rd_kafka_event_ListConsumerGroups_result(set->listed);
    size_t n = 0, failures = 0;
    const rd_kafka_ConsumerGroupListing_t **rows = rd_kafka_ListConsumerGroups_result_valid(result, &n);
    const rd_kafka_error_t **errors = rd_kafka_ListConsumerGroups_result_errors(result, &failures);
    if (n == 0 && failures > 0)
        return kafka_fail(b, rd_kafka_error_code(errors[0]), "listing groups", err);
    set->items = calloc(n + 1, sizeof *set->items);
    if (!set->items)
        return err_set(err, ERR_NOMEM, "no memory for %zu groups", n);
    for (size_t i = 0; i < n; i++) {
        const char *name = rd_kafka_ConsumerGroupListing_group_id(rows[i]);
        if (!text_glob(pattern, name))
            continue;
        set->cut = set->count == most;
        if (set->cut)
            break;
        struct group *g = &set->items[set->count++];
        *g = (struct group){.name = name, .members = -1};
        g->state = g->listed = rd_kafka_ConsumerGroupListing_state(rows[i]);
    }
    return ERR_OK;
}

static struct group *find(struct group_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].name, name) == 0)
            return &set->items[i];
    return NULL;
}

/* ---- members ---- */

static void take_members(struct group *g, const rd_kafka_ConsumerGroupDescription_t *d)
{
    g->readers = rd_kafka_topic_partition_list_new(g->members);
    for (int32_t i = 0; i < g->members; i++) {
        const rd_kafka_MemberAssignment_t *assignment =
            rd_kafka_MemberDescription_assignment(rd_kafka_ConsumerGroupDescription_member(d, (size_t)i));
        const rd_kafka_topic_partition_list_t *rows =
            assignment ? rd_kafka_MemberAssignment_partitions(assignment) : NULL;
        for (int k = 0; rows && k < rows->cnt; k++)
            if (!rd_kafka_topic_partition_list_find(g->readers, rows->elems[k].topic, i))
                rd_kafka_topic_partition_list_add(g->readers, rows->elems[k].topic, i);
    }
}

static int64_t readers_of(const struct group *g, const char *topic)
{
    int64_t count = 0;
    for (int i = 0; g->readers && i < g->readers->cnt; i++)
        count += strcmp(g->readers->elems[i].topic, topic) == 0;
    return count;
}

static void describe_one(struct group_set *set, const rd_kafka_ConsumerGroupDescription_t *d)
{
    struct group *g = find(set, rd_kafka_ConsumerGroupDescription_group_id(d));
    if (!g)
        return;
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(d);
    if (error && rd_kafka_error_code(error)) {
        g->note = rd_kafka_err2str(rd_kafka_error_code(error));
        return;
    }
    rd_kafka_consumer_group_state_t state = rd_kafka_ConsumerGroupDescription_state(d);
    size_t members = rd_kafka_ConsumerGroupDescription_member_count(d);
    if (state == RD_KAFKA_CONSUMER_GROUP_STATE_DEAD && g->listed != RD_KAFKA_CONSUMER_GROUP_STATE_DEAD &&
        members == 0) {
        if (g->listed == RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY)
            g->members = 0;
        else
            g->note = NOTE_KIP848;
        return;
    }
    g->state = state;
    g->members = (int32_t)members;
    take_members(g, d);
}

static enum err describe(struct broker *b, struct group_set *set, struct err_info *err)
{
    struct kafka_state *s = b->state;
    const char **names = calloc(set->count, sizeof *names);
    if (!names)
        return err_set(err, ERR_NOMEM, "no memory for %zu groups", set->count);
    for (size_t i = 0; i < set->count; i++)
        names[i] = set->items[i].name;
    rd_kafka_AdminOptions_t *options =
        kafka_admin_options(b, s->groups, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_DescribeConsumerGroups(s->groups, names, set->count, options, set->queue);
    rd_kafka_AdminOptions_destroy(options);
    free(names);
    rd_kafka_event_t *event = answer(b, set, "describing groups", err);
    if (!event)
        return err->code;
    size_t n = 0;
    const rd_kafka_ConsumerGroupDescription_t **rows = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event), &n);
    for (size_t i = 0; i < n; i++)
        describe_one(set, rows[i]);
    rd_kafka_event_destroy(event);
    return ERR_OK;
}

/* ---- committed offsets ---- */

static void ask_offsets(struct broker *b, struct group_set *set, const char *name)
{
    struct kafka_state *s = b->state;
    rd_kafka_ListConsumerGroupOffsets_t *question = rd_kafka_ListConsumerGroupOffsets_new(name, NULL);
    rd_kafka_AdminOptions_t *options =
        kafka_admin_options(b, s->groups, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets(s->groups, &question, 1, options, set->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
}

static void take_offsets(struct group_set *set, rd_kafka_event_t *event)
{
    size_t n = 0;
    const rd_kafka_group_result_t **rows = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        struct group *g = find(set, rd_kafka_group_result_name(rows[i]));
        const rd_kafka_error_t *error = rd_kafka_group_result_error(rows[i]);
        const rd_kafka_topic_partition_list_t *offsets = rd_kafka_group_result_partitions(rows[i]);
        if (g && error && rd_kafka_error_code(error))
            g->note = rd_kafka_err2str(rd_kafka_error_code(error));
        else if (g && offsets && !g->offsets)
            g->offsets = rd_kafka_topic_partition_list_copy(offsets);
    }
}

/* A group whose offsets are refused is a group with a note, not a failure of all. */
static enum err offsets(struct broker *b, struct group_set *set, struct err_info *err)
{
    size_t asked = 0, answered = 0;
    while (answered < set->count) {
        while (asked < set->count && asked - answered < OFFSETS_ABREAST)
            ask_offsets(b, set, set->items[asked++].name);
        rd_kafka_event_t *event;
        enum err e = kafka_answer(b, set->queue, "offsets of groups", &event, err);
        if (e)
            return e;
        if (!rd_kafka_event_error(event))
            take_offsets(set, event);
        rd_kafka_event_destroy(event);
        answered++;
    }
    return ERR_OK;
}

/* The ends of every partition that some group has committed in, sorted for the look-up. */
static enum err ends(struct broker *b, struct group_set *set, struct err_info *err)
{
    struct kafka_state *s = b->state;
    rd_kafka_topic_partition_list_t *all = set->ends = rd_kafka_topic_partition_list_new(64);
    for (size_t i = 0; i < set->count; i++) {
        const rd_kafka_topic_partition_list_t *o = set->items[i].offsets;
        for (int k = 0; o && k < o->cnt; k++)
            if (o->elems[k].offset >= 0)
                rd_kafka_topic_partition_list_add(all, o->elems[k].topic, o->elems[k].partition);
    }
    rd_kafka_topic_partition_list_sort(all, NULL, NULL);
    int kept = 0;
    for (int i = 0; i < all->cnt; i++) {
        const rd_kafka_topic_partition_t *row = &all->elems[i];
        if (kept > 0 && row->partition == all->elems[kept - 1].partition &&
            strcmp(row->topic, all->elems[kept - 1].topic) == 0)
            continue;
        rd_kafka_topic_partition_t swap = all->elems[kept];
        all->elems[kept++] = *row;
        all->elems[i] = swap;
    }
    while (all->cnt > kept)
        rd_kafka_topic_partition_list_del_by_idx(all, all->cnt - 1);
    /* Topics that are gone fail in their rows alone. */
    return kafka_offsets(b, s->rk, all, RD_KAFKA_OFFSET_END, err);
}

static int64_t end_of(const struct group_set *set, const rd_kafka_topic_partition_t *of)
{
    int low = 0, high = set->ends->cnt - 1;
    while (low <= high) {
        int at = (low + high) / 2;
        const rd_kafka_topic_partition_t *row = &set->ends->elems[at];
        int order = strcmp(row->topic, of->topic);
        if (order == 0)
            order = (row->partition > of->partition) - (row->partition < of->partition);
        if (order == 0)
            return row->err || row->offset < 0 ? COUNT_UNKNOWN : row->offset;
        if (order < 0)
            low = at + 1;
        else
            high = at - 1;
    }
    return COUNT_UNKNOWN;
}

static enum err collect(struct broker *b, struct group_set *set, const char *pattern, size_t most,
                        struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct err_info own = {.code = ERR_OK};
    if (!kafka_group_handle(b, &own)) {
        if (err)
            *err = own;
        return own.code;
    }
    set->queue = rd_kafka_queue_new(s->groups);
    enum err e = list_names(b, set, pattern, most, &own);
    if (!e && set->count)
        e = describe(b, set, &own);
    if (!e)
        e = offsets(b, set, &own);
    if (!e)
        e = ends(b, set, &own);
    if (e && err)
        *err = own;
    return e;
}

/* ---- telling ---- */

static void fill_row(const struct group *g, struct group_row *row)
{
    *row = (struct group_row){.partition = -1,
                              .committed = COUNT_UNKNOWN,
                              .end = COUNT_UNKNOWN,
                              .lag = COUNT_UNKNOWN,
                              .members = g->members};
    text_copy(row->group, sizeof row->group, g->name);
    text_copy(row->state, sizeof row->state, rd_kafka_consumer_group_state_name(g->state));
    text_copy(row->note, sizeof row->note, g->note ? g->note : "");
}

static int64_t lag_of(const struct group_set *set, const rd_kafka_topic_partition_t *committed, int64_t *end)
{
    *end = end_of(set, committed);
    if (*end == COUNT_UNKNOWN)
        return COUNT_UNKNOWN;
    return *end > committed->offset ? *end - committed->offset : 0;
}

static void tell(const struct group_set *set, const struct group *g, group_sink *sink, void *context)
{
    struct group_row row;
    bool any = false;
    fill_row(g, &row);
    for (int i = 0; g->offsets && i < g->offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *committed = &g->offsets->elems[i];
        if (committed->offset < 0)
            continue;
        text_copy(row.channel, sizeof row.channel, committed->topic);
        row.partition = committed->partition;
        row.committed = committed->offset;
        row.lag = lag_of(set, committed, &row.end);
        sink(context, &row);
        any = true;
    }
    if (!any)
        sink(context, &row);
}

enum err kafka_groups(struct broker *b, const char *pattern, group_sink *sink, void *context,
                      struct err_info *err)
{
    const struct kafka_state *s = b->state;
    if (s->mock)
        return err_set(err, ERR_UNSUPPORTED, "the mock cluster keeps no groups");
    struct group_set set = {.count = 0};
    enum err e = kafka_isolate(b, false, err);
    if (!e)
        e = collect(b, &set, pattern, GROUPS_MOST, err);
    for (size_t i = 0; !e && i < set.count; i++)
        tell(&set, &set.items[i], sink, context);
    if (!e && set.cut)
        e = err_set(err, ERR_PARTIAL, "only the first %d groups are shown", GROUPS_MOST);
    set_free(&set);
    return e;
}

/* ---- the listing's share ---- */

/* The rows of one topic in the bounds. */
struct span {
    const struct kafka_bounds *bounds;
    int from, count;
};

/* The topic's rows follow those of the topic before it. */
static struct span next_span(const struct kafka_bounds *bounds, struct span before, const char *topic)
{
    struct span s = {bounds, before.from + before.count, 0};
    while (bounds->low && s.from + s.count < bounds->low->cnt &&
           strcmp(bounds->low->elems[s.from + s.count].topic, topic) == 0)
        s.count++;
    return s;
}

static bool has_committed(const struct group *g, const char *topic, int32_t partition)
{
    for (int i = 0; i < g->offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *row = &g->offsets->elems[i];
        if (row->partition == partition && row->offset >= 0 && strcmp(row->topic, topic) == 0)
            return true;
    }
    return false;
}

/* Does a partition hold messages of which the group has committed nothing? An empty one has no lag. */
static bool leaves_out(const struct group *g, const struct channel *channel, const struct span *span)
{
    if (!span->bounds->low || span->count < channel->partitions)
        return true; /* it cannot be told */
    for (int i = span->from; i < span->from + span->count; i++) {
        const rd_kafka_topic_partition_t *low = &span->bounds->low->elems[i],
                                         *high = &span->bounds->high->elems[i];
        bool empty = !low->err && !high->err && high->offset <= low->offset;
        if (!empty && !has_committed(g, channel->name, low->partition))
            return true;
    }
    return false;
}

/* What one group has in one channel; false: it has committed nothing there, and none of its members reads it. */
static bool lag_in(const struct group_set *set, const struct group *g, const struct channel *channel,
                   const struct span *span, struct channel_group *out)
{
    int64_t end, sum = 0;
    int committed = 0, known = 0;
    for (int i = 0; g->offsets && i < g->offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *row = &g->offsets->elems[i];
        if (row->offset < 0 || strcmp(row->topic, channel->name) != 0)
            continue;
        int64_t lag = lag_of(set, row, &end);
        committed++;
        known += lag != COUNT_UNKNOWN;
        sum += lag > 0 ? lag : 0;
    }
    if (!committed && !readers_of(g, channel->name))
        return false;
    *out = (struct channel_group){.lag = known ? sum : COUNT_UNKNOWN, .members = g->members};
    out->lag_partial =
        known < committed || (committed && committed < channel->partitions && leaves_out(g, channel, span));
    text_copy(out->name, sizeof out->name, g->name);
    text_copy(out->state, sizeof out->state, rd_kafka_consumer_group_state_name(g->state));
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct channel_group *)a)->name, ((const struct channel_group *)b)->name);
}

/* With `groups`, which has room for all of the set, each of them is kept. */
static size_t annotate(const struct group_set *set, const struct span *span, struct channel *channel,
                       struct channel_group *groups)
{
    size_t count = 0;
    int64_t readers = 0;
    bool all_known = !set->cut;
    for (size_t i = 0; i < set->count; i++) {
        struct channel_group row;
        if (!lag_in(set, &set->items[i], channel, span, &row))
            continue;
        channel->lag = row.lag > channel->lag ? row.lag : channel->lag;
        channel->lag_partial |= row.lag_partial;
        readers += readers_of(&set->items[i], channel->name);
        all_known &= set->items[i].members >= 0;
        if (groups)
            groups[count] = row;
        count++;
    }
    channel->groups = (int64_t)count;
    channel->consumers = all_known ? readers : COUNT_UNKNOWN;
    return count;
}

/* What is known of the groups, and yet not all. */
static void say_gaps(const struct broker *b, const struct group_set *set, struct channel_list *list)
{
    struct err_info err = {.code = ERR_OK};
    for (int i = 0; set->ends && !err.code && i < set->ends->cnt; i++)
        if (kafka_is_electing(set->ends->elems[i].err)) /* others are topics that are gone */
            kafka_fail(b, set->ends->elems[i].err, set->ends->elems[i].topic, &err);
    if (err.code)
        kafka_list_lacks(list, "some lag is", &err);
    if (!set->cut || !list->complete)
        return;
    list->complete = false;
    snprintf(list->note, sizeof list->note, "groups and lag: only of %d groups", KAFKA_LISTED_GROUPS);
}

void kafka_groups_annotate(struct broker *b, struct channel_list *list, const struct kafka_bounds *bounds,
                           bool detail)
{
    const struct kafka_state *s = b->state;
    struct err_info err = {.code = ERR_OK};
    struct group_set set = {.count = 0};
    struct span span = {bounds, 0, 0};
    if (s->mock || list->count == 0)
        return;
    enum err e = collect(b, &set, NULL, KAFKA_LISTED_GROUPS, &err);
    if (!e && detail)
        list->groups = calloc(set.count + 1, sizeof *list->groups);
    for (size_t c = 0; !e && c < list->count; c++) {
        span = next_span(bounds, span, list->items[c].name);
        size_t count = annotate(&set, &span, &list->items[c], list->groups);
        list->group_count = list->groups ? count : 0;
    }
    if (list->groups)
        qsort(list->groups, list->group_count, sizeof *list->groups, by_name);
    if (e)
        kafka_list_lacks(list, "groups and lag are", &err);
    else
        say_gaps(b, &set, list);
    set_free(&set);
}
