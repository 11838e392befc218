/* Where passwords come from: the environment, a private file, a command. They are never logged, and an error never quotes
 * what was read. */
#include "engine/secret.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_SECRET     4096
#define COMMAND_TIME_NS (10 * NS_PER_S)
#define LOOK_MS         50 /* while a command runs: does anybody still wait? */

/* Between two runs of a command whose password is refused: always less than a session's back-off, so that this bounds only
 * probes at a short interval. */
#define ASK_AGAIN_NS (NS_PER_S / 4)
#define ASK_MOST_NS  (5 * NS_PER_S)

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

static bool given_up(int64_t deadline_ns, const atomic_bool *leaving)
{
    return atomic_load(leaving) || clock_mono_ns() >= deadline_ns;
}

/* Reads to the end or the deadline; false: too late, or nobody waits any more. */
static bool read_until(int fd, char *into, size_t *len, int64_t deadline_ns, const atomic_bool *leaving)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, LOOK_MS);
        if (given_up(deadline_ns, leaving))
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

/* A command may close its output and go on. False: it is still there. */
static bool ended_until(pid_t pid, int *status, int64_t deadline_ns, const atomic_bool *leaving)
{
    for (int ms = 1; waitpid(pid, status, WNOHANG) == 0; ms = ms * 2 < LOOK_MS ? ms * 2 : LOOK_MS) {
        if (given_up(deadline_ns, leaving))
            return false;
        poll(NULL, 0, ms);
    }
    return true;
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
    int64_t deadline = clock_mono_ns() + COMMAND_TIME_NS;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, ERR_FAILED, "no pipe for password_command: %s", strerror(errno));
    enum err e = start_command(command, ends[1], &pid, err);
    close(ends[1]);
    bool in_time = !e && read_until(ends[0], into, &len, deadline, leaving);
    close(ends[0]);
    if (e)
        return e;
    in_time = in_time && ended_until(pid, &status, deadline, leaving);
    if (!in_time) {
        kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    if (!in_time && atomic_load(leaving))
        return err_set(err, ERR_CANCELLED, "cancelled");
    return command_result(in_time, status, first_line(into, len), err);
}

/* ---- what is kept ---- */

/* Guards what is kept of every password; let go while one is fetched. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fetched = PTHREAD_COND_INITIALIZER;

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

/* A command's answer that is refused again and again is no reason to run it at every try of a quick probe. */
static bool is_due(const struct config_password *p)
{
    if (!p->value || !p->refused)
        return !p->value;
    int64_t pause = ASK_AGAIN_NS;
    for (unsigned i = 1; i < p->refusals && pause < ASK_MOST_NS; i++)
        pause *= 2;
    return !p->command || clock_mono_ns() - p->fetched_ns >= (pause < ASK_MOST_NS ? pause : ASK_MOST_NS);
}

static void keep(struct config_password *p, const char *found, const struct err_info *err)
{
    char *fresh = err->code ? NULL : strdup(found);
    if (!fresh || !p->value || strcmp(fresh, p->value) != 0)
        p->refusals = 0;
    wipe(&p->value);
    p->value = fresh;
    p->failed = *err;
    if (!fresh && !err->code)
        err_set(&p->failed, ERR_NOMEM, "no memory for a password");
    p->number++;
    p->refused = false;
    p->fetched_ns = clock_mono_ns();
}

static enum err find(const struct config_password *p, const atomic_bool *leaving, char *into,
                     struct err_info *err)
{
    if (p->env)
        return from_environment(p->env, into, err);
    return p->file ? from_file(p->file, into, err) : from_command(p->command, leaving, into, err);
}

/* Called and left under the lock; lets it go meanwhile. */
static void fetch(struct config_password *p, const char *whose, const atomic_bool *leaving)
{
    char found[MOST_SECRET] = "";
    struct err_info err = {.code = ERR_OK};
    p->fetching = true;
    pthread_mutex_unlock(&lock);
    if (find(p, leaving, found, &err))
        err_where(&err, "%s", whose);
    pthread_mutex_lock(&lock);
    keep(p, found, &err);
    explicit_bzero(found, sizeof found);
    p->fetching = false;
    pthread_cond_broadcast(&fetched);
}

static enum err hand_out(struct config_password *p, struct secret *into, struct err_info *err)
{
    if (!p->value) {
        if (err)
            *err = p->failed;
        return p->failed.code;
    }
    *into = (struct secret){.of = p, .text = strdup(p->value), .number = p->number};
    return into->text ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for a password");
}

/* Who has waited for another's fetch takes what came of it, a failure too: a command that hangs is not run once for each of
 * them, one after the other. */
enum err secret_get(struct config_password *of, const char *whose, const atomic_bool *leaving,
                    struct secret *into, struct err_info *err)
{
    secret_clear(into);
    if (!of || !(of->env || of->file || of->command))
        return ERR_OK;
    pthread_mutex_lock(&lock);
    bool waited = of->fetching;
    while (of->fetching)
        pthread_cond_wait(&fetched, &lock);
    if (!waited && is_due(of))
        fetch(of, whose, leaving);
    enum err e = hand_out(of, into, err);
    pthread_mutex_unlock(&lock);
    return e;
}

void secret_refused(const struct secret *s)
{
    if (!s->of)
        return;
    pthread_mutex_lock(&lock);
    if (s->of->number == s->number && !s->of->refused) {
        s->of->refused = true;
        s->of->refusals++;
    }
    pthread_mutex_unlock(&lock);
}

void secret_clear(struct secret *s)
{
    wipe(&s->text);
    *s = (struct secret){0};
}

void secret_forget(struct config_password *p)
{
    pthread_mutex_lock(&lock);
    wipe(&p->value);
    pthread_mutex_unlock(&lock);
}
