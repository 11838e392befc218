#include "operations/copies.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "operations/destination.h"
#include "operations/position_set.h"
#include "operations/stamp.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SLACK_NS (3600 * NS_PER_S) /* clocks differ; and a source is seldom in the order of its times */
#define STEP_MS  100
#define TELL     5000
#define MOST     (64 * MIB)
#define OPEN_NS  (10 * NS_PER_S)

struct place {
    struct channel_name channel; /* name: malloc'ed */
    struct position_set *copies;
    int64_t from_ns; /* looked through from there on; TIME_NONE: from its beginning */
    bool looked;
};

struct copies {
    struct copies_job job;
    struct place *places;
    size_t count;
    int64_t slack_ns;
};

bool copies_can(const struct broker_ops *ops)
{
    return ops->browse_is_free && ops->read_open;
}

struct copies *copies_new(const struct copies_job *job)
{
    struct copies *c = calloc(1, sizeof *c);
    if (c)
        *c = (struct copies){.job = *job, .slack_ns = SLACK_NS};
    return c;
}

void copies_free(struct copies **cp)
{
    struct copies *c = *cp;
    *cp = NULL;
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        free((void *)(uintptr_t)c->places[i].channel.name);
        position_set_free(&c->places[i].copies);
    }
    free(c->places);
    free(c);
}

void copies_forget(struct copies *c)
{
    for (size_t i = 0; c && i < c->count; i++)
        c->places[i].looked = false;
}

static struct place *place_of(struct copies *c, const struct channel_name *to, struct err_info *err)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->places[i].channel.kind == to->kind && strcmp(c->places[i].channel.name, to->name) == 0)
            return &c->places[i];
    struct place *all = reallocarray(c->places, c->count + 1, sizeof *all);
    if (all)
        c->places = all;
    char *name = all ? strdup(to->name) : NULL;
    struct position_set *set = name ? position_set_new(MOST) : NULL;
    if (!set) {
        free(name);
        err_set(err, ERR_NOMEM, "no memory for what is there already");
        return NULL;
    }
    c->places[c->count] = (struct place){.channel = {to->kind, name}, .copies = set};
    return &c->places[c->count++];
}

/* ---- looking ---- */

struct look {
    const struct copies *c;
    struct place *place;
    size_t prefix; /* of a stamp of this source */
    int64_t seen;
    struct err_info failed;
};

static bool read_int(struct bytes text, int64_t *n)
{
    char digits[24];
    return text.len < sizeof digits && text_int64(text_copy_bytes(digits, sizeof digits, text), n) && *n >= 0;
}

/* CLUSTER/CHANNEL/, and then as position_text has it. */
static bool read_source(const struct look *l, struct bytes stamp, struct position *from)
{
    struct bytes cluster = bytes_of_text(l->c->job.cluster), channel = bytes_of_text(l->c->job.channel);
    int64_t partition = 0, offset = 0;
    if (!stamp.data || stamp.len <= l->prefix || stamp.data[cluster.len] != '/' ||
        stamp.data[l->prefix - 1] != '/' || !bytes_equal(bytes_slice(stamp, 0, cluster.len), cluster) ||
        !bytes_equal(bytes_slice(stamp, cluster.len + 1, channel.len), channel))
        return false;
    struct bytes rest = bytes_slice(stamp, l->prefix, stamp.len);
    const uint8_t *slash = memchr(rest.data, '/', rest.len);
    size_t at = slash ? (size_t)(slash - rest.data) : 0;
    if (slash && (!read_int(bytes_slice(rest, 0, at), &partition) || partition > INT32_MAX))
        return false;
    *from = (struct position){.kind = slash ? POSITION_PARTITION : POSITION_OFFSET,
                              .partition = (int32_t)partition};
    bool whole = read_int(bytes_slice(rest, slash ? at + 1 : 0, rest.len), &offset);
    from->offset = offset;
    return whole;
}

static enum emit on_message(void *context, const struct message *m)
{
    struct look *l = context;
    struct position from;
    if (++l->seen % TELL == 0 && l->c->job.looked)
        l->c->job.looked(l->c->job.context, l->seen);
    if (read_source(l, stamp_source(m), &from) && position_set_add(l->place->copies, from, &l->failed))
        return EMIT_STOP;
    return atomic_load(l->c->job.cancelled) ? EMIT_STOP : EMIT_OK;
}

static void on_notice(void *context, const char *text)
{
    (void)context, (void)text;
}

static enum err read_all(struct look *l, struct broker *b, int64_t from_ns, struct err_info *err)
{
    struct read_sink sink = {.context = l, .message = on_message, .notice = on_notice};
    struct read_request request = {
        .mode = READ_BROWSE,
        .channels = &l->place->channel,
        .channel_count = 1,
        .start = {from_ns == TIME_NONE ? START_BEGINNING : START_TIME, from_ns == TIME_NONE ? 0 : from_ns},
        .partition = -1,
        .limit = -1,
        .flags = READ_SETTLED};
    b->deadline_ns = clock_mono_ns() + OPEN_NS;
    enum err e = b->ops->read_open(b, &request, &sink, err);
    while (!e && !atomic_load(l->c->job.cancelled))
        e = b->ops->read_step(b, STEP_MS, err);
    struct read_progress progress = {.incomplete = false};
    b->ops->read_progress(b, &progress);
    enum err closed = b->ops->read_close(b, e == ERR_END ? err : NULL);
    if (e && e != ERR_END)
        return e;
    if (atomic_load(l->c->job.cancelled))
        return err_set(err, ERR_CANCELLED, "cancelled");
    if (progress.incomplete)
        return err_set(err, ERR_LIMIT, "%s cannot be looked through whole", l->place->channel.name);
    return closed;
}

/* Who cannot tell where a time begins is read from the beginning. */
static enum err read_since(struct look *l, struct broker *b, int64_t from_ns, struct err_info *err)
{
    enum err e = read_all(l, b, from_ns, err);
    return e == ERR_UNSUPPORTED && from_ns != TIME_NONE ? read_all(l, b, TIME_NONE, err) : e;
}

static enum err look_through(struct copies *c, struct place *place, int64_t from_ns, struct err_info *err)
{
    struct look l = {.c = c, .place = place, .prefix = strlen(c->job.cluster) + strlen(c->job.channel) + 2};
    struct destination_job job = {
        .ops = c->job.ops, .endpoint = c->job.endpoint, .prepare = c->job.prepare, .context = c->job.context};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct destination *d = fd >= 0 ? destination_open(&job, fd, err) : NULL;
    enum err e = d        ? read_since(&l, destination_broker(d), from_ns, err)
                 : fd < 0 ? err_set(err, ERR_FAILED, "no descriptor for a look")
                          : err->code;
    destination_close(&d);
    if (fd >= 0)
        close(fd);
    if (!l.failed.code)
        return e;
    *err = l.failed;
    err_next(err, "`--again` sends without looking at what is there");
    return err->code;
}

enum err copies_find(struct copies *c, const struct channel_name *to, const struct message *m, bool *there,
                     struct err_info *err)
{
    struct place *place = place_of(c, to, err);
    if (!place)
        return err->code;
    bool before = m->time_ns == TIME_NONE ? place->from_ns != TIME_NONE
                                          : place->from_ns != TIME_NONE && m->time_ns < place->from_ns;
    if (!place->looked || before) {
        int64_t from_ns = m->time_ns <= c->slack_ns ? TIME_NONE : m->time_ns - c->slack_ns;
        if (place->looked)
            c->slack_ns *= 2;
        struct err_info why = {.code = ERR_OK};
        enum err e = look_through(c, place, from_ns, &why);
        if (e && e != ERR_NOTFOUND) { /* where nothing is, no copy is */
            *err = why;
            return e;
        }
        place->from_ns = from_ns;
        place->looked = true;
    }
    *there = position_set_has(place->copies, m->position);
    return ERR_OK;
}
