#include "cli/output.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK        (256 * KIB)
#define BLOCK_ROOM   (BLOCK + 64 * KIB) /* a line may begin just below BLOCK */
#define MOST_PENDING (32 * BLOCK)       /* waiting for the writer: beyond it lanes pause */
#define KEEP_ROOM    (1 * MIB)          /* a block that grew larger is not kept */
#define MOST_SPARE   8
#define FLUSH_AGE_NS (100 * NS_PER_MS)
#define PATIENCE_NS \
 (2 * NS_PER_S) /* for room in the middle of a line; beyond it the line is held in memory */

struct block {
    struct block *next;
    struct buffer text;
};

struct output_lane {
    struct output *output;
    struct output_lane *next;
    void (*resume)(void *context);
    void *context;
    struct block *block; /* worker only; NULL once it was passed on at the end */
    int64_t since_ns;    /* of the oldest line in it */
    size_t passed;       /* bytes of the line that were passed on before its end */
    int64_t patience_ns; /* that are left to this line */
    bool holds;          /* it is the output's holder */
    bool paused;         /* under the lock */
};

struct output {
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    struct block *first, **last; /* full ones, oldest first */
    pthread_cond_t room;         /* a block was written */
    struct block *spare;
    size_t spare_count, pending;
    struct output_lane
        *holder; /* has passed on a part of a line: nobody else's may come before the rest of it */
    struct block *held, **held_last; /* what others have passed on meanwhile */
    size_t held_bytes;
    struct output_lane *lanes;
    void (*told)(void *context); /* of a failure; may be NULL */
    void *told_context;
    bool closing, done;
    bool left;          /* behind: the writer frees it all once it can write no more */
    atomic_bool failed; /* no more output is wanted */
    struct err_info err;
};

enum err output_write(int fd, struct bytes text, struct err_info *err)
{
    for (size_t at = 0; at < text.len;) {
        ssize_t n = write(fd, text.data + at, text.len - at);
        if (n >= 0) {
            at += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (errno == EPIPE) {
            return err_set(err, ERR_CLOSED, "the reader has gone");
        } else if (errno != EINTR) {
            err_set(err, ERR_IO, "writing failed: %s", errno == EBADF ? "it is closed" : strerror(errno));
            err_where(err, "output");
            err_next(err, errno == ENOSPC || errno == EDQUOT || errno == EFBIG
                              ? "make room, or write elsewhere"
                              : "");
            return ERR_IO;
        }
    }
    return ERR_OK;
}

/* ---- blocks ---- */

static void block_free(struct block *b)
{
    if (!b)
        return;
    buffer_free(&b->text);
    free(b);
}

static struct block *block_new(void)
{
    struct block *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    buffer_init(&b->text, LIMIT_LINE);
    if (!buffer_reserve(&b->text, BLOCK_ROOM)) {
        block_free(b);
        return NULL;
    }
    return b;
}

static void pass_part(void *context, struct buffer *text);

static struct block *take_spare(struct output_lane *l)
{
    struct output *o = l->output;
    pthread_mutex_lock(&o->lock);
    struct block *b = o->spare;
    if (b) {
        o->spare = b->next;
        o->spare_count--;
        b->next = NULL;
    }
    pthread_mutex_unlock(&o->lock);
    b = b ? b : block_new();
    if (b) {
        b->text.drain = pass_part;
        b->text.drain_context = l;
    }
    return b;
}

/* Under the lock. */
static void keep_spare(struct output *o, struct block *b)
{
    buffer_clear(&b->text);
    if (b->text.cap > KEEP_ROOM || o->spare_count == MOST_SPARE) {
        block_free(b);
        return;
    }
    b->next = o->spare;
    o->spare = b;
    o->spare_count++;
}

static void free_blocks(struct block *b)
{
    for (struct block *next; b; b = next) {
        next = b->next;
        block_free(b);
    }
}

static void free_all(struct output *o)
{
    for (struct output_lane *l = o->lanes, *next; l; l = next) {
        next = l->next;
        block_free(l->block);
        free(l);
    }
    free_blocks(o->spare);
    free_blocks(o->held);
    pthread_mutex_destroy(&o->lock);
    pthread_cond_destroy(&o->work);
    pthread_cond_destroy(&o->room);
    pthread_cond_destroy(&o->finished);
    free(o);
}

/* ---- the writer ---- */

/* Under the lock. The context is told outside of it: resuming pokes a session, which has locks of its own. */
static void resume_lanes(struct output *o)
{
    for (struct output_lane *l = o->lanes; l; l = l->next) {
        void (*resume)(void *context) = l->resume;
        if (!l->paused || !resume)
            continue;
        l->paused = false;
        pthread_mutex_unlock(&o->lock);
        resume(l->context);
        pthread_mutex_lock(&o->lock);
    }
}

static struct block *next_block(struct output *o)
{
    while (!o->first && !o->closing)
        pthread_cond_wait(&o->work, &o->lock);
    struct block *b = o->first;
    if (b && !(o->first = b->next))
        o->last = &o->first;
    return b;
}

static void *writer(void *context)
{
    struct output *o = context;
    pthread_mutex_lock(&o->lock);
    for (struct block *b; (b = next_block(o));) {
        pthread_mutex_unlock(&o->lock);
        struct err_info err = {.code = ERR_OK};
        size_t len = b->text.len;
        enum err e = atomic_load(&o->failed) ? ERR_OK : output_write(o->fd, buffer_view(&b->text), &err);
        if (e && o->told)
            o->told(o->told_context);
        pthread_mutex_lock(&o->lock);
        if (e) {
            o->err = err;
            atomic_store(&o->failed, true);
        }
        o->pending -= len;
        keep_spare(o, b);
        pthread_cond_signal(&o->room);
        if (o->pending + o->held_bytes <= MOST_PENDING / 2)
            resume_lanes(o);
    }
    o->done = true;
    bool left = o->left;
    pthread_cond_broadcast(&o->finished);
    pthread_mutex_unlock(&o->lock);
    if (left)
        free_all(o);
    return NULL;
}

struct output *output_new(int fd, struct err_info *err)
{
    struct output *o = calloc(1, sizeof *o);
    if (!o) {
        err_set(err, ERR_NOMEM, "no memory for the output");
        return NULL;
    }
    o->fd = fd;
    o->last = &o->first;
    o->held_last = &o->held;
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->work, NULL);
    thread_cond_init(&o->finished);
    thread_cond_init(&o->room);
    if (!thread_start(&o->thread, writer, o)) {
        err_set(err, ERR_FAILED, "no thread for the output");
        free(o);
        return NULL;
    }
    return o;
}

void output_on_failure(struct output *o, void (*told)(void *context), void *context)
{
    pthread_mutex_lock(&o->lock);
    o->told = told;
    o->told_context = context;
    pthread_mutex_unlock(&o->lock);
}

/* ---- the lanes ---- */

struct output_lane *output_lane(struct output *o, void (*resume)(void *context), void *context)
{
    struct output_lane *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    *l = (struct output_lane){.output = o, .resume = resume, .context = context, .patience_ns = PATIENCE_NS};
    l->block = take_spare(l);
    if (!l->block) {
        free(l);
        return NULL;
    }
    pthread_mutex_lock(&o->lock);
    l->next = o->lanes;
    o->lanes = l;
    pthread_mutex_unlock(&o->lock);
    return l;
}

struct buffer *output_line(struct output_lane *l)
{
    return &l->block->text;
}

static int64_t coarse_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Under the lock. */
static void append(struct output_lane *l, struct block *full)
{
    struct output *o = l->output;
    bool held = o->holder && o->holder != l;
    struct block ***last = held ? &o->held_last : &o->last;
    **last = full;
    *last = &full->next;
    *(held ? &o->held_bytes : &o->pending) += full->text.len;
}

/* Under the lock: the line is whole, and what others have passed on may follow it. */
static void let_go(struct output_lane *l)
{
    struct output *o = l->output;
    l->holds = false;
    o->holder = NULL;
    if (!o->held)
        return;
    *o->last = o->held;
    o->last = o->held_last;
    o->pending += o->held_bytes;
    o->held = NULL;
    o->held_last = &o->held;
    o->held_bytes = 0;
}

/* Passes the lane's block on, and lets it go on with the next one; true: the lane shall pause. */
static bool pass_on(struct output_lane *l, struct block *next)
{
    struct output *o = l->output;
    struct block *full = l->block;
    l->block = next;
    l->since_ns = 0;
    pthread_mutex_lock(&o->lock);
    append(l, full);
    if (l->holds)
        let_go(l);
    l->paused = o->pending + o->held_bytes > MOST_PENDING && l->resume;
    bool paused = l->paused;
    pthread_cond_signal(&o->work);
    pthread_mutex_unlock(&o->lock);
    return paused;
}

/* As above. Without memory for another block this one grows, and is tried again: a pause would have no end, since nobody
 * resumes a lane for which nothing waits. */
static bool hand_over(struct output_lane *l)
{
    struct block *next = take_spare(l);
    return next && pass_on(l, next);
}

/* Under the lock. The worker may have a connection to keep alive: it does not wait for a reader that rests. */
static void wait_room(struct output_lane *l)
{
    struct output *o = l->output;
    int64_t now = clock_mono_ns(), until = now + l->patience_ns;
    while (o->pending > MOST_PENDING && now < until) {
        thread_cond_wait_until(&o->room, &o->lock, until);
        now = clock_mono_ns();
    }
    l->patience_ns = until > now ? until - now : 0;
}

static bool hold(struct output_lane *l)
{
    struct output *o = l->output;
    pthread_mutex_lock(&o->lock);
    if (!o->holder)
        o->holder = l;
    l->holds = o->holder == l;
    pthread_mutex_unlock(&o->lock);
    return l->holds;
}

/* The drain of a lane's block, in the middle of a long line. What the line is written to stays where it is: the bytes alone go. */
static void pass_part(void *context, struct buffer *text)
{
    struct output_lane *l = context;
    struct output *o = l->output;
    if (atomic_load_explicit(&o->failed, memory_order_relaxed)) {
        buffer_clear(text);
        return;
    }
    text->failed = l->passed + text->len > LIMIT_LINE;
    struct block *full = !text->failed && hold(l) ? take_spare(l) : NULL;
    if (!full)
        return;
    struct buffer empty = full->text;
    full->text = *text;
    *text = empty;
    l->passed += full->text.len;
    pthread_mutex_lock(&o->lock);
    append(l, full);
    pthread_cond_signal(&o->work);
    wait_room(l);
    pthread_mutex_unlock(&o->lock);
}

enum emit output_line_end(struct output_lane *l)
{
    struct buffer *text = &l->block->text;
    l->passed = 0;
    l->patience_ns = PATIENCE_NS;
    if (atomic_load_explicit(&l->output->failed, memory_order_relaxed))
        return EMIT_STOP;
    if (!buffer_ok(text)) {
        struct output *o = l->output;
        pthread_mutex_lock(&o->lock);
        err_set(&o->err, ERR_LIMIT,
                "a line of the output is larger than 512 MiB, or there is no memory for it");
        pthread_mutex_unlock(&o->lock);
        atomic_store(&o->failed, true);
        return EMIT_STOP;
    }
    int64_t now = coarse_ns();
    if (!l->since_ns)
        l->since_ns = now;
    if (text->len < BLOCK && !l->holds && now - l->since_ns < FLUSH_AGE_NS)
        return EMIT_OK;
    return hand_over(l) ? EMIT_PAUSE : EMIT_OK;
}

void output_idle(struct output_lane *l)
{
    if (l->block->text.len)
        hand_over(l);
}

/* ---- the end ---- */

static bool wait_writer(struct output *o, int64_t patience_ns)
{
    int64_t until = clock_mono_ns() + patience_ns;
    pthread_mutex_lock(&o->lock);
    o->closing = true;
    pthread_cond_signal(&o->work);
    while (!o->done && clock_mono_ns() < until)
        thread_cond_wait_until(&o->finished, &o->lock, until);
    bool done = o->done;
    o->left = !done;
    pthread_mutex_unlock(&o->lock);
    return done;
}

/* Its source has ended: from here on nobody wants to hear of room. */
static void forget_source(struct output_lane *l)
{
    pthread_mutex_lock(&l->output->lock);
    l->resume = NULL;
    pthread_mutex_unlock(&l->output->lock);
}

enum err output_end(struct output **op, int64_t patience_ns, struct err_info *err)
{
    struct output *o = *op;
    *op = NULL;
    if (!o)
        return ERR_OK;
    for (struct output_lane *l = o->lanes; l; l = l->next) {
        forget_source(l);
        if (l->block->text.len)
            pass_on(l, NULL);
    }
    pthread_t thread = o->thread;
    if (!wait_writer(o, patience_ns)) {
        /* The reader holds its end and reads nothing: the thread stays behind with what it has. */
        pthread_detach(thread);
        return err_set(err, ERR_IO, "the reader of the output takes nothing");
    }
    pthread_join(thread, NULL);
    enum err e = o->err.code == ERR_CLOSED ? ERR_OK : o->err.code;
    if (o->err.code && err)
        *err = o->err;
    free_all(o);
    return e;
}
