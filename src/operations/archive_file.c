#include "operations/archive_file.h"

#include "base/limits.h"
#include "base/state.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER   "archives/"
#define WRITE_AT (256 * KIB) /* so much gathers before it is written */

/* ---- names ---- */

/* What is no letter, digit, dot or dash of a file's name would be trouble in somebody's shell. */
static void put_word(char *into, size_t size, const char *word)
{
    size_t n = 0;
    for (; word[n] && n + 1 < size; n++) {
        unsigned char c = (unsigned char)word[n];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_' || (c == '.' && n);
        into[n] = plain ? (char)c : '_';
    }
    into[n] = '\0';
}

bool archive_path(int64_t created_ns, const char *endpoint, const char *channel, unsigned number, char *into,
                  size_t size)
{
    char name[300], e[61], c[121], further[16] = "", when[32];
    time_t seconds = (time_t)(created_ns / NS_PER_S);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof when, "%Y%m%dT%H%M%S", &utc);
    put_word(e, sizeof e, endpoint);
    put_word(c, sizeof c, channel);
    if (number > 1)
        snprintf(further, sizeof further, "_%03u", number);
    snprintf(name, sizeof name, FOLDER "%s.%03dZ-%s-%s%s.sba", when, (int)(created_ns % NS_PER_S / NS_PER_MS),
             e, c, further);
    return state_path(name, into, size);
}

bool archive_path_of_name(const char *name, char *into, size_t size)
{
    char file[300];
    size_t len = strlen(name);
    bool whole = len > 4 && strcmp(name + len - 4, ".sba") == 0;
    int n = snprintf(file, sizeof file, FOLDER "%s%s", name, whole ? "" : ".sba");
    return (size_t)n < sizeof file && !strchr(name, '/') && state_path(file, into, size);
}

char *archive_find(const char *text, struct err_info *err)
{
    char named[STATE_PATH_SIZE], folder[STATE_PATH_SIZE];
    char *path = realpath(text, NULL);
    if (!path && archive_path_of_name(text, named, sizeof named))
        path = realpath(named, NULL);
    if (path)
        return path;
    err_set(err, ERR_NOTFOUND, "no archive of that path or name");
    err_where(err, "%s", text);
    if (state_path("archives", folder, sizeof folder))
        err_next(err, "those of purges are in %.150s; `signalbox journal` says which", folder);
    return NULL;
}

/* ---- writing ---- */

struct archiver {
    char path[STATE_PATH_SIZE], part[STATE_PATH_SIZE + 8];
    int fd;
    struct archive_writer writer;
    struct buffer out;
};

static enum err failed(const struct archiver *a, const char *what, struct err_info *err)
{
    err_set(err, ERR_IO, "the archive cannot be written: %s%s%s", what, *what ? ": " : "", strerror(errno));
    err_where(err, "%s", a->path);
    err_next(err, "make room there, or let XDG_STATE_HOME name a directory that has it");
    return ERR_IO;
}

static enum err write_out(struct archiver *a, struct err_info *err)
{
    if (!buffer_ok(&a->out))
        return err_set(err, ERR_NOMEM, "no memory for the archive");
    for (size_t done = 0; done < a->out.len;) {
        ssize_t n = write(a->fd, a->out.data + done, a->out.len - done);
        if (n < 0 && errno != EINTR)
            return failed(a, "", err);
        done += n > 0 ? (size_t)n : 0;
    }
    buffer_clear(&a->out);
    return ERR_OK;
}

/* The one who has made the .part is the one who may give the name. */
static enum err make_part(struct archiver *a, struct err_info *err)
{
    struct stat st;
    if (!state_make_folder(a->path))
        return state_failed(a->path, err);
    a->fd = open(a->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (a->fd < 0)
        return errno == EEXIST ? err_set(err, ERR_EXISTS, "%s is there already", a->part)
                               : state_failed(a->part, err);
    if (lstat(a->path, &st) != 0)
        return ERR_OK;
    return err_set(err, ERR_EXISTS, "%s is there already", a->path);
}

struct archiver *archiver_open(const char *path, const struct archive_header *header, struct err_info *err)
{
    struct archiver *a = calloc(1, sizeof *a);
    if (!a) {
        err_set(err, ERR_NOMEM, "no memory for an archive");
        return NULL;
    }
    a->fd = -1;
    buffer_init(&a->out, 2 * LIMIT_MESSAGE);
    text_copy(a->path, sizeof a->path, path);
    snprintf(a->part, sizeof a->part, "%s.part", path);
    enum err e = make_part(a, err);
    if (!e)
        e = archive_begin(&a->writer, &a->out, header, err);
    if (!e)
        e = write_out(a, err);
    if (e)
        archiver_give_up(&a);
    return a;
}

enum err archiver_put(struct archiver *a, const struct message *m, struct err_info *err)
{
    archive_message(&a->writer, &a->out, m);
    return a->out.len >= WRITE_AT || !buffer_ok(&a->out) ? write_out(a, err) : ERR_OK;
}

uint64_t archiver_count(const struct archiver *a)
{
    return a->writer.count;
}

/* What cannot be read could not be restored. */
static enum err read_back(const struct archiver *a, struct err_info *err)
{
    struct archive_file f;
    struct message m;
    enum err e = archive_file_open(&f, a->part, err);
    while (!e)
        e = archive_next(&f.archive, &m, err);
    bool all = e == ERR_END && f.archive.count == a->writer.count;
    archive_file_close(&f);
    if (e == ERR_END)
        e = all ? ERR_OK : err_set(err, ERR_FORMAT, "the archive does not hold what was written");
    return e;
}

static enum err name_it(struct archiver *a, struct err_info *err)
{
    char folder[STATE_PATH_SIZE];
    text_copy(folder, sizeof folder, a->path);
    *strrchr(folder, '/') = '\0';
    if (rename(a->part, a->path) != 0)
        return failed(a, "renaming", err);
    text_copy(a->part, sizeof a->part, a->path); /* what is to go, should this fail */
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e = fd >= 0 && fsync(fd) == 0 ? ERR_OK : failed(a, "syncing its folder", err);
    if (fd >= 0)
        close(fd);
    if (!e)
        a->part[0] = '\0';
    return e;
}

enum err archiver_finish(struct archiver **ap, struct err_info *err)
{
    struct archiver *a = *ap;
    archive_end(&a->writer, &a->out);
    enum err e = write_out(a, err);
    if (!e && fsync(a->fd) != 0)
        e = failed(a, "syncing", err);
    if (!e)
        e = read_back(a, err);
    if (!e)
        e = name_it(a, err);
    archiver_give_up(ap);
    return e;
}

void archiver_give_up(struct archiver **ap)
{
    struct archiver *a = *ap;
    *ap = NULL;
    if (!a)
        return;
    archive_end(&a->writer, NULL);
    if (a->fd >= 0 && a->part[0])
        unlink(a->part);
    if (a->fd >= 0)
        close(a->fd);
    buffer_free(&a->out);
    free(a);
}

void archiver_clean(const char *path)
{
    char part[STATE_PATH_SIZE + 8];
    snprintf(part, sizeof part, "%s.part", path);
    unlink(part);
}

/* ---- reading ---- */

static enum err unreadable(const char *path, const char *why, struct err_info *err)
{
    enum err e = err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "the archive cannot be read: %s", why);
    err_where(err, "%s", path);
    return e;
}

static enum err map(struct archive_file *f, const char *path, struct err_info *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        enum err e = unreadable(path, strerror(errno), err);
        if (fd >= 0)
            close(fd);
        return e;
    }
    void *data = S_ISREG(st.st_mode) && st.st_size > 0
                     ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                     : MAP_FAILED;
    close(fd);
    errno = 0;
    if (data == MAP_FAILED)
        return unreadable(path, S_ISREG(st.st_mode) ? "it is empty, or too large" : "it is no file", err);
    f->mapped = bytes_of(data, (size_t)st.st_size);
    return ERR_OK;
}

enum err archive_file_open(struct archive_file *f, const char *path, struct err_info *err)
{
    *f = (struct archive_file){.mapped = BYTES_NULL};
    enum err e = map(f, path, err);
    if (e)
        return e;
    e = archive_open(&f->archive, f->mapped, err);
    if (e) {
        char where[sizeof err->where];
        text_copy(where, sizeof where, err ? err->where : "");
        err_where(err, "%.80s: %.40s", path, where);
        return e;
    }
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(f->sum + 2 * i, 3, "%02x", f->mapped.data[f->mapped.len - SHA256_SIZE + i]);
    return ERR_OK;
}

enum err archive_file_look(struct archive_file *f, const char *path, struct err_info *err)
{
    *f = (struct archive_file){.mapped = BYTES_NULL};
    enum err e = map(f, path, err);
    return e ? e : archive_look(&f->archive, f->mapped, err);
}

void archive_file_close(struct archive_file *f)
{
    archive_close(&f->archive);
    if (f->mapped.data)
        munmap((void *)(uintptr_t)f->mapped.data, f->mapped.len);
    f->mapped = BYTES_NULL;
}
