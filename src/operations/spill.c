#include "operations/spill.h"

#include "base/limits.h"
#include "base/state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK (256 * KIB)

struct spill {
    int fd;
    uint64_t written; /* in the file; what is behind is in the block */
    size_t held;
    char folder[STATE_PATH_SIZE];
    uint8_t block[BLOCK];
};

static enum err fault(const struct spill *s, struct err_info *err)
{
    int why = errno;
    err_set(err, ERR_IO, "a temporary file in %.200s: %s", s->folder, strerror(why));
    err_next(err, "let TMPDIR name a directory %s",
             why == ENOSPC || why == EDQUOT || why == EFBIG ? "on a disk with more room"
                                                            : "that can be written to");
    return ERR_IO;
}

static bool find_folder(struct spill *s)
{
    const char *given = secure_getenv("TMPDIR");
    if (given && *given)
        return snprintf(s->folder, sizeof s->folder, "%s", given) < (int)sizeof s->folder;
    return state_path("", s->folder, sizeof s->folder) && state_make_folder(s->folder);
}

/* Not every file system makes one that never has a name. */
static int open_nameless(const char *folder)
{
    char path[STATE_PATH_SIZE + 32];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    snprintf(path, sizeof path, "%s/.signalbox-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

struct spill *spill_new(struct err_info *err)
{
    struct spill *s = malloc(sizeof *s);
    if (!s) {
        err_set(err, ERR_NOMEM, "no memory for a temporary file");
        return NULL;
    }
    s->fd = -1;
    s->written = s->held = 0;
    if (!find_folder(s))
        state_missing(err);
    else if ((s->fd = open_nameless(s->folder)) < 0)
        fault(s, err);
    if (s->fd < 0) {
        free(s);
        return NULL;
    }
    return s;
}

void spill_free(struct spill **sp)
{
    struct spill *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    close(s->fd);
    free(s);
}

static enum err write_all(struct spill *s, const uint8_t *data, size_t len, struct err_info *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(s->fd, data + done, len - done, (off_t)s->written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fault(s, err);
        done += (size_t)n;
        s->written += (uint64_t)n;
    }
    return ERR_OK;
}

static enum err flush(struct spill *s, struct err_info *err)
{
    size_t held = s->held;
    s->held = 0;
    return write_all(s, s->block, held, err);
}

enum err spill_append(struct spill *s, struct bytes b, struct err_info *err)
{
    if (b.len > BLOCK - s->held) {
        enum err e = flush(s, err);
        if (e || b.len >= BLOCK)
            return e ? e : write_all(s, b.data, b.len, err);
    }
    if (b.len)
        memcpy(s->block + s->held, b.data, b.len);
    s->held += b.len;
    return ERR_OK;
}

uint64_t spill_size(const struct spill *s)
{
    return s->written + s->held;
}

static enum err read_written(struct spill *s, uint64_t at, uint8_t *into, size_t len, struct err_info *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(s->fd, into + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* somebody has cut it */
        if (n <= 0)
            return fault(s, err);
        done += (size_t)n;
    }
    return ERR_OK;
}

enum err spill_read(struct spill *s, uint64_t at, void *into, size_t len, struct err_info *err)
{
    assert(at + len <= spill_size(s));
    size_t in_file = at >= s->written ? 0 : s->written - at < len ? (size_t)(s->written - at) : len;
    if (len > in_file)
        memcpy((uint8_t *)into + in_file, s->block + (at + in_file - s->written), len - in_file);
    return read_written(s, at, into, in_file, err);
}

enum err spill_clear(struct spill *s, struct err_info *err)
{
    s->written = s->held = 0;
    return ftruncate(s->fd, 0) == 0 ? ERR_OK : fault(s, err);
}

void spill_reader_init(struct spill_reader *r, struct spill *s, uint64_t begin, uint64_t end, uint8_t *buffer,
                       size_t size)
{
    *r = (struct spill_reader){.spill = s, .at = begin, .end = end, .buffer = buffer, .size = size};
}

bool spill_reader_is_done(const struct spill_reader *r)
{
    return r->at == r->end && r->from == r->to;
}

enum err spill_take(struct spill_reader *r, size_t len, const uint8_t **bytes, struct err_info *err)
{
    if (len > r->to - r->from) {
        size_t rest = r->to - r->from, room = r->size - rest;
        if (rest)
            memmove(r->buffer, r->buffer + r->from, rest);
        size_t more = r->end - r->at < room ? (size_t)(r->end - r->at) : room;
        enum err e = spill_read(r->spill, r->at, r->buffer + rest, more, err);
        if (e)
            return e;
        r->at += more;
        r->from = 0;
        r->to = rest + more;
        assert(len <= r->to);
    }
    *bytes = r->buffer + r->from;
    r->from += len;
    return ERR_OK;
}
