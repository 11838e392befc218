#include "operations/lock.h"

#include "base/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool path_of(const char *id, char *into, size_t size)
{
    char name[64];
    snprintf(name, sizeof name, "operations/%s.lock", id);
    return state_path(name, into, size);
}

/* Another process may have removed the file between its opening and its locking. */
static bool is_linked(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

int operation_lock(const char *id, struct err_info *err)
{
    char path[STATE_PATH_SIZE];
    if (!path_of(id, path, sizeof path)) {
        state_missing(err);
        return -1;
    }
    if (!state_make_folder(path)) {
        state_failed(path, err);
        return -1;
    }
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) {
            state_failed(path, err);
            return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            err_set(err, ERR_BUSY, "operation %s is under way in another process", id);
            close(fd);
            return -1;
        }
        if (is_linked(fd))
            return fd;
        close(fd);
    }
}

void operation_unlock(const char *id, int fd, bool ended)
{
    char path[STATE_PATH_SIZE];
    if (ended && path_of(id, path, sizeof path))
        unlink(path);
    if (fd >= 0)
        close(fd);
}

bool operation_is_locked(const char *id)
{
    char path[STATE_PATH_SIZE];
    int fd = path_of(id, path, sizeof path) ? open(path, O_RDWR | O_CLOEXEC) : -1;
    bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return locked;
}
