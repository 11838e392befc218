#include "engine/undo.h"

#include "base/guard.h"
#include "base/limits.h"
#include "base/mark.h"
#include "engine/config_internal.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/poll.h>

#define MOST_TEXT  (64 * KIB)
#define TRIES      20
#define PAUSE_MS   3000
#define CONNECT_NS (10 * NS_PER_S)

/* Nobody listens; that somebody does is what makes a driver mend what it finds. */
static void unheard(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static enum err connect_once(const struct broker_ops *ops, const struct endpoint *e, int wake_fd)
{
    atomic_bool cancelled = false;
    struct broker b = {.ops = ops,
                       .endpoint = e,
                       .state = calloc(1, ops->state_size),
                       .cancelled = &cancelled,
                       .wake_fd = wake_fd,
                       .notice = unheard,
                       .deadline_ns = clock_mono_ns() + CONNECT_NS};
    struct err_info err;
    enum err code = b.state ? ops->open(&b, &err) : ERR_NOMEM;
    if (b.state)
        ops->close(&b);
    free(b.state);
    return code;
}

/* A driver that could not undo it says so to nobody here; but its mark stays. */
static bool is_left(const char *name)
{
    int mark = mark_left(name);
    if (mark >= 0)
        mark_end(mark, name, false);
    return mark >= 0;
}

/* What killed the process may have taken the connection, too, or the way on which it is undone: it is tried for a minute. */
static int undo(const struct broker_ops *ops, const struct endpoint *e, const char *mark)
{
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum err code = ERR_CLOSED;
    for (int i = 0; i < TRIES && wake_fd >= 0; i++) {
        code = connect_once(ops, e, wake_fd);
        if (code ? err_policy(code) != ERR_POLICY_RETRY : !is_left(mark))
            break;
        poll(NULL, 0, PAUSE_MS);
    }
    return code ? 1 : 0;
}

int undo_run(broker_registry brokers)
{
    struct buffer told;
    const char *mark;
    struct bytes text;
    struct arena arena;
    struct endpoint e;
    struct err_info err;
    int code = 0;
    buffer_init(&told, MOST_TEXT);
    arena_init(&arena, MOST_TEXT);
    if (guard_wait(&told, &mark, &text)) {
        const struct broker_ops *ops =
            endpoint_unpack(&e, text, &arena, &err) ? NULL : config_driver(brokers, e.url.scheme);
        code = ops ? undo(ops, &e, mark) : 2;
    }
    arena_free(&arena);
    buffer_free(&told);
    return code;
}
