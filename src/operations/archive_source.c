#include "operations/archive_source.h"

#include "operations/archive_file.h"

#include <poll.h>

#define STEP_BATCH 256

struct reader {
    struct archive_file file;
    struct read_sink sink;
    bool paused, stopped;
};

static enum err open_file(struct broker *b, struct err_info *err)
{
    struct reader *r = b->state;
    return archive_file_open(&r->file, b->endpoint->text, err);
}

static void close_file(struct broker *b)
{
    struct reader *r = b->state;
    archive_file_close(&r->file);
}

static enum err count(struct broker *b, const struct channel_name *channel, int64_t *ready, int64_t *unacked,
                      struct err_info *err)
{
    (void)channel, (void)err;
    const struct reader *r = b->state;
    *ready = (int64_t)r->file.archive.count;
    *unacked = 0;
    return ERR_OK;
}

static enum err read_open(struct broker *b, const struct read_request *request, const struct read_sink *sink,
                          struct err_info *err)
{
    (void)request, (void)err;
    struct reader *r = b->state;
    r->sink = *sink;
    r->paused = r->stopped = false;
    archive_rewind(&r->file.archive);
    return ERR_OK;
}

static enum err read_step(struct broker *b, int timeout_ms, struct err_info *err)
{
    struct reader *r = b->state;
    enum err e = ERR_OK;
    for (int n = 0; !e && n < STEP_BATCH && !r->paused && !r->stopped; n++) {
        struct message m;
        e = archive_next(&r->file.archive, &m, err);
        enum emit said = e ? EMIT_OK : r->sink.message(r->sink.context, &m);
        r->paused |= said == EMIT_PAUSE;
        r->stopped |= said == EMIT_STOP;
    }
    if (!e && r->paused) {
        struct pollfd p = {.fd = b->wake_fd, .events = POLLIN};
        poll(&p, 1, timeout_ms);
    }
    return !e && r->stopped ? ERR_END : e;
}

static void read_pause(struct broker *b, bool pause)
{
    struct reader *r = b->state;
    r->paused = pause;
}

static enum err read_close(struct broker *b, struct err_info *err)
{
    (void)b, (void)err;
    return ERR_OK;
}

struct operation_end archive_source(const char *path, struct endpoint *endpoint)
{
    static const char *const schemes[] = {NULL};
    static const struct broker_ops reading = {
        .name = "archive",
        .title = "an archive",
        .schemes = schemes,
        .state_size = sizeof(struct reader),
        .open = open_file,
        .close = close_file,
        .count = count,
        .read_open = read_open,
        .read_step = read_step,
        .read_pause = read_pause,
        .read_close = read_close,
    };
    *endpoint = (struct endpoint){.name = path, .text = path};
    return (struct operation_end){&reading, endpoint, {CHANNEL_ANY, path}};
}
