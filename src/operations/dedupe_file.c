#include "operations/dedupe_file.h"

#include "base/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* MAGIC, looked (8), whole (1), ends (their number, 4; partition 4 and next 8 each), extras; little-endian. */
#define MAGIC     "signalbox.dedupe/1\n"
#define FILE_MOST ((size_t)1 << 30)
#define END_SIZE  12

void dedupe_findings_free(struct dedupe_findings *f)
{
    dedupe_extras_free(&f->extras);
    free(f->ends.items);
    *f = (struct dedupe_findings){.extras = NULL};
}

static bool path_of(const char *id, const char *suffix, char *into, size_t size)
{
    char name[64];
    snprintf(name, sizeof name, "operations/%s.extras%s", id, suffix);
    return state_path(name, into, size);
}

/* ---- writing ---- */

static void put(struct buffer *out, uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buffer_byte(out, (uint8_t)(n >> 8 * i));
}

static void encode(const struct dedupe_findings *f, struct buffer *out)
{
    buffer_text(out, MAGIC);
    put(out, (uint64_t)f->looked, 8);
    buffer_byte(out, f->whole);
    put(out, f->ends.count, 4);
    for (size_t i = 0; i < f->ends.count; i++) {
        put(out, (uint32_t)f->ends.items[i].partition, 4);
        put(out, (uint64_t)f->ends.items[i].next, 8);
    }
    dedupe_extras_write(f->extras, out);
}

static bool write_all(int fd, struct bytes b)
{
    while (b.len) {
        ssize_t n = write(fd, b.data, b.len);
        if (n < 0 && errno != EINTR)
            return false;
        b = bytes_slice(b, n > 0 ? (size_t)n : 0, b.len);
    }
    return fsync(fd) == 0;
}

static bool sync_folder(const char *path)
{
    char folder[STATE_PATH_SIZE];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

bool dedupe_file_begin(const char *id)
{
    char part[STATE_PATH_SIZE];
    if (!path_of(id, ".part", part, sizeof part) || !state_make_folder(part))
        return false; /* writing it will say so */
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool was_there = fd < 0 && errno == EEXIST;
    if (fd >= 0)
        close(fd);
    return was_there;
}

/* The operation's lock is held: nobody else writes it. */
static enum err write_file(const char *id, struct bytes text, struct err_info *err)
{
    char path[STATE_PATH_SIZE], part[STATE_PATH_SIZE];
    if (!path_of(id, "", path, sizeof path) || !path_of(id, ".part", part, sizeof part))
        return state_missing(err);
    if (!state_make_folder(path))
        return state_failed(path, err);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum err e = fd >= 0 && write_all(fd, text) && rename(part, path) == 0 && sync_folder(path)
                     ? ERR_OK
                     : state_failed(part, err);
    if (fd >= 0)
        close(fd);
    if (e)
        unlink(part);
    return e;
}

enum err dedupe_file_write(const char *id, const struct dedupe_findings *f, struct err_info *err)
{
    struct buffer out;
    buffer_init(&out, FILE_MOST);
    encode(f, &out);
    enum err e = buffer_ok(&out) ? write_file(id, buffer_view(&out), err)
                                 : err_set(err, ERR_NOMEM, "no memory for the list of duplicates");
    buffer_free(&out);
    return e;
}

/* ---- reading ---- */

static uint64_t get(struct bytes in, size_t *at, int bytes)
{
    uint64_t n = 0;
    for (int i = 0; i < bytes; i++)
        n |= (uint64_t)in.data[(*at)++] << 8 * i;
    return n;
}

static enum err decode(struct bytes in, struct dedupe_findings *f, struct err_info *err)
{
    size_t at = strlen(MAGIC);
    if (in.len < at + 13 || memcmp(in.data, MAGIC, at) != 0)
        return err_set(err, ERR_FORMAT, "this is no list of duplicates");
    f->looked = (int64_t)get(in, &at, 8);
    f->whole = get(in, &at, 1);
    size_t count = (size_t)get(in, &at, 4);
    if (count > (in.len - at) / END_SIZE)
        return err_set(err, ERR_FORMAT, "a list of duplicates is cut short");
    f->ends.items = calloc(count + 1, sizeof *f->ends.items);
    if (!f->ends.items)
        return err_set(err, ERR_NOMEM, "no memory for the list of duplicates");
    for (; f->ends.count < count; f->ends.count++) {
        struct read_place *end = &f->ends.items[f->ends.count];
        end->partition = (int32_t)get(in, &at, 4);
        end->next = (int64_t)get(in, &at, 8);
    }
    f->extras = dedupe_extras_read(bytes_slice(in, at, in.len), err);
    return f->extras ? ERR_OK : err->code;
}

/* Allocates. */
static enum err read_whole(int fd, struct bytes *in, struct err_info *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size > FILE_MOST)
        return err_set(err, ERR_FORMAT, "this is no list of duplicates");
    uint8_t *data = malloc((size_t)st.st_size + 1);
    if (!data)
        return err_set(err, ERR_NOMEM, "no memory for the list of duplicates");
    *in = bytes_of(data, 0);
    while (in->len < (size_t)st.st_size) {
        ssize_t n = read(fd, data + in->len, (size_t)st.st_size - in->len);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            break;
        in->len += n > 0 ? (size_t)n : 0;
    }
    return ERR_OK;
}

enum err dedupe_file_read(const char *id, struct dedupe_findings *f, struct err_info *err)
{
    char path[STATE_PATH_SIZE];
    struct bytes in = BYTES_NULL;
    *f = (struct dedupe_findings){.extras = NULL};
    if (!path_of(id, "", path, sizeof path))
        return state_missing(err);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return state_failed(path, err);
    enum err e = fd < 0 ? err_set(err, ERR_NOTFOUND, "the list of duplicates is not there any more")
                        : read_whole(fd, &in, err);
    if (fd >= 0)
        close(fd);
    if (!e)
        e = decode(in, f, err);
    if (e)
        err_where(err, "%s", path);
    if (e)
        dedupe_findings_free(f);
    free((void *)(uintptr_t)in.data);
    return e;
}

void dedupe_file_remove(const char *id)
{
    char path[STATE_PATH_SIZE];
    if (path_of(id, "", path, sizeof path))
        unlink(path);
    if (path_of(id, ".part", path, sizeof path))
        unlink(path);
}
