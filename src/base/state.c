#include "base/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool state_path(const char *name, char *into, size_t size)
{
    const char *xdg = secure_getenv("XDG_STATE_HOME"), *home = secure_getenv("HOME");
    int n = -1;
    if (xdg && *xdg == '/')
        n = snprintf(into, size, "%s/signalbox/%s", xdg, name);
    else if (home && *home == '/')
        n = snprintf(into, size, "%s/.local/state/signalbox/%s", home, name);
    return n > 0 && (size_t)n < size;
}

bool state_make_folder(const char *path)
{
    char above[STATE_PATH_SIZE];
    snprintf(above, sizeof above, "%s", path);
    for (char *slash = strchr(above + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(above, 0700) && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return true;
}

bool state_read(const char *name, char *into, size_t size)
{
    char path[STATE_PATH_SIZE];
    int fd = state_path(name, path, sizeof path) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0)
        return false;
    ssize_t n = read(fd, into, size - 1);
    close(fd);
    into[n > 0 ? n : 0] = '\0';
    return n > 0;
}

enum err state_missing(struct err_info *err)
{
    err_set(err, ERR_IO, "there is no state directory: HOME is not set");
    err_next(err, "set HOME, or XDG_STATE_HOME");
    return ERR_IO;
}

enum err state_failed(const char *path, struct err_info *err)
{
    err_set(err, ERR_IO, "%.300s: %s", path, strerror(errno));
    err_next(err, "let XDG_STATE_HOME name a directory that can be written to");
    return ERR_IO;
}

enum err state_check(struct err_info *err)
{
    char path[STATE_PATH_SIZE];
    if (!state_path("", path, sizeof path))
        return state_missing(err);
    return state_make_folder(path) && access(path, W_OK | X_OK) == 0 ? ERR_OK : state_failed(path, err);
}

bool state_fill(int fd, const char *text)
{
    size_t len = strlen(text), done = 0;
    while (done < len) { /* a full disk takes a part first, and says why only when asked again */
        ssize_t n = pwrite(fd, text + done, len - done, (off_t)done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0;
}

/* Written beside, then renamed; false: errno says why. */
static bool replace(const char *path, const char *text)
{
    char beside[STATE_PATH_SIZE + 32];
    snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return false;
    if (state_fill(fd, text) && rename(beside, path) == 0) {
        close(fd);
        return true;
    }
    int why = errno;
    close(fd);
    unlink(beside);
    errno = why;
    return false;
}

enum err state_write(const char *name, const char *text, struct err_info *err)
{
    char path[STATE_PATH_SIZE];
    if (!state_path(name, path, sizeof path))
        return state_missing(err);
    if (!*text && (unlink(path) == 0 || errno == ENOENT))
        return ERR_OK;
    if (*text && state_make_folder(path) && replace(path, text))
        return ERR_OK;
    return state_failed(path, err);
}
