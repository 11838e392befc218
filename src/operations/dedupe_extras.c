#include "operations/dedupe_extras.h"

#include "base/hash.h"
#include "operations/position_set.h"
#include "operations/spill.h"

#include <stdlib.h>

#define NO_ENTRY UINT32_MAX
#define MAGIC    "signalbox.extras/1\n"
#define OPEN     4096 /* positions of the open group that are held; more are spilled */

enum entry_flag {
    ENTRY_KEPT = 1,  /* the one that is kept is of this identity */
    ENTRY_MIXED = 2, /* it is in two groups: which of them is which cannot be told, so that all stay */
};

struct entry {
    uint8_t identity[IDENTITY_SIZE];
    uint32_t leader; /* the first entry of its group */
    uint32_t total;  /* copies that the report saw, and that are not removed yet */
    uint32_t asked;  /* copies that have come by */
    uint32_t seen;   /* copies that are there */
    uint16_t flags;
    bool held; /* of a leader: one of the group is kept, or will be */
};

struct dedupe_extras {
    bool keep_last;
    struct position_set *positions;
    struct entry *entries;
    uint32_t count, cap;
    uint32_t *index; /* of entries, plus one; a power of two */
    size_t index_size;
    uint32_t leader; /* of the group that is open */
    uint64_t going;  /* of the entries: how many are to go */
    /* Positions of the open group, in case that it stays as it is. */
    struct position *open;
    size_t open_count;
    struct spill *more; /* NULL: never needed */
};

struct dedupe_extras *dedupe_extras_new(bool keep_last)
{
    struct dedupe_extras *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->keep_last = keep_last;
    e->leader = NO_ENTRY;
    e->index_size = 64;
    e->index = calloc(e->index_size, sizeof *e->index);
    e->positions = position_set_new(EXTRAS_POSITIONS);
    e->open = calloc(OPEN, sizeof *e->open);
    if (!e->index || !e->positions || !e->open)
        dedupe_extras_free(&e);
    return e;
}

void dedupe_extras_free(struct dedupe_extras **ep)
{
    struct dedupe_extras *e = *ep;
    *ep = NULL;
    if (!e)
        return;
    position_set_free(&e->positions);
    spill_free(&e->more);
    free(e->open);
    free(e->entries);
    free(e->index);
    free(e);
}

uint64_t dedupe_extras_count(const struct dedupe_extras *e)
{
    return position_set_count(e->positions) + e->going;
}

/* ---- identities ---- */

/* Its place in the index, or the free one where it belongs. An identity is a digest: any part of it is a hash. */
static size_t slot_of(const struct dedupe_extras *e, const uint8_t *identity)
{
    uint64_t hash;
    memcpy(&hash, identity, sizeof hash);
    size_t at = (size_t)hash & (e->index_size - 1);
    while (e->index[at] && memcmp(e->entries[e->index[at] - 1].identity, identity, IDENTITY_SIZE) != 0)
        at = (at + 1) & (e->index_size - 1);
    return at;
}

static struct entry *find(const struct dedupe_extras *e, const uint8_t *identity)
{
    uint32_t at = e->index[slot_of(e, identity)];
    return at ? &e->entries[at - 1] : NULL;
}

static bool make_room(struct dedupe_extras *e)
{
    if (e->count == e->cap) {
        uint32_t cap = e->cap ? e->cap * 2 : 64;
        cap = cap < EXTRAS_IDENTITIES ? cap : EXTRAS_IDENTITIES;
        struct entry *entries = reallocarray(e->entries, cap, sizeof *entries);
        if (!entries)
            return false;
        e->entries = entries;
        e->cap = cap;
    }
    if ((size_t)e->count * 2 < e->index_size)
        return true;
    uint32_t *index = calloc(e->index_size * 2, sizeof *index);
    if (!index)
        return false;
    free(e->index);
    e->index = index;
    e->index_size *= 2;
    for (uint32_t i = 0; i < e->count; i++)
        e->index[slot_of(e, e->entries[i].identity)] = i + 1;
    return true;
}

static struct entry *add_entry(struct dedupe_extras *e, const uint8_t *identity, struct err_info *err)
{
    if (e->count == EXTRAS_IDENTITIES) {
        err_set(err, ERR_LIMIT, "more than %u different messages have duplicates", EXTRAS_IDENTITIES);
        err_next(err, "take some of them at a time, with --select");
        return NULL;
    }
    if (!make_room(e)) {
        err_set(err, ERR_NOMEM, "no memory for duplicates");
        return NULL;
    }
    struct entry *entry = &e->entries[e->count];
    *entry = (struct entry){.leader = e->leader == NO_ENTRY ? e->count : e->leader};
    memcpy(entry->identity, identity, IDENTITY_SIZE);
    e->index[slot_of(e, identity)] = ++e->count;
    return entry;
}

static uint32_t going_of(const struct entry *entry)
{
    uint32_t kept = entry->flags & ENTRY_KEPT ? 1 : 0;
    return entry->flags & ENTRY_MIXED || entry->total < kept ? 0 : entry->total - kept;
}

/* What is in two groups does not go: what it was counted for is taken back. */
static void mix(struct dedupe_extras *e, struct entry *entry)
{
    e->going -= going_of(entry);
    entry->flags |= ENTRY_MIXED;
}

static enum err add_identity(struct dedupe_extras *e, const uint8_t *identity, struct err_info *err)
{
    struct entry *entry = find(e, identity);
    if (!entry)
        entry = add_entry(e, identity, err);
    if (!entry)
        return err->code;
    if (e->leader == NO_ENTRY && entry->total == 0)
        e->leader = entry->leader;
    else if (entry->leader != e->leader)
        mix(e, entry);
    entry->total++;
    if (!(entry->flags & ENTRY_MIXED))
        e->going++;
    return ERR_OK;
}

static enum err add_position(struct dedupe_extras *e, struct position p, struct err_info *err)
{
    enum err failed = position_set_add(e->positions, p, err);
    if (!failed && e->open_count == OPEN) {
        if (!e->more && !(e->more = spill_new(err)))
            return err->code;
        failed = spill_append(e->more, bytes_of(e->open, OPEN * sizeof *e->open), err);
        e->open_count = 0;
    }
    if (!failed)
        e->open[e->open_count++] = p;
    return failed;
}

enum err dedupe_extras_add(struct dedupe_extras *e, struct position position, const uint8_t *identity,
                           struct err_info *err)
{
    return position.kind == POSITION_NONE ? add_identity(e, identity, err) : add_position(e, position, err);
}

static enum err take_back(struct dedupe_extras *e, struct err_info *err)
{
    uint64_t spilled = e->more ? spill_size(e->more) : 0;
    for (uint64_t at = 0; at < spilled; at += sizeof(struct position)) {
        struct position p;
        enum err failed = spill_read(e->more, at, &p, sizeof p, err);
        if (failed)
            return failed;
        position_set_remove(e->positions, p);
    }
    for (size_t i = 0; i < e->open_count; i++)
        position_set_remove(e->positions, e->open[i]);
    return ERR_OK;
}

static enum err end_group(struct dedupe_extras *e, struct err_info *err)
{
    e->leader = NO_ENTRY;
    e->open_count = 0;
    return e->more && spill_size(e->more) ? spill_clear(e->more, err) : ERR_OK;
}

enum err dedupe_extras_leave(struct dedupe_extras *e, struct err_info *err)
{
    enum err failed = take_back(e, err);
    for (uint32_t i = e->leader; i < e->count; i++) /* none: the leader is no entry */
        if (e->entries[i].leader == e->leader && !(e->entries[i].flags & ENTRY_MIXED))
            mix(e, &e->entries[i]);
    return failed ? failed : end_group(e, err);
}

enum err dedupe_extras_keep(struct dedupe_extras *e, struct position position, const uint8_t *identity,
                            struct err_info *err)
{
    struct entry *entry = position.kind == POSITION_NONE ? find(e, identity) : NULL;
    position_set_remove(e->positions, position);
    if (entry && !(entry->flags & ENTRY_MIXED)) {
        entry->flags |= ENTRY_KEPT;
        e->going--;
    }
    return end_group(e, err);
}

/* ---- asking ---- */

bool dedupe_extras_wants_look(const struct dedupe_extras *e)
{
    return e->keep_last && e->count > 0;
}

/* Of the first ones that is known when it comes by, and not before. */
static void hold_kept(struct dedupe_extras *e, const struct entry *entry)
{
    if (e->keep_last && entry->flags & ENTRY_KEPT)
        e->entries[entry->leader].held = true;
}

void dedupe_extras_seen(struct dedupe_extras *e, const uint8_t *identity)
{
    struct entry *entry = find(e, identity);
    if (!entry)
        return;
    entry->seen++;
    hold_kept(e, entry);
}

void dedupe_extras_seen_all(struct dedupe_extras *e)
{
    for (uint32_t i = 0; i < e->count; i++) {
        struct entry *entry = &e->entries[i];
        entry->seen = entry->total;
        hold_kept(e, entry);
    }
}

/* The first one of the group that comes by is held, whichever that is. */
static enum extra judge_first(const struct entry *entry, struct entry *leader)
{
    bool held = leader->held;
    leader->held = true;
    return held ? EXTRA_IS : entry->flags & ENTRY_KEPT ? EXTRA_NOT : EXTRA_LAST;
}

/* What is there of it beyond what the report saw came later, and stands behind; what is missing stood in front. */
static enum extra judge_last(const struct entry *entry, const struct entry *leader)
{
    uint32_t there = entry->seen < entry->total ? entry->seen : entry->total;
    if (!leader->held)
        return EXTRA_LAST;
    return entry->flags & ENTRY_KEPT && entry->asked == there ? EXTRA_NOT : EXTRA_IS;
}

enum extra dedupe_extras_judge(struct dedupe_extras *e, struct position position, const uint8_t *identity)
{
    if (position.kind != POSITION_NONE)
        return position_set_has(e->positions, position) ? EXTRA_IS : EXTRA_NOT;
    struct entry *entry = find(e, identity);
    if (!entry || entry->flags & ENTRY_MIXED || ++entry->asked > entry->total)
        return EXTRA_NOT;
    struct entry *leader = &e->entries[entry->leader];
    return e->keep_last ? judge_last(entry, leader) : judge_first(entry, leader);
}

void dedupe_extras_removed(struct dedupe_extras *e, const uint8_t *identity)
{
    struct entry *entry = find(e, identity);
    if (!entry || !entry->total || entry->flags & ENTRY_MIXED)
        return;
    entry->total--;
    e->going -= e->going > 0;
}

bool dedupe_extras_take_missing(struct dedupe_extras *e, const uint8_t *identity)
{
    const struct entry *entry = find(e, identity);
    bool missing = entry && !(entry->flags & ENTRY_MIXED) && entry->seen < entry->total;
    if (missing)
        dedupe_extras_removed(e, identity);
    return missing;
}

/* ---- on the disk: MAGIC, keep_last, entries (their number before them), positions, SHA-256; little-endian ---- */

#define ENTRY (IDENTITY_SIZE + 9)

static void put_u32(struct buffer *out, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        buffer_byte(out, (uint8_t)(n >> 8 * i));
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* False: no memory. */
static bool digest(struct bytes in, uint8_t into[SHA256_SIZE])
{
    struct sha256 *sha = sha256_new();
    if (!sha)
        return false;
    sha256_add(sha, in);
    sha256_end(&sha, into);
    return true;
}

void dedupe_extras_write(const struct dedupe_extras *e, struct buffer *out)
{
    uint8_t sum[SHA256_SIZE];
    size_t begin = out->len;
    buffer_text(out, MAGIC);
    buffer_byte(out, e->keep_last);
    put_u32(out, e->count);
    for (uint32_t i = 0; i < e->count; i++) {
        buffer_append(out, e->entries[i].identity, IDENTITY_SIZE);
        put_u32(out, e->entries[i].leader);
        put_u32(out, e->entries[i].total);
        buffer_byte(out, (uint8_t)e->entries[i].flags);
    }
    position_set_write(e->positions, out);
    if (!buffer_ok(out))
        return;
    if (digest(bytes_of(out->data + begin, out->len - begin), sum))
        buffer_append(out, sum, sizeof sum);
    else
        out->failed = true;
}

static bool sum_is_right(struct bytes in)
{
    uint8_t sum[SHA256_SIZE];
    size_t len = in.len - SHA256_SIZE;
    return digest(bytes_slice(in, 0, len), sum) && memcmp(sum, in.data + len, sizeof sum) == 0;
}

static enum err read_entries(struct dedupe_extras *e, struct bytes in, size_t *at, struct err_info *err)
{
    uint32_t count = get_u32(in.data + *at);
    *at += 4;
    if (count > (in.len - *at) / ENTRY)
        return err_set(err, ERR_FORMAT, "a list of duplicates is cut short");
    for (uint32_t i = 0; i < count; i++, *at += ENTRY) {
        const uint8_t *from = in.data + *at;
        struct entry *entry = find(e, from) ? NULL : add_entry(e, from, err);
        uint32_t leader = get_u32(from + IDENTITY_SIZE);
        if (!entry || leader > i)
            return entry || !err->code
                       ? err_set(err, ERR_FORMAT, "a list of duplicates is wrong at its entry %u", i)
                       : err->code;
        entry->leader = leader;
        entry->total = get_u32(from + IDENTITY_SIZE + 4);
        entry->flags = from[IDENTITY_SIZE + 8];
        e->going += going_of(entry);
    }
    return ERR_OK;
}

struct dedupe_extras *dedupe_extras_read(struct bytes in, struct err_info *err)
{
    size_t at = strlen(MAGIC);
    struct err_info why = {.code = ERR_OK};
    bool right = in.len >= at + 5 + SHA256_SIZE && memcmp(in.data, MAGIC, at) == 0 && sum_is_right(in);
    struct dedupe_extras *e = right ? dedupe_extras_new(in.data[at]) : NULL;
    if (!e) {
        err_set(err, right ? ERR_NOMEM : ERR_FORMAT,
                right ? "no memory for duplicates" : "this is no whole list of duplicates");
        return NULL;
    }
    in.len -= SHA256_SIZE;
    at++;
    if (read_entries(e, in, &at, &why) || position_set_read(e->positions, in, &at, &why)) {
        *err = why;
        dedupe_extras_free(&e);
    }
    return e;
}
