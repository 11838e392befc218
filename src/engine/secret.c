/* Where passwords come from: the environment, a private file, a command. They are never logged, and an error never quotes
 * what was read. */
#include "engine/config.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_SECRET     4096
#define COMMAND_TIME_NS (10 * NS_PER_S)
#define LOOK_MS         50 /* while a command runs: does anybody still wait? */

extern char **environ;

/* One line without its end; the rest of the file is a remark. False: nothing there. */
static bool first_line(char *text, size_t len)
{
    text[len] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return *text != '\0';
}

static enum err from_environment(const char *name, char *into, struct err_info *err)
{
    const char *value = secure_getenv(name);
    if (value && strlen(value) < MOST_SECRET) {
        text_copy(into, MOST_SECRET, value);
        return ERR_OK;
    }
    err_set(err, ERR_CONFIG, value ? "the password in $%s is longer than 4095 bytes" : "$%s is not set",
            name);
    err_next(err, "export %s before starting signalbox", name);
    return ERR_CONFIG;
}

static enum err read_secret(int fd, char *into, size_t *len)
{
    ssize_t n;
    while (*len < MOST_SECRET - 1 && (n = read(fd, into + *len, MOST_SECRET - 1 - *len)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        *len += (size_t)n;
    }
    return ERR_OK;
}

static enum err file_error(const char *path, struct err_info *err)
{
    return err_set(err, ERR_CONFIG, "password_file %.200s: %s", path, strerror(errno));
}

static enum err from_file(const char *path, char *into, struct err_info *err)
{
    struct stat st;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return file_error(path, err);
    enum err e = fstat(fd, &st) == 0 ? ERR_OK : file_error(path, err);
    if (!e && (st.st_mode & 077)) {
        e = err_set(err, ERR_CONFIG, "password_file %.200s can be read by others (mode %04o)", path,
                    (unsigned)st.st_mode & 07777);
        err_next(err, "chmod 600 %.180s", path);
    }
    if (!e && read_secret(fd, into, &len))
        e = file_error(path, err);
    if (!e && !first_line(into, len))
        e = err_set(err, ERR_CONFIG, "password_file %.200s has no password on its first line", path);
    close(fd);
    return e;
}

/* ---- a command ---- */

static enum err start_command(const char *command, int out, pid_t *pid, struct err_info *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawnattr_init(&attr);
    /* A group of its own, so that the time limit ends the shell's children too. */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setpgroup(&attr, 0);
    char shell[] = "sh", option[] = "-c";
    char *argv[] = {shell, option, (char *)(uintptr_t)command, NULL};
    int failed = posix_spawn(pid, "/bin/sh", &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return failed ? err_set(err, ERR_CONFIG, "password_command: /bin/sh: %s", strerror(failed)) : ERR_OK;
}

/* Reads to the end or the deadline; false: too late, or nobody waits any more. */
static bool read_until(int fd, char *into, size_t *len, int64_t deadline_ns, const atomic_bool *leaving)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, LOOK_MS);
        if (atomic_load(leaving) || (ready == 0 && clock_mono_ns() >= deadline_ns))
            return false;
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        if (ready < 0)
            return false;
        ssize_t n = read(fd, into + *len, MOST_SECRET - 1 - *len);
        if (n <= 0)
            return n == 0;
        *len += (size_t)n;
        if (*len == MOST_SECRET - 1)
            return true;
    }
}

static enum err command_result(bool in_time, int status, bool some, struct err_info *err)
{
    if (!in_time) {
        err_set(err, ERR_CONFIG, "password_command took longer than 10 seconds");
        err_next(err, "it must not ask anything: its input is empty");
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        err_set(err, ERR_CONFIG, "password_command failed with %s %d",
                WIFEXITED(status) ? "exit code" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        err_next(err, "try it in a shell; its messages are above");
    } else if (!some) {
        err_set(err, ERR_CONFIG, "password_command printed nothing");
    } else {
        return ERR_OK;
    }
    return ERR_CONFIG;
}

static enum err from_command(const char *command, const atomic_bool *leaving, char *into,
                             struct err_info *err)
{
    int ends[2], status = 0;
    size_t len = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, ERR_FAILED, "no pipe for password_command: %s", strerror(errno));
    enum err e = start_command(command, ends[1], &pid, err);
    close(ends[1]);
    if (!e) {
        bool in_time = read_until(ends[0], into, &len, clock_mono_ns() + COMMAND_TIME_NS, leaving);
        if (!in_time)
            kill(-pid, SIGKILL);
        close(ends[0]);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        return command_result(in_time, status, first_line(into, len), err);
    }
    close(ends[0]);
    return e;
}

static pthread_mutex_t fetching =
    PTHREAD_MUTEX_INITIALIZER; /* guards every password and the arena they live in */

static enum err fetch(struct config *c, const struct config_password *from, struct endpoint *e,
                      struct err_info *err)
{
    char secret[MOST_SECRET] = "";
    enum err failed = ERR_OK;
    if (e->password || !(from->env || from->file || from->command))
        return ERR_OK;
    if (from->env)
        failed = from_environment(from->env, secret, err);
    else if (from->file)
        failed = from_file(from->file, secret, err);
    else
        failed = from_command(from->command, &c->leaving, secret, err);
    if (failed)
        err_where(err, "%s", e->name);
    else if (!(e->password = arena_strdup(c->secrets, secret)))
        failed = err_set(err, ERR_NOMEM, "no memory for a password");
    explicit_bzero(secret, sizeof secret);
    return failed;
}

static enum err resolve(struct config *c, const struct config_password *from, struct endpoint *e,
                        struct err_info *err)
{
    pthread_mutex_lock(&fetching);
    enum err failed = fetch(c, from, e, err);
    pthread_mutex_unlock(&fetching);
    return failed;
}

enum err config_secret(struct config *c, struct config_endpoint *e, struct err_info *err)
{
    return resolve(c, &e->password, &e->endpoint, err);
}

enum err config_probe_secret(struct config *c, size_t i, struct err_info *err)
{
    return c->probe_passwords ? resolve(c, &c->probe_passwords[i], &c->probes[i].endpoint, err) : ERR_OK;
}

_Static_assert(offsetof(struct config_endpoint, endpoint) == 0,
               "an endpoint of the configuration begins with it");

enum err config_prepare(void *config, const struct endpoint *e, struct err_info *err)
{
    return config_secret(config, (struct config_endpoint *)(uintptr_t)e, err);
}
