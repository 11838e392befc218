#include "operations/dedupe_internal.h"
#include "operations/sorter.h"
#include "operations/spill.h"

#include <assert.h>
#include <stdlib.h>

static_assert(RECORD_MOST <= SORTER_RECORD, "a record fits");
static_assert(sizeof(struct record) % 8 == 0, "records are whole eights");

#define PIECE (64 * KIB) /* of two long values that are compared */

struct dedupe {
    struct dedupe_job job;
    struct sorter *sorter;
    struct spill *values; /* the long ones, one behind the other; NULL: none yet */
    struct sha256 *sha;
    struct buffer room, shown_room;
    const struct origin **origins;
    size_t origin_count, origin_cap;
    struct dedupe_totals totals;
    struct groups groups;
    uint64_t recorded, walked;
    bool began, open, ended;
    /* The first record of the open group, and room for another one. */
    uint64_t head[RECORD_MOST / 8], other[RECORD_MOST / 8];
    uint8_t shown[DEDUPE_INLINE];
    struct spill *left[2]; /* records whose long value only looks like the open group's; NULL: never needed */
    uint8_t *pieces;       /* three of them: two that are compared, one for reading what is left */
};

/* ---- the order ---- */

static int order_of(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* Copies of one value: as they stand in a queue or a stream; those of several partitions by time. */
static int compare_places(const struct record *x, const struct record *y)
{
    int order = order_of(x->kind, y->kind);
    if (!order && x->kind == POSITION_PARTITION) {
        order = order_of(x->time_ns, y->time_ns);
        order = order ? order : order_of(x->partition, y->partition);
        order = order ? order : order_of(x->offset, y->offset);
    }
    return order ? order : order_of((int64_t)x->number, (int64_t)y->number);
}

static int compare(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    int order = order_of(x->length, y->length);
    if (!order && !(x->flags & RECORD_LONG))
        order = memcmp(record_value(x), record_value(y), x->length);
    return order ? order : compare_places(x, y);
}

/* Equal as far as the order tells: all of a short value, hash and length of a long one. */
static bool seem_equal(const struct record *x, const struct record *y)
{
    return x->hash == y->hash && x->length == y->length &&
           (x->flags & RECORD_LONG || memcmp(record_value(x), record_value(y), x->length) == 0);
}

/* ---- adding ---- */

struct dedupe *dedupe_new(const struct dedupe_job *job, struct err_info *err)
{
    struct dedupe *d = calloc(1, sizeof *d);
    if (!d) {
        err_set(err, ERR_NOMEM, "no memory to look for duplicates");
        return NULL;
    }
    size_t groups = job->groups < DEDUPE_GROUPS ? job->groups : DEDUPE_GROUPS;
    d->job = *job;
    d->totals.first_ns = d->totals.last_ns = TIME_NONE;
    buffer_init(&d->room, 2 * LIMIT_MESSAGE);
    buffer_init(&d->shown_room, 2 * LIMIT_MESSAGE);
    d->groups = (struct groups){.keep = job->keep,
                                .differing = job->differing,
                                .extras = job->extras,
                                .totals = &d->totals,
                                .held_most = groups};
    d->sorter = sorter_new(job->memory ? job->memory : DEDUPE_MEMORY, compare);
    d->sha = sha256_new();
    d->pieces = malloc(3 * PIECE);
    d->groups.held = groups ? calloc(groups, sizeof *d->groups.held) : NULL;
    if (!d->sorter || !d->sha || !d->pieces || (groups && !d->groups.held)) {
        dedupe_free(&d);
        err_set(err, ERR_NOMEM, "no memory to look for duplicates");
    }
    return d;
}

void dedupe_free(struct dedupe **dp)
{
    struct dedupe *d = *dp;
    *dp = NULL;
    if (!d)
        return;
    sorter_free(&d->sorter);
    spill_free(&d->values);
    spill_free(&d->left[0]);
    spill_free(&d->left[1]);
    sha256_end(&d->sha, NULL);
    buffer_free(&d->room);
    buffer_free(&d->shown_room);
    groups_free(&d->groups);
    free(d->origins);
    free(d->pieces);
    free(d);
}

static enum err find_origin(struct dedupe *d, const struct origin *origin, uint16_t *number,
                            struct err_info *err)
{
    size_t i = 0;
    while (i < d->origin_count && d->origins[i] != origin)
        i++;
    *number = (uint16_t)i;
    if (i < d->origin_count)
        return ERR_OK;
    if (i > UINT16_MAX)
        return err_set(err, ERR_LIMIT, "messages of more than 65,536 channels");
    if (i == d->origin_cap) {
        size_t cap = d->origin_cap ? d->origin_cap * 2 : 4;
        const struct origin **origins = reallocarray(d->origins, cap, sizeof *origins);
        if (!origins)
            return err_set(err, ERR_NOMEM, "no memory for channels");
        d->origins = origins;
        d->origin_cap = cap;
    }
    d->origins[d->origin_count++] = origin;
    return ERR_OK;
}

/* A body that was cut is like no other. */
static const uint8_t *body_of(struct dedupe *d, struct dedupe_message *message)
{
    if (message->digested)
        return message->body;
    message->digested = true;
    memset(message->body, 0, sizeof message->body);
    if (!message->m->payload.data)
        return message->body;
    if (message->m->flags & MESSAGE_TRUNCATED)
        sha256_add(d->sha, bytes_of(&d->totals.messages, sizeof d->totals.messages));
    sha256_add(d->sha, message->m->payload);
    sha256_take(d->sha, message->body);
    return message->body;
}

/* That of a long value has no two that anybody could make on purpose: what looks equal is compared byte by byte, and of many that only look
 * so each with each. */
static uint64_t hash_of(struct dedupe *d, struct dedupe_message *message, struct bytes value)
{
    uint8_t digest[SHA256_SIZE];
    uint64_t hash;
    if (d->job.hash)
        return d->job.hash(value);
    if (value.len <= DEDUPE_INLINE)
        return hash_bytes(value, 0);
    if (dedupe_rule_is_body(d->job.rule)) {
        memcpy(digest, body_of(d, message), sizeof digest);
    } else {
        sha256_add(d->sha, value);
        sha256_take(d->sha, digest);
    }
    memcpy(&hash, digest, sizeof hash);
    return hash;
}

static bool is_hidden(struct dedupe *d, const struct dedupe_message *message, struct bytes value)
{
    struct bytes shown;
    return message->shown != message->m &&
           (dedupe_rule_value(d->job.rule, message->shown, &d->shown_room, &shown) != DEDUPE_FOUND ||
            !buffer_ok(&d->shown_room) || !bytes_equal(shown, value));
}

static enum err put_value(struct dedupe *d, struct record *r, struct bytes value, struct err_info *err)
{
    uint8_t *into = (uint8_t *)r + r->value_at;
    if (value.len <= DEDUPE_INLINE) {
        if (value.len)
            memcpy(into, value.data, value.len);
        return ERR_OK;
    }
    if (!d->values)
        d->values = spill_new(err);
    if (!d->values)
        return err->code;
    uint64_t at = spill_size(d->values);
    memcpy(into, &at, sizeof at);
    r->flags |= RECORD_LONG;
    return spill_append(d->values, value, err);
}

static enum err add_record(struct dedupe *d, struct dedupe_message *message, struct bytes value,
                           struct err_info *err)
{
    const struct message *m = message->m;
    uint64_t room[RECORD_MOST / 8] = {0};
    struct record *r = (struct record *)room;
    uint8_t *tail = (uint8_t *)(r + 1);
    *r = (struct record){.hash = hash_of(d, message, value),
                         .number = d->totals.messages,
                         .time_ns = m->time_ns,
                         .offset = m->position.offset,
                         .length = (uint32_t)value.len,
                         .size = (uint32_t)m->payload.len,
                         .partition = m->position.partition,
                         .kind = (uint8_t)m->position.kind,
                         .flags = is_hidden(d, message, value) ? RECORD_HIDDEN : 0};
    enum err e = find_origin(d, m->origin, &r->origin, err);
    if (!e && !dedupe_rule_is_body(d->job.rule)) {
        memcpy(tail, body_of(d, message), SHA256_SIZE);
        tail += SHA256_SIZE;
        r->flags |= RECORD_BODY;
    }
    if (!e && d->job.extras && m->position.kind == POSITION_NONE) {
        e = identity_of(m, d->job.counters, tail, err);
        tail += IDENTITY_SIZE;
        r->flags |= RECORD_IDENTITY;
    }
    r->value_at = (uint32_t)(tail - (uint8_t *)room);
    if (!e)
        e = put_value(d, r, value, err);
    size_t len = r->value_at + (r->flags & RECORD_LONG ? sizeof(uint64_t) : value.len);
    return e ? e : sorter_add(d->sorter, r, (len + 7) / 8 * 8, err);
}

static void note_time(struct dedupe_totals *t, int64_t ns)
{
    if (ns == TIME_NONE)
        return;
    t->first_ns = t->first_ns == TIME_NONE || ns < t->first_ns ? ns : t->first_ns;
    t->last_ns = t->last_ns == TIME_NONE || ns > t->last_ns ? ns : t->last_ns;
}

enum err dedupe_add(struct dedupe *d, struct dedupe_message *message, struct err_info *err)
{
    struct bytes value;
    assert(!d->began);
    d->totals.messages++;
    note_time(&d->totals, message->m->time_ns);
    enum dedupe_value found = dedupe_rule_value(d->job.rule, message->m, &d->room, &value);
    if (!buffer_ok(&d->room))
        return err_set(err, ERR_NOMEM, "no memory for a message's value");
    /* What was cut or hidden is not what its sender sent: that it looks the same says nothing. */
    if (message->m->flags & (MESSAGE_TRUNCATED | MESSAGE_REDACTED))
        found = found == DEDUPE_NONE ? found : DEDUPE_UNKNOWN;
    d->totals.without += found == DEDUPE_NONE;
    d->totals.unknown += found == DEDUPE_UNKNOWN;
    if (found != DEDUPE_FOUND)
        return ERR_OK;
    d->recorded++;
    return add_record(d, message, value, err);
}

/* ---- forming groups ---- */

static uint64_t place_of(const struct record *r)
{
    uint64_t at;
    memcpy(&at, record_value(r), sizeof at);
    return at;
}

/* Byte by byte. */
static enum err are_same(struct dedupe *d, const struct record *a, const struct record *b, bool *same,
                         struct err_info *err)
{
    uint64_t x = place_of(a), y = place_of(b);
    *same = true;
    for (uint32_t at = 0; at < a->length && *same; at += PIECE) {
        size_t len = a->length - at < PIECE ? a->length - at : PIECE;
        enum err e = spill_read(d->values, x + at, d->pieces, len, err);
        if (!e)
            e = spill_read(d->values, y + at, d->pieces + PIECE, len, err);
        if (e)
            return e;
        *same = memcmp(d->pieces, d->pieces + PIECE, len) == 0;
    }
    return ERR_OK;
}

static void open_group(struct dedupe *d, const struct record *r, size_t len)
{
    memcpy(d->head, r, len);
    d->open = true;
    groups_open(&d->groups, r);
}

static enum err close_group(struct dedupe *d, struct err_info *err)
{
    const struct record *head = (const struct record *)d->head;
    struct bytes value = bytes_of(record_value(head), head->length);
    d->open = false;
    if (head->flags & RECORD_LONG && groups_wants(&d->groups)) {
        enum err e = spill_read(d->values, place_of(head), d->shown, sizeof d->shown, err);
        if (e)
            return e;
        value = bytes_of(d->shown, sizeof d->shown);
    }
    if (head->flags & RECORD_LONG && value.data != d->shown)
        value = BYTES_NULL;
    return groups_close(&d->groups, value, head->length, err);
}

static enum err leave(struct dedupe *d, size_t to, const struct record *r, size_t len, struct err_info *err)
{
    uint64_t size = len;
    if (!d->left[to])
        d->left[to] = spill_new(err);
    if (!d->left[to])
        return err->code;
    enum err e = spill_append(d->left[to], bytes_of(&size, sizeof size), err);
    return e ? e : spill_append(d->left[to], bytes_of(r, len), err);
}

/* Into the open group, or to those that are left. */
static enum err join(struct dedupe *d, size_t left, const struct record *r, size_t len, struct err_info *err)
{
    bool same = true;
    enum err e = r->flags & RECORD_LONG ? are_same(d, (const struct record *)d->head, r, &same, err) : ERR_OK;
    if (e)
        return e;
    return same ? groups_add(&d->groups, r, err) : leave(d, left, r, len, err);
}

static enum err read_left(struct dedupe *d, struct spill_reader *reader, size_t *len, struct err_info *err)
{
    const uint8_t *bytes;
    uint64_t size;
    enum err e = spill_take(reader, sizeof size, &bytes, err);
    if (e)
        return e;
    memcpy(&size, bytes, sizeof size);
    *len = (size_t)size;
    e = spill_take(reader, *len, &bytes, err);
    if (!e)
        memcpy(d->other, bytes, *len);
    return e;
}

/* Of what looked alike and was not, each round forms one group more. */
static enum err regroup(struct dedupe *d, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t from = 0; !e && d->left[from] && spill_size(d->left[from]); from = 1 - from) {
        struct spill_reader reader;
        spill_reader_init(&reader, d->left[from], 0, spill_size(d->left[from]), d->pieces + 2 * PIECE, PIECE);
        while (!e && !spill_reader_is_done(&reader)) {
            const struct record *r = (const struct record *)d->other;
            size_t len;
            e = read_left(d, &reader, &len, err);
            if (!e && d->open)
                e = join(d, 1 - from, r, len, err);
            else if (!e)
                open_group(d, r, len);
        }
        if (!e)
            e = close_group(d, err);
        if (!e)
            e = spill_clear(d->left[from], err);
    }
    return e;
}

static enum err finish_value(struct dedupe *d, struct err_info *err)
{
    enum err e = d->open ? close_group(d, err) : ERR_OK;
    return e ? e : regroup(d, err);
}

static enum err take(struct dedupe *d, const struct record *r, size_t len, struct err_info *err)
{
    if (d->open && seem_equal((const struct record *)d->head, r))
        return join(d, 0, r, len, err);
    enum err e = finish_value(d, err);
    if (!e)
        open_group(d, r, len);
    return e;
}

enum err dedupe_step(struct dedupe *d, size_t messages, struct err_info *err)
{
    const void *record;
    size_t len;
    enum err e = ERR_OK;
    if (d->ended)
        return ERR_END;
    if (!d->began) {
        d->began = true;
        d->groups.origins = d->origins;
        e = sorter_begin(d->sorter, err);
    }
    for (size_t i = 0; i < messages && !e; i++) {
        e = sorter_next(d->sorter, &record, &len, err);
        if (!e) {
            e = take(d, record, len, err);
            d->walked++;
        }
    }
    if (e != ERR_END)
        return e;
    e = finish_value(d, err);
    if (e)
        return e;
    d->ended = true;
    groups_sort(&d->groups);
    return ERR_END;
}

double dedupe_done(const struct dedupe *d)
{
    return d->ended ? 1 : d->recorded ? (double)d->walked / (double)d->recorded : 0;
}

const struct dedupe_totals *dedupe_totals(const struct dedupe *d)
{
    return &d->totals;
}

size_t dedupe_group_count(const struct dedupe *d)
{
    return d->groups.held_count;
}

const struct dedupe_group *dedupe_group(const struct dedupe *d, size_t i)
{
    return &d->groups.held[i];
}
