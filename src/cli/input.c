#include "cli/input.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#define CHUNK       (64 * KIB)
#define PATIENCE_MS 250

/* A closed one is held by something that can only be written to (src/main.c): it must not pass for an empty input. */
static int open_stdin(struct err_info *err)
{
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_WRONLY)
        return STDIN_FILENO;
    err_set(err, ERR_IO, "standard input is closed");
    return -1;
}

static int open_path(const char *path, int flags, struct err_info *err)
{
    if (!path || strcmp(path, "-") == 0)
        return open_stdin(err);
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0) {
        err_set(err, errno == ENOENT ? ERR_USAGE : ERR_IO, "%s", strerror(errno));
        err_where(err, "%s", *path ? path : "''");
        if (errno == ENOENT)
            err_next(err, "name a file that is there, or - for the standard input");
    }
    return fd;
}

static enum err reading_failed(struct err_info *err)
{
    bool folder = errno == EISDIR;
    err_set(err, ERR_IO, "reading failed: %s", strerror(errno));
    err_next(err, folder ? "name a file, or - for the standard input" : "");
    return err->code;
}

/* One read; *ended at the end of the file. */
static enum err read_chunk(int fd, struct buffer *into, bool *ended, struct err_info *err)
{
    uint8_t *room = buffer_reserve(into, CHUNK);
    if (!room)
        return err_set(err, ERR_LIMIT, "the input is larger than it may be (%zu MiB)", into->max / MIB);
    ssize_t n;
    do {
        n = read(fd, room, CHUNK);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return reading_failed(err);
    into->len += (size_t)n;
    *ended = n == 0;
    return ERR_OK;
}

enum err input_whole(const char *path, struct buffer *into, struct err_info *err)
{
    bool ended = false;
    int fd = open_path(path, 0, err);
    enum err e = fd < 0 ? err->code : ERR_OK;
    while (!e && !ended)
        e = read_chunk(fd, into, &ended, err);
    if (e && fd >= 0)
        err_where(err, "%s", path ? path : "-");
    if (fd > STDERR_FILENO)
        close(fd);
    return e;
}

/* A FIFO that nobody writes to yet is opened at once, and has nothing yet: who waits for a line can be stopped, and be late. */
enum err input_open(struct input *in, const char *path, struct err_info *err)
{
    bool piped = !path || strcmp(path, "-") == 0;
    *in = (struct input){.name = piped ? "standard input" : path, .fd = open_path(path, O_NONBLOCK, err)};
    buffer_init(&in->text, LIMIT_LINE);
    if (in->fd < 0)
        return err->code;
    int flags = fcntl(in->fd, F_GETFL);
    if (!piped && flags >= 0)
        (void)fcntl(in->fd, F_SETFL, flags & ~O_NONBLOCK);
    in->start = lseek(in->fd, 0, SEEK_CUR);
    return ERR_OK;
}

bool input_rewind(struct input *in)
{
    if (in->start < 0 || lseek(in->fd, in->start, SEEK_SET) != in->start)
        return false;
    buffer_clear(&in->text);
    in->at = 0;
    in->line = 0;
    in->ended = false;
    return true;
}

void input_where(const struct input *in, struct err_info *err)
{
    char where[sizeof err->where];
    memcpy(where, err->where, sizeof where);
    err_where(err, "%.60s: line %" PRIu64 "%s%.40s", in->name, in->line, *where ? ", " : "", where);
}

static void drop_used(struct input *in)
{
    in->text.len -= in->at;
    memmove(in->text.data, in->text.data + in->at, in->text.len);
    in->at = 0;
}

/* With a line begun, or interrupted, too: a read would take a FIFO's writer that is to come for one that has gone. */
static bool has_nothing(const struct input *in)
{
    struct pollfd p = {.fd = in->fd, .events = POLLIN};
    return poll(&p, 1, PATIENCE_MS) <= 0;
}

enum err input_line(struct input *in, struct bytes *line, struct err_info *err)
{
    size_t looked = in->at;
    for (;;) {
        const uint8_t *end =
            in->text.len > looked ? memchr(in->text.data + looked, '\n', in->text.len - looked) : NULL;
        if (end || (in->ended && in->text.len > in->at)) {
            size_t stop = end ? (size_t)(end - in->text.data) : in->text.len;
            *line = bytes_of(in->text.data + in->at, stop - in->at);
            in->at = stop + (end != NULL);
            in->line++;
            return ERR_OK;
        }
        if (in->ended)
            return ERR_END;
        if (in->at)
            drop_used(in);
        looked = in->text.len;
        if (has_nothing(in))
            return err_set(err, ERR_BUSY, "%s has nothing yet", in->name);
        enum err e = read_chunk(in->fd, &in->text, &in->ended, err);
        if (e) {
            err_where(err, "%s", in->name);
            return e;
        }
    }
}

void input_close(struct input *in)
{
    if (in->fd > STDERR_FILENO)
        close(in->fd);
    buffer_free(&in->text);
}
