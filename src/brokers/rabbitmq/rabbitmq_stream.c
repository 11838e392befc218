/* Streams over AMQP 0-9-1: basic.consume with x-stream-offset, prefetch obligatory, acknowledgements are credit alone. Nothing
 * is marked or removed. The end of a browse is the offset of the newest message, which a look at the last chunk tells. The broker's
 * channel hands out what a stream has in one go, as far as the prefetch lets it, before it takes the next method: so once the chunk
 * has begun, the answer to a method that does nothing (channel.flow) comes behind its last message, however busy the stream is.
 *
 * A tail begins at an offset too, and not at "next": so its place is known before a message has come, and what is sent while its
 * connection is lost is read afterwards. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SILENCE_MS 300
#define SURE_SILENCE_MS \
 2000 /* before a stream is taken for another one, or for one that ends before a time */
#define LOOK_MOST_NS (5 * NS_PER_S)
#define END_MOST_NS  NS_PER_S /* of a busy stream: what comes next is near enough */

static amqp_table_entry_t offset_text(const char *value)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes("x-stream-offset")};
    e.value.kind = AMQP_FIELD_KIND_UTF8;
    e.value.value.bytes = amqp_cstring_bytes(value);
    return e;
}

static amqp_table_entry_t offset_number(int64_t offset)
{
    amqp_table_entry_t e = offset_text("");
    e.value.kind = AMQP_FIELD_KIND_I64;
    e.value.value.i64 = offset;
    return e;
}

/* Seconds; reading begins at the chunk that holds it, so that earlier messages come too. */
static amqp_table_entry_t offset_time(int64_t ns)
{
    amqp_table_entry_t e = offset_text("");
    e.value.kind = AMQP_FIELD_KIND_TIMESTAMP;
    e.value.value.u64 = (uint64_t)(ns / NS_PER_S);
    return e;
}

void rabbit_stream_position(struct message *m)
{
    struct headers h = m->headers;
    for (uint32_t i = 0; h.items && i < h.count; i++) {
        const struct value *v = &h.items[i].value;
        bool integer = v->type >= VALUE_INT8 && v->type <= VALUE_UINT64;
        if (!integer || !bytes_equal_text(h.items[i].name, "x-stream-offset"))
            continue;
        m->position = (struct position){POSITION_OFFSET, 0, v->type >= VALUE_UINT8 ? (int64_t)v->u : v->i};
        /* The list is the arena's and ours to change: the broker added this one, the sender did not. */
        struct header *items = (struct header *)(uintptr_t)h.items;
        for (uint32_t k = i; k + 1 < h.count; k++)
            items[k] = items[k + 1];
        m->headers.count--;
        return;
    }
}

/* ---- where a stream begins and ends ---- */

struct look {
    const struct read_request *request;
    const struct rabbit_channel *found;
    struct rabbit_ends *ends;
    bool asked;   /* the answer that comes behind the messages is on its way */
    size_t since; /* messages since it was asked for */
    bool over;    /* it came behind the last one */
};

static enum start_kind start_of(const struct read_request *request)
{
    if (request->start.kind != START_DEFAULT)
        return request->start.kind;
    return request->mode == READ_BROWSE ? START_BEGINNING : START_END;
}

static const struct read_place *place_of(const struct read_request *request, size_t channel)
{
    const struct read_places *places = request->resume;
    for (size_t i = 0; places && i < places->count; i++)
        if (places->items[i].channel == channel)
            return &places->items[i];
    return NULL;
}

static bool wants_newest(const struct look *l, size_t channel)
{
    enum start_kind kind = start_of(l->request);
    if (l->found[channel].kind != CHANNEL_STREAM)
        return false;
    return l->request->mode == READ_BROWSE || kind == START_END || kind == START_LAST ||
           kind == START_OFFSET || place_of(l->request, channel);
}

static bool wants_oldest(const struct look *l, size_t channel)
{
    return l->found[channel].kind == CHANNEL_STREAM && place_of(l->request, channel);
}

/* Some of it was seen, and it does not reach so far by now. */
static bool is_shorter(const struct look *l, size_t channel)
{
    const struct read_place *place = place_of(l->request, channel);
    return place && l->ends[channel].newest + 1 < place->next;
}

static bool any_is_shorter(const struct look *l)
{
    bool any = false;
    for (size_t i = 0; i < l->request->channel_count; i++)
        any |= wants_newest(l, i) && is_shorter(l, i);
    return any;
}

/* Who knows where it stood needs no silence to know the end. */
static bool is_settled(const struct look *l)
{
    bool settled = true;
    for (size_t i = 0; i < l->request->channel_count; i++)
        settled &=
            !wants_newest(l, i) || (place_of(l->request, i) && l->ends[i].oldest >= 0 && !is_shorter(l, i));
    return settled;
}

/* All of a kind, as consumers with that letter and the channel's index for a tag. */
static enum err consume_ends(struct broker *b, const struct look *l, bool oldest, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    amqp_table_entry_t entry = offset_text(oldest ? "first" : "last");
    amqp_table_t arguments = {1, &entry};
    enum err e = rabbit_prefetch(b, oldest ? 1 : RABBIT_PREFETCH, err);
    for (size_t i = 0; !e && i < l->request->channel_count; i++) {
        char tag[24];
        if (!(oldest ? wants_oldest(l, i) : wants_newest(l, i)))
            continue;
        snprintf(tag, sizeof tag, "%c%zu", oldest ? 'f' : 'l', i);
        amqp_basic_consume(rabbit->connection, RABBIT_CHANNEL, rabbit_text(l->request->channels[i].name),
                           rabbit_text(tag), 0, 0, 0, arguments);
        e = rabbit_last_reply(b, "looking at the ends of the stream", err);
    }
    return e;
}

static enum err cancel_ends(struct broker *b, const struct look *l, bool oldest, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < l->request->channel_count; i++) {
        char tag[24];
        if (!(oldest ? wants_oldest(l, i) : wants_newest(l, i)))
            continue;
        snprintf(tag, sizeof tag, "%c%zu", oldest ? 'f' : 'l', i);
        amqp_basic_cancel(rabbit->connection, RABBIT_CHANNEL, rabbit_text(tag));
        e = rabbit_last_reply(b, "looking at the ends of the stream", err);
    }
    return e;
}

static int64_t delivery_offset(struct rabbit_reader *r, const struct rabbit_delivery *d)
{
    struct message m = {.headers = {NULL, 0}};
    arena_reset(&r->arena);
    rabbit_message(&m, d, &r->arena);
    rabbit_stream_position(&m);
    return m.position.offset;
}

/* Of the beginning one message is enough, and is not acknowledged: that would ask for more. */
static void take_end(struct broker *b, const struct look *l, const struct rabbit_delivery *d)
{
    struct rabbit *rabbit = b->state;
    int64_t offset = delivery_offset(rabbit->reader, d);
    char tag[24];
    rabbit_copy(tag, sizeof tag, d->consumer);
    struct rabbit_ends *ends = &l->ends[strtoul(tag + 1, NULL, 10) % RABBIT_MOST_CHANNELS];
    if (tag[0] == 'f') {
        ends->oldest = ends->oldest < 0 || offset < ends->oldest ? offset : ends->oldest;
        return;
    }
    ends->newest = offset > ends->newest ? offset : ends->newest;
    amqp_basic_ack(rabbit->connection, RABBIT_CHANNEL, d->tag, 0);
}

static bool have_all_begun(const struct look *l)
{
    bool begun = true;
    for (size_t i = 0; i < l->request->channel_count; i++)
        begun &= (!wants_newest(l, i) || l->ends[i].newest >= 0) &&
                 (!wants_oldest(l, i) || l->ends[i].oldest >= 0);
    return begun;
}

static enum err ask_behind(struct broker *b, struct look *l, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    amqp_channel_flow_t flow = {.active = 1};
    l->asked = true;
    l->since = 0;
    return rabbit_status(
        b, amqp_send_method(rabbit->connection, RABBIT_CHANNEL, AMQP_CHANNEL_FLOW_METHOD, &flow), err);
}

/* As many as the prefetch: it may have been in the way of more, which our acknowledgements have let go by now. */
static enum err take_answer(struct broker *b, struct look *l, struct err_info *err)
{
    l->over = l->since < RABBIT_PREFETCH;
    return l->over ? ERR_OK : ask_behind(b, l, err);
}

static enum err take_frame(struct broker *b, struct look *l, enum rabbit_came came, struct rabbit_delivery *d,
                           const amqp_frame_t *frame, struct err_info *err)
{
    if (came == RABBIT_DELIVERY) {
        l->since++;
        take_end(b, l, d);
        rabbit_delivery_free(d);
        return l->asked || !have_all_begun(l) ? ERR_OK : ask_behind(b, l, err);
    }
    if (frame->frame_type == AMQP_FRAME_METHOD && frame->payload.method.id == AMQP_CHANNEL_FLOW_OK_METHOD)
        return take_answer(b, l, err);
    return rabbit_other_frame(b, frame, err);
}

static void say_waiting(struct broker *b, bool *said)
{
    const struct rabbit *rabbit = b->state;
    if (!*said)
        rabbit->reader->sink.notice(rabbit->reader->sink.context,
                                    "waiting until the broker has shown where the stream ends");
    *said = true;
}

/* A stream that gives nothing is empty: a moment of silence ends the look then. */
static enum err take_ends(struct broker *b, struct look *l, struct err_info *err)
{
    bool at_end = start_of(l->request) == START_END && !l->request->resume, said = false;
    int64_t began = clock_mono_ns(), end = began + (at_end ? END_MOST_NS : LOOK_MOST_NS), now = began;
    while (!is_settled(l) && !l->over && now < end && !atomic_load(b->cancelled)) {
        struct rabbit_delivery d;
        enum rabbit_came came;
        amqp_frame_t frame;
        int silence = any_is_shorter(l) || l->asked ? SURE_SILENCE_MS : SILENCE_MS;
        enum err e = rabbit_receive(b, silence, &d, &frame, &came, err);
        if (!e && came == RABBIT_NOTHING)
            break;
        if (!e)
            e = take_frame(b, l, came, &d, &frame, err);
        if (e)
            return e;
        now = clock_mono_ns();
        if (now - began > NS_PER_S)
            say_waiting(b, &said);
    }
    return ERR_OK;
}

enum err rabbit_stream_ends(struct broker *b, const struct read_request *request,
                            const struct rabbit_channel *found, struct rabbit_ends *ends,
                            struct err_info *err)
{
    struct look look = {.request = request, .found = found, .ends = ends};
    bool any = false;
    for (size_t i = 0; i < request->channel_count; i++) {
        ends[i] = (struct rabbit_ends){-1, -1};
        any |= wants_newest(&look, i);
    }
    if (!any)
        return ERR_OK;
    enum err e = request->resume ? consume_ends(b, &look, true, err) : ERR_OK;
    if (!e)
        e = consume_ends(b, &look, false, err);
    if (!e)
        e = take_ends(b, &look, err);
    if (!e)
        e = cancel_ends(b, &look, true, err);
    if (!e)
        e = cancel_ends(b, &look, false, err);
    return e;
}

/* ---- beginning ---- */

/* Silence is no emptiness: the broker may be slow. And retention may leave a stream with nothing to give, which goes on at its offsets;
 * the broker counts something there still. */
static enum err check_empty(struct broker *b, const char *name, bool *empty, struct err_info *err)
{
    int64_t ready = 0, consumers;
    enum err e = rabbit_ready(b, name, &ready, &consumers, err);
    *empty = !e && ready == 0;
    return e;
}

static enum err check_offset(const struct broker *b, const char *name, int64_t offset, int64_t newest,
                             struct err_info *err)
{
    if (offset <= newest + 1)
        return ERR_OK;
    err_set(err, ERR_USAGE, "offset %" PRId64 " is beyond the end: the newest message has %" PRId64, offset,
            newest);
    err_where(err, "%s/%s", b->endpoint->name, name);
    err_next(err, "--from end is what comes next; --from end-10 the last ten");
    return ERR_USAGE;
}

/* Behind what was seen before the connection was lost. */
static enum err begin_behind(struct broker *b, struct rabbit_source *s, const struct read_place *place,
                             const struct rabbit_ends *ends, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    const struct read_sink *sink = &rabbit->reader->sink;
    const char *name = s->origin->channel;
    bool shorter = ends->newest + 1 < place->next, empty = true;
    enum err e = shorter && ends->newest < 0 ? check_empty(b, name, &empty, err) : ERR_OK;
    bool anew = place->anew || (shorter && empty);
    int64_t gone = !anew && ends->oldest > place->next ? ends->oldest - place->next : 0;
    char text[400];
    if (anew)
        snprintf(text, sizeof text, "%s was made anew since it was seen: it is read from its beginning",
                 name);
    else
        snprintf(text, sizeof text, "%s: %" PRId64 " offsets were removed before they could be seen", name,
                 gone);
    if (!e && (anew || gone))
        sink->notice(sink->context, text);
    s->next = anew ? 0 : place->next + gone;
    s->anew = anew;
    return e;
}

static void say_chunk(struct broker *b, const char *name)
{
    const struct rabbit *rabbit = b->state;
    char text[400];
    snprintf(text, sizeof text,
             "stream %s is read from the chunk on that holds that time: some messages of before it come, too",
             name);
    rabbit->reader->sink.notice(rabbit->reader->sink.context, text);
}

/* The offset to begin with becomes the source's place; where it has none *entry says how to begin. */
static enum err begin(struct broker *b, struct rabbit_source *s, const struct read_request *request,
                      const struct rabbit_ends *ends, amqp_table_entry_t *entry, struct err_info *err)
{
    const char *name = s->origin->channel;
    int64_t value = request->start.value, newest = ends->newest;
    const struct read_place *place = place_of(request, s->channel);
    bool empty = false;
    enum err e = ERR_OK;
    if (place)
        return begin_behind(b, s, place, ends, err);
    switch (start_of(request)) {
    case START_TIME:
        *entry = offset_time(value);
        if (value <= clock_wall_ns())
            say_chunk(b, name);
        break;
    case START_LAST: s->next = newest - value + 1 > 0 ? newest - value + 1 : 0; break;
    case START_OFFSET:
        e = check_offset(b, name, value, newest, err);
        s->next = value;
        break;
    case START_END:
        e = newest < 0 ? check_empty(b, name, &empty, err) : ERR_OK;
        s->next = newest >= 0 || empty ? newest + 1 : -1;
        *entry = offset_text("next");
        break;
    default: s->next = 0; break;
    }
    return e;
}

/* False: there is nothing to read. */
static bool bound_browse(struct rabbit_reader *r, const struct read_request *request, int64_t newest)
{
    enum start_kind kind = start_of(request);
    bool some = newest >= 0 && kind != START_END && (kind != START_OFFSET || request->start.value <= newest);
    r->stream_end = some ? newest : -1;
    r->progress.total = newest + 1;
    r->progress.total_upper = true;
    return some;
}

enum err rabbit_stream_open(struct broker *b, const struct read_request *request, size_t channel,
                            const struct rabbit_ends *ends, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    const char *name = request->channels[channel].name;
    struct rabbit_source *s = rabbit_source_add(b, name, CHANNEL_STREAM);
    amqp_table_entry_t entry = {0};
    amqp_table_t arguments = {1, &entry};
    if (!s)
        return err_set(err, ERR_LIMIT, "too many channels for one session");
    s->channel = channel;
    s->next = -1;
    enum err e = begin(b, s, request, ends, &entry, err);
    if (e || (r->browse && !bound_browse(r, request, ends->newest)))
        return e;
    if (s->next >= 0)
        entry = offset_number(s->next);
    s->stream = true;
    if (r->browse && s->next < 0)
        r->silent_until_ns = clock_mono_ns() + SURE_SILENCE_MS * NS_PER_MS;
    return rabbit_consume(b, rabbit_text(name), &arguments, err);
}

bool rabbit_stream_is_past(const struct rabbit_reader *r)
{
    return r->progress.scanned == 0 && clock_mono_ns() >= r->silent_until_ns;
}
