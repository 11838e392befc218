#include "operations/dedupe_recent.h"

#include "base/hash.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* Values stand one behind the other in a ring of bytes, none across its end; their places count on for ever. */
struct seen {
    uint64_t hash, at;
    int64_t time_ns;
    uint32_t len;
    uint32_t next; /* of the same bucket, plus one */
    bool live;     /* false: it was seen again, and stands further on */
};

struct recent {
    struct seen *seen; /* a ring; numbers count on for ever, too */
    uint32_t most;
    uint64_t first, end; /* numbers */
    uint32_t *buckets;   /* of entries, plus one; a power of two */
    size_t bucket_count;
    uint8_t *bytes;
    size_t size;
    uint64_t written; /* place of the next byte */
    uint64_t seed;    /* so that nobody can make values that fall into one bucket */
    struct recent_window window;
};

struct recent *recent_new(uint32_t most_values, size_t most_bytes)
{
    struct recent *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->most = most_values ? most_values : 1;
    r->size = most_bytes ? most_bytes : 1;
    r->window.since_ns = TIME_NONE;
    for (r->bucket_count = 16; r->bucket_count < r->most;)
        r->bucket_count *= 2;
    r->seen = calloc(r->most, sizeof *r->seen);
    r->buckets = calloc(r->bucket_count, sizeof *r->buckets);
    r->bytes = malloc(r->size);
    if (getrandom(&r->seed, sizeof r->seed, 0) != sizeof r->seed)
        r->seed = (uint64_t)clock_mono_ns();
    if (!r->seen || !r->buckets || !r->bytes)
        recent_free(&r);
    return r;
}

void recent_free(struct recent **rp)
{
    struct recent *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    free(r->seen);
    free(r->buckets);
    free(r->bytes);
    free(r);
}

static struct bytes value_of(const struct recent *r, const struct seen *s)
{
    return bytes_of(r->bytes + s->at % r->size, s->len);
}

/* The link that leads to it; one that leads to 0: it is not there. */
static uint32_t *find(struct recent *r, uint64_t hash, struct bytes value)
{
    uint32_t *link = &r->buckets[hash & (r->bucket_count - 1)];
    for (; *link; link = &r->seen[*link - 1].next) {
        const struct seen *s = &r->seen[*link - 1];
        if (s->hash == hash && bytes_equal(value_of(r, s), value))
            break;
    }
    return link;
}

static void take_out(struct recent *r, uint32_t *link)
{
    struct seen *s = &r->seen[*link - 1];
    *link = s->next;
    s->live = false;
    r->window.held--;
}

static void forget_first(struct recent *r)
{
    uint32_t slot = (uint32_t)(r->first++ % r->most);
    struct seen *s = &r->seen[slot];
    if (!s->live)
        return;
    uint32_t *link = &r->buckets[s->hash & (r->bucket_count - 1)];
    while (*link != slot + 1)
        link = &r->seen[*link - 1].next;
    take_out(r, link);
    r->window.forgotten++;
    r->window.since_ns = s->time_ns;
}

static void keep(struct recent *r, uint64_t hash, struct bytes value, int64_t now_ns)
{
    uint64_t at = r->written;
    if (at % r->size + value.len > r->size)
        at += r->size - at % r->size;
    while (r->first < r->end &&
           (r->end - r->first == r->most || at + value.len - r->seen[r->first % r->most].at > r->size))
        forget_first(r);
    uint32_t slot = (uint32_t)(r->end++ % r->most);
    uint32_t *bucket = &r->buckets[hash & (r->bucket_count - 1)];
    r->seen[slot] = (struct seen){hash, at, now_ns, (uint32_t)value.len, *bucket, true};
    *bucket = slot + 1;
    if (value.len)
        memcpy(r->bytes + at % r->size, value.data, value.len);
    r->written = at + value.len;
    r->window.held++;
}

enum recent_answer recent_see(struct recent *r, struct bytes value, int64_t now_ns, int64_t *before_ns)
{
    if (value.len > r->size || value.len > UINT32_MAX)
        return RECENT_LARGE;
    uint64_t hash = hash_bytes(value, r->seed);
    uint32_t *link = find(r, hash, value);
    bool again = *link;
    if (again) {
        *before_ns = r->seen[*link - 1].time_ns;
        take_out(r, link);
    }
    keep(r, hash, value, now_ns);
    return again ? RECENT_AGAIN : RECENT_NEW;
}

bool recent_has(const struct recent *r, struct bytes value)
{
    return *find((struct recent *)(uintptr_t)r, hash_bytes(value, r->seed), value);
}

struct recent_window recent_window(const struct recent *r)
{
    return r->window;
}

char *recent_text(const struct recent *r, char *into, size_t size)
{
    char held[32], since[32];
    const struct recent_window *w = &r->window;
    *into = '\0';
    if (w->forgotten)
        snprintf(into, size, "of the last %s values (since %s): older ones are forgotten",
                 text_count(held, sizeof held, w->held), clock_hms(w->since_ns, since, sizeof since, 0));
    return into;
}
