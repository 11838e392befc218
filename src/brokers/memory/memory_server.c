#include "brokers/memory/memory_server.h"

#include "base/limits.h"
#include "base/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_CHANNELS  256
#define MOST_MESSAGES  8192 /* a power of two */
#define MOST_BYTES     (8 * MIB)
#define MOST_LISTENERS 64

/* Of a message in a queue. */
enum state { READY, LEASED, GONE };

struct memory_channel {
    char name[256];
    enum channel_kind kind;
    char dead_letters[256];
    struct message **ring;     /* sequence & (MOST_MESSAGES - 1) */
    uint8_t *states;           /* enum state, likewise */
    int64_t first, next, head; /* head: of the first that is not gone */
    int64_t leased, gone;      /* how many are, from head on */
    size_t bytes, gone_bytes;  /* of all in the ring, and of those that are gone */
    uint64_t in, out;          /* since the start */
    bool receives_dead;
};

static struct {
    pthread_mutex_t lock;
    struct memory_channel *channels[MOST_CHANNELS];
    size_t count;
    struct {
        int fd;
        bool used, told;
    } listeners[MOST_LISTENERS];
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- under the lock ---- */

static struct memory_channel *find(const char *name)
{
    for (size_t i = 0; i < server.count; i++)
        if (strcmp(server.channels[i]->name, name) == 0)
            return server.channels[i];
    return NULL;
}

static struct message **slot(struct memory_channel *c, int64_t sequence)
{
    return &c->ring[sequence & (MOST_MESSAGES - 1)];
}

static uint8_t *state_of(struct memory_channel *c, int64_t sequence)
{
    return &c->states[sequence & (MOST_MESSAGES - 1)];
}

static void set_state(struct memory_channel *c, int64_t sequence, enum state state)
{
    uint8_t *now = state_of(c, sequence);
    c->leased += (state == LEASED) - (*now == LEASED);
    c->gone += (state == GONE) - (*now == GONE);
    if (state == GONE && *now != GONE)
        c->gone_bytes += (*slot(c, sequence))->footprint;
    *now = (uint8_t)state;
    while (c->head < c->next && *state_of(c, c->head) == GONE) {
        c->head++;
        c->gone--;
    }
}

static int64_t ready(const struct memory_channel *c)
{
    return c->next - c->head - c->leased - c->gone;
}

static void forget_first(struct memory_channel *c)
{
    if (c->head == c->first)
        set_state(c, c->first, GONE);
    struct message **m = slot(c, c->first++);
    c->bytes -= (*m)->footprint;
    c->gone_bytes -= (*m)->footprint;
    message_unref(m);
}

static void tell_listeners(void)
{
    for (size_t i = 0; i < MOST_LISTENERS; i++) {
        if (!server.listeners[i].used || server.listeners[i].told)
            continue;
        server.listeners[i].told = true;
        (void)!write(server.listeners[i].fd, &(uint64_t){1}, sizeof(uint64_t));
    }
}

static enum err append(struct memory_channel *c, const struct message *m, struct err_info *err)
{
    struct message mine = message_borrow(m);
    mine.origin = NULL;
    mine.flags = 0;
    mine.position = (struct position){.kind = POSITION_OFFSET, .offset = c->next};
    if (mine.time_ns == TIME_NONE)
        mine.time_ns = clock_wall_ns();
    struct message *sealed = message_seal(&mine, err);
    if (!sealed)
        return err ? err->code : ERR_NOMEM;
    while (c->next - c->first == MOST_MESSAGES ||
           (c->next > c->first && c->bytes + sealed->footprint > MOST_BYTES))
        forget_first(c);
    *slot(c, c->next) = sealed;
    *state_of(c, c->next++) = READY;
    c->bytes += sealed->footprint;
    c->in++;
    tell_listeners();
    return ERR_OK;
}

static enum err add_channel(const char *name, enum channel_kind kind, const char *dead_letters,
                            struct err_info *err)
{
    if (server.count == MOST_CHANNELS)
        return err_set(err, ERR_LIMIT, "the memory broker has its %d channels", MOST_CHANNELS);
    struct memory_channel *c = calloc(1, sizeof *c);
    struct message **ring = calloc(MOST_MESSAGES, sizeof *ring);
    uint8_t *states = calloc(MOST_MESSAGES, sizeof *states);
    if (!c || !ring || !states) {
        free(c);
        free(ring);
        free(states);
        return err_set(err, ERR_NOMEM, "no memory for a channel");
    }
    c->ring = ring;
    c->states = states;
    c->kind = kind;
    text_copy(c->name, sizeof c->name, name);
    text_copy(c->dead_letters, sizeof c->dead_letters, dead_letters ? dead_letters : "");
    server.channels[server.count++] = c;
    return ERR_OK;
}

static void dead_letter(struct memory_channel *from, const struct message *m, const char *reason)
{
    struct memory_channel *to = find(from->dead_letters);
    if (!to)
        return;
    struct header headers[34];
    uint32_t count = 0;
    for (; m->headers.items && count < m->headers.count && count < 32; count++)
        headers[count] = m->headers.items[count];
    headers[count++] = (struct header){BYTES_LITERAL("x-death-queue"),
                                       {.type = VALUE_STRING, .bytes = bytes_of_text(from->name)}};
    headers[count++] = (struct header){BYTES_LITERAL("x-death-reason"),
                                       {.type = VALUE_STRING, .bytes = bytes_of_text(reason)}};
    struct message dead = message_borrow(m);
    dead.headers = (struct headers){headers, count};
    to->receives_dead = true;
    (void)append(to, &dead, NULL);
}

/* ---- the public face ---- */

enum err memory_declare(const char *name, enum channel_kind kind, const char *dead_letters,
                        struct err_info *err)
{
    pthread_mutex_lock(&server.lock);
    enum err e = find(name) ? ERR_OK : add_channel(name, kind, dead_letters, err);
    pthread_mutex_unlock(&server.lock);
    return e;
}

enum err memory_publish(const char *channel, const struct message *m, int64_t *sequence, struct err_info *err)
{
    pthread_mutex_lock(&server.lock);
    struct memory_channel *c = find(channel);
    enum err e = c ? append(c, m, err) : err_set(err, ERR_NOTFOUND, "no channel %s in memory", channel);
    if (!e && sequence)
        *sequence = c->next - 1;
    pthread_mutex_unlock(&server.lock);
    return e;
}

/* The first one from there on; -1: there is none. */
static int64_t next_ready(struct memory_channel *c, int64_t from)
{
    int64_t at = from > c->head ? from : c->head;
    while (at < c->next && *state_of(c, at) != READY)
        at++;
    return at < c->next ? at : -1;
}

static bool take_head(const char *queue, const char *reject_reason)
{
    pthread_mutex_lock(&server.lock);
    struct memory_channel *c = find(queue);
    int64_t at = c && c->kind == CHANNEL_QUEUE ? next_ready(c, 0) : -1;
    bool any = at >= 0;
    if (any) {
        if (reject_reason)
            dead_letter(c, *slot(c, at), reject_reason);
        set_state(c, at, GONE);
        c->out++;
    }
    pthread_mutex_unlock(&server.lock);
    return any;
}

bool memory_consume(const char *queue)
{
    return take_head(queue, NULL);
}

bool memory_reject(const char *queue, const char *reason)
{
    return take_head(queue, reason);
}

static void describe(const struct memory_channel *c, struct channel *row)
{
    bool queue = c->kind == CHANNEL_QUEUE;
    text_copy(row->detail, sizeof row->detail, queue ? "queue in memory (demo)" : "topic in memory (demo)");
    row->depth = ready(c);
    row->unacked = c->leased;
    row->in_total = (int64_t)c->in;
    row->out_total = (int64_t)c->out;
    row->bytes = (int64_t)(c->bytes - c->gone_bytes);
    row->consumers = c->out > 0;
    row->partitions = 0;
    row->dead_letters = c->receives_dead;
    text_copy(row->state, sizeof row->state, "running");
    for (int i = 0; i < CAPABILITIES; i++)
        row->why_not[i] = NULL;
    row->why_not[CAN_GROUPS] = "channels in memory have no consumer groups";
    row->why_not[CAN_PURGE] = queue ? NULL : "a topic in memory forgets its oldest messages by itself";
    row->why_not[CAN_REMOVE] = queue ? NULL : "a topic in memory forgets its oldest messages by itself";
}

void memory_list(const char *pattern, struct channel_list *list)
{
    pthread_mutex_lock(&server.lock);
    for (size_t i = 0; i < server.count; i++) {
        const struct memory_channel *c = server.channels[i];
        if (!text_glob(pattern, c->name))
            continue;
        struct channel *row = channel_list_add(list, c->name, c->kind);
        if (row)
            describe(c, row);
    }
    pthread_mutex_unlock(&server.lock);
    text_copy(list->version, sizeof list->version, "in-process, a demo");
}

void memory_reset(void)
{
    pthread_mutex_lock(&server.lock);
    for (size_t i = 0; i < server.count; i++) {
        struct memory_channel *c = server.channels[i];
        while (c->first < c->next)
            forget_first(c);
        free(c->ring);
        free(c->states);
        free(c);
    }
    server.count = 0;
    pthread_mutex_unlock(&server.lock);
}

bool memory_range(const char *channel, struct memory_range *range)
{
    pthread_mutex_lock(&server.lock);
    const struct memory_channel *c = find(channel);
    if (c)
        *range = (struct memory_range){c->kind, c->first, c->next, c->head};
    pthread_mutex_unlock(&server.lock);
    return c != NULL;
}

struct message *memory_get(const char *channel, int64_t *sequence, bool waiting)
{
    pthread_mutex_lock(&server.lock);
    struct memory_channel *c = find(channel);
    struct message *m = NULL;
    if (c) {
        if (*sequence < c->first)
            *sequence = c->first;
        if (waiting && c->kind == CHANNEL_QUEUE)
            *sequence = next_ready(c, *sequence);
        if (*sequence >= 0 && *sequence < c->next)
            m = message_ref(*slot(c, *sequence));
    }
    pthread_mutex_unlock(&server.lock);
    return m;
}

struct message *memory_lease(const char *queue, int64_t *sequence)
{
    pthread_mutex_lock(&server.lock);
    struct memory_channel *c = find(queue);
    struct message *m = NULL;
    int64_t at = c && c->kind == CHANNEL_QUEUE ? next_ready(c, *sequence) : -1;
    if (at >= 0) {
        m = message_ref(*slot(c, at));
        set_state(c, at, LEASED);
        *sequence = at;
    }
    pthread_mutex_unlock(&server.lock);
    return m;
}

void memory_settle(const char *queue, int64_t sequence, bool remove)
{
    pthread_mutex_lock(&server.lock);
    struct memory_channel *c = find(queue);
    if (c && sequence >= c->head && sequence < c->next && *state_of(c, sequence) == LEASED) {
        set_state(c, sequence, remove ? GONE : READY);
        c->out += remove;
    }
    pthread_mutex_unlock(&server.lock);
}

bool memory_count(const char *channel, int64_t *waiting, int64_t *leased)
{
    pthread_mutex_lock(&server.lock);
    const struct memory_channel *c = find(channel);
    if (c) {
        *waiting = ready(c);
        *leased = c->leased;
    }
    pthread_mutex_unlock(&server.lock);
    return c != NULL;
}

int64_t memory_purge(const char *channel)
{
    pthread_mutex_lock(&server.lock);
    struct memory_channel *c = find(channel);
    int64_t removed = c ? ready(c) : 0;
    for (int64_t at = 0; c && (at = next_ready(c, at)) >= 0;)
        set_state(c, at, GONE);
    pthread_mutex_unlock(&server.lock);
    return removed;
}

int memory_listen(int fd)
{
    pthread_mutex_lock(&server.lock);
    int listener = -1;
    for (int i = 0; i < MOST_LISTENERS && listener < 0; i++) {
        if (server.listeners[i].used)
            continue;
        server.listeners[i].used = true;
        server.listeners[i].told = false;
        server.listeners[i].fd = fd;
        listener = i;
    }
    pthread_mutex_unlock(&server.lock);
    return listener;
}

void memory_listen_again(int listener)
{
    pthread_mutex_lock(&server.lock);
    server.listeners[listener].told = false;
    pthread_mutex_unlock(&server.lock);
}

void memory_unlisten(int listener)
{
    pthread_mutex_lock(&server.lock);
    server.listeners[listener].used = false;
    pthread_mutex_unlock(&server.lock);
}
