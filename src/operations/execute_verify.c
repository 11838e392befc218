/* Once all was sent: what arrived is read back by its stamps, where looking leaves no trace, and compared with what the journal has
 * of it. */
#include "operations/execute_internal.h"

#include "base/text.h"
#include "operations/stamp.h"
#include "operations/verify.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_NS    (10 * NS_PER_S) /* in all */
#define READ_MOST  200000          /* messages of one channel */
#define SLACK_NS   (60 * NS_PER_S) /* that the broker's clock may be behind ours */
#define AGAIN_NS   (NS_PER_S / 4)  /* between two looks for what was not met */
#define TRIES_MOST 5

struct sent_message {
    uint64_t sequence;
    size_t target;
    struct position arrived;
    uint8_t content[VERIFY_CONTENT_SIZE];
    bool met;
};

struct verifying {
    struct operation *o;
    struct sent_message *all; /* by sequence */
    size_t count, cap;
    struct verified result;
    int64_t until_ns;
    bool no_room;
};

/* ---- what was sent ---- */

static bool add_sent(void *context, const struct journal_message *row)
{
    struct verifying *v = context;
    if (v->count == VERIFY_MOST)
        return false;
    if (v->count == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 256;
        struct sent_message *all = reallocarray(v->all, cap, sizeof *all);
        v->no_room = !all;
        if (!all)
            return false;
        v->all = all;
        v->cap = cap;
    }
    if (row->content.len != VERIFY_CONTENT_SIZE) /* it was written by an earlier version */
        return true;
    struct sent_message *m = &v->all[v->count++];
    *m = (struct sent_message){.sequence = row->sequence, .arrived = row->arrived};
    m->target = row->destination ? execute_target_named(v->o, row->destination) : 0;
    memcpy(m->content, row->content.data, sizeof m->content);
    return true;
}

static enum err load(struct verifying *v, struct err_info *err)
{
    struct journal_totals totals;
    const struct operation *o = v->o;
    enum err e = journal_count(o->journal, o->job.record.number, &totals, err);
    v->result.sent = e ? 0 : totals.of[DELIVERY_DONE];
    if (!e)
        e = journal_messages(o->journal, o->job.record.number, 1U << DELIVERY_DONE, add_sent, v, err);
    return e ? e : v->no_room ? err_set(err, ERR_NOMEM, "no memory to read back what was sent") : ERR_OK;
}

/* ---- whether it can be read ---- */

static void say_why(struct verifying *v, const char *format, ...) SB_PRINTF(2, 3);
static void say_why(struct verifying *v, const char *format, ...)
{
    va_list args;
    if (v->result.why[0])
        return;
    va_start(args, format);
    vsnprintf(v->result.why, sizeof v->result.why, format, args);
    va_end(args);
}

/* Only what is there for all to see: nothing is marked, nobody has taken any. placed: it is known where each stands. */
static bool can_read(struct verifying *v, const struct channel *c, bool placed)
{
    bool keeps = c->kind == CHANNEL_TOPIC || c->kind == CHANNEL_STREAM;
    if (c->why_not[CAN_BROWSE])
        say_why(v, "%s: %s", c->name, c->why_not[CAN_BROWSE]);
    else if (c->browse_effect != EFFECT_NONE)
        say_why(v, "looking into %s would mark its messages", c->name);
    else if (!keeps && c->consumers)
        say_why(v, "%s has consumers, who take them", c->name);
    else if (!placed && c->depth > READ_MOST && c->kind != CHANNEL_STREAM)
        say_why(v, "%s holds more than 200,000 messages", c->name);
    else
        return true;
    return false;
}

static bool look_up(struct verifying *v, size_t target, bool placed, struct channel *found)
{
    struct operation *o = v->o;
    const struct channel_name *name = &o->targets[target].channel;
    struct channel_list *list = channel_list_new();
    struct destination_job job = {.ops = o->job.to.ops,
                                  .endpoint = o->job.to.endpoint,
                                  .prepare = o->job.prepare,
                                  .context = o->job.context};
    struct err_info err = {.code = ERR_OK};
    struct destination *d = list ? destination_open(&job, o->event_fd, &err) : NULL;
    const struct channel *c = NULL;
    if (d && !o->job.to.ops->list(destination_broker(d), name->name, 0, list, &err))
        c = channel_list_find(list, name->name, name->kind);
    if (!c)
        say_why(v, "%s could not be looked up", name->name);
    bool can = c && can_read(v, c, placed);
    if (c)
        *found = *c;
    destination_close(&d);
    if (list)
        channel_list_free(&list);
    return can;
}

/* ---- reading ---- */

static struct sent_message *find(const struct verifying *v, uint64_t sequence)
{
    size_t low = 0, high = v->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->all[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->count && v->all[low].sequence == sequence ? &v->all[low] : NULL;
}

/* Is it one that is looked for? */
static bool compare(struct verifying *v, size_t target, const struct message *m)
{
    char id[OPERATION_ID_SIZE];
    uint64_t sequence;
    uint8_t content[VERIFY_CONTENT_SIZE];
    if (!stamp_operation(m, id, &sequence) || strcmp(id, v->o->job.record.id) != 0)
        return false;
    struct sent_message *sent = find(v, sequence);
    if (!sent || sent->met || sent->target != target ||
        verify_content(m->key, m->payload, v->o->job.to.ops->carries, content, NULL))
        return false;
    sent->met = true;
    if (memcmp(content, sent->content, sizeof content) == 0)
        v->result.equal++;
    else
        v->result.differ++;
    return true;
}

/* Where the first one stands in each partition; the others are not read. False: it is not known. */
static bool find_places(const struct verifying *v, size_t target, int32_t partitions,
                        struct read_places *places)
{
    *places = (struct read_places){.items = calloc((size_t)partitions, sizeof *places->items)};
    for (int32_t i = 0; places->items && i < partitions; i++)
        places->items[places->count++] = (struct read_place){.partition = i, .next = -1};
    for (size_t i = 0; places->items && i < v->count; i++) {
        const struct position *p = &v->all[i].arrived;
        if (v->all[i].target != target || v->all[i].met || p->partition < 0 || p->partition >= partitions)
            continue;
        struct read_place *place = &places->items[p->partition];
        if (place->next < 0 || p->offset < place->next)
            place->next = p->offset;
    }
    return places->items;
}

/* How many were not met yet, and is it known in which partition and where each of them is? */
static size_t count_of(const struct verifying *v, size_t target, bool *placed)
{
    size_t n = 0;
    *placed = true;
    for (size_t i = 0; i < v->count; i++) {
        if (v->all[i].target != target || v->all[i].met)
            continue;
        *placed &= v->all[i].arrived.kind == POSITION_PARTITION;
        n++;
    }
    return n;
}

static bool is_out_of_time(struct verifying *v)
{
    bool over = clock_mono_ns() > v->until_ns || atomic_load(&v->o->cancelled);
    if (over)
        say_why(v, "it would have taken more than ten seconds");
    return over;
}

/* Until all that are looked for were met. False: not all that there is was read. */
static bool read_all(struct verifying *v, struct source *s, size_t target, size_t left)
{
    struct err_info err;
    enum err e = ERR_OK;
    size_t seen = 0;
    while (!e && left && seen < READ_MOST && !is_out_of_time(v)) {
        struct batch *b = NULL;
        e = source_await(s, &b, &err);
        if (!e && b) {
            seen += b->count;
            for (size_t i = 0; i < b->count && left; i++)
                left -= compare(v, target, b->items[i].message);
            source_settle(s, b);
        }
        execute_tell(v->o, false);
    }
    if (e && e != ERR_END)
        say_why(v, "%s", err.text);
    else if (!e && left)
        say_why(v, "more than 200,000 messages stand before them");
    return !left || e == ERR_END;
}

/* Reads the channel once, for those that were not met yet. False: not all that there is was read. */
static bool read_once(struct verifying *v, size_t target, const struct channel *channel)
{
    struct operation *o = v->o;
    bool placed, whole = false;
    size_t left = count_of(v, target, &placed);
    int64_t returned;
    struct read_places places = {.count = 0};
    struct source_job job = {.ops = o->job.to.ops,
                             .endpoint = o->job.to.endpoint,
                             .from = o->targets[target].channel,
                             .most = -1,
                             .start = {START_BEGINNING, 0},
                             .partition = -1,
                             .prepare = o->job.prepare,
                             .context = o->job.context};
    if (placed && channel->partitions > 0 && find_places(v, target, channel->partitions, &places))
        job.places = &places;
    else if (channel->kind == CHANNEL_STREAM) /* its times are the broker's: when it came */
        job.start = (struct start){START_TIME, o->job.record.created_ns - SLACK_NS};
    struct err_info err;
    struct source *s = source_start(&job, o->event_fd, &err);
    if (s) {
        whole = read_all(v, s, target, left);
        source_cancel(s);
        source_join(&s, &returned, NULL);
    }
    free(places.items);
    return whole;
}

static void wait_a_little(struct operation *o)
{
    int64_t until = clock_mono_ns() + AGAIN_NS;
    while (clock_mono_ns() < until && !atomic_load(&o->cancelled)) {
        struct pollfd p = {.fd = o->event_fd, .events = POLLIN};
        poll(&p, 1, clock_poll_ms(until));
        (void)!read(o->event_fd, &(uint64_t){0}, sizeof(uint64_t));
    }
}

/* What was committed is visible a moment after that was answered: what is not met is looked for some more times. */
static void verify_target(struct verifying *v, size_t target)
{
    bool placed, whole = true;
    struct channel channel = {.partitions = 0};
    if (!count_of(v, target, &placed) || !look_up(v, target, placed, &channel))
        return;
    for (int tries = 0; whole && count_of(v, target, &placed) && tries < TRIES_MOST && !is_out_of_time(v);
         tries++) {
        if (tries)
            wait_a_little(v->o);
        whole = read_once(v, target, &channel);
    }
    if (whole)
        v->result.missing += (int64_t)count_of(v, target, &placed);
}

static bool is_due(const struct operation *o)
{
    const struct plan *p = &o->job.plan;
    return !execute_is_purge(o) && !execute_is_restore(o) && !p->no_mark && !atomic_load(&o->cancelled) &&
           o->counts.done > 0;
}

void execute_verify(struct operation *o)
{
    struct verifying v = {.o = o, .until_ns = clock_mono_ns() + READ_NS};
    struct err_info err = {.code = ERR_OK};
    if (!is_due(o))
        return;
    if (load(&v, &err))
        say_why(&v, "%s", err.text);
    for (size_t i = 0; i < o->target_count && !is_out_of_time(&v); i++)
        verify_target(&v, i);
    if (v.result.sent > (int64_t)v.count)
        say_why(&v, "more than 100,000 are not read back");
    verified_write(&v.result, &o->verified);
    free(v.all);
}
