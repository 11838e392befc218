#include "base/mark.h"

#include "base/clock.h"
#include "base/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MARK_TEXT    1024
#define TAKE_TIME_NS (5 * NS_PER_S) /* for somebody who is undoing just now */

static bool mark_path(const char *name, char *into, size_t size)
{
    char file[300];
    int n = snprintf(file, sizeof file, "%s.mark", name);
    return n > 0 && (size_t)n < sizeof file && state_path(file, into, size);
}

/* A file that was removed between opening and locking is nobody's mark. */
static bool is_linked(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static int open_shared(const char *path)
{
    int64_t end = clock_mono_ns() + TAKE_TIME_NS;
    do {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return -1;
        if (flock(fd, LOCK_SH | LOCK_NB) == 0 && is_linked(fd))
            return fd;
        close(fd);
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    } while (clock_mono_ns() < end);
    errno = EWOULDBLOCK;
    return -1;
}

int mark_take(const char *name, bool *fresh, struct err_info *err)
{
    char path[STATE_PATH_SIZE];
    struct stat st;
    int fd = -1;
    if (!mark_path(name, path, sizeof path)) {
        (void)state_missing(err);
        return -1;
    }
    if (state_make_folder(path))
        fd = open_shared(path);
    if (fd < 0 || fstat(fd, &st)) {
        (void)state_failed(path, err);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *fresh = st.st_size == 0;
    return fd;
}

enum err mark_write(int mark, const char *text, struct err_info *err)
{
    if (state_fill(mark, text))
        return ERR_OK;
    return err_set(err, ERR_IO, "the mark in the state directory: %s", strerror(errno));
}

bool mark_is_last(int mark)
{
    if (flock(mark, LOCK_EX | LOCK_NB) == 0)
        return true;
    close(mark);
    return false;
}

int mark_left(const char *name)
{
    char path[STATE_PATH_SIZE];
    struct stat st;
    int fd = mark_path(name, path, sizeof path) ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0)
        return -1;
    bool left = flock(fd, LOCK_EX | LOCK_NB) == 0 && is_linked(fd);
    if (left && fstat(fd, &st) == 0 && st.st_size == 0) { /* it was taken, and nothing was changed yet */
        unlink(path);
        left = false;
    }
    if (left)
        return fd;
    close(fd);
    return -1;
}

int64_t mark_time(int mark)
{
    struct stat st;
    return fstat(mark, &st) ? TIME_NONE : st.st_mtim.tv_sec * NS_PER_S;
}

void mark_end(int mark, const char *name, bool undone)
{
    char path[STATE_PATH_SIZE];
    if (undone && mark_path(name, path, sizeof path))
        unlink(path);
    close(mark);
}

static void see(const char *name, mark_seen *seen, void *context)
{
    char text[MARK_TEXT];
    int mark = mark_left(name);
    ssize_t n = mark < 0 ? -1 : pread(mark, text, sizeof text - 1, 0);
    if (n > 0) {
        text[n] = '\0';
        seen(context, name, text);
    }
    if (mark >= 0)
        mark_end(mark, name, false);
}

void mark_each_left(mark_seen *seen, void *context)
{
    static const char ending[] = ".mark";
    char path[STATE_PATH_SIZE], name[300];
    DIR *folder = state_path(".", path, sizeof path) ? opendir(path) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        int len = (int)strlen(entry->d_name) - (int)(sizeof ending - 1);
        if (len <= 0 || strcmp(entry->d_name + len, ending) != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", len, entry->d_name);
        see(name, seen, context);
    }
    if (folder)
        closedir(folder);
}
