#include "base/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME      "signalbox-guard" /* what ps shows; the kernel keeps fifteen letters */
#define MOST_LEFT 16
#define DISMISSED '.' /* the last byte of what it reads */

extern char **environ;

static const char *own_program;

void guard_enable(const char *program)
{
    own_program = program;
}

bool guard_is_me(const char *argv0)
{
    return argv0 && strcmp(argv0, NAME) == 0;
}

/* In a session of its own, which no terminal and no kill of a process group reaches, and with nothing of ours but the pipe: a socket
 * of ours that it held would keep the connection open when we are gone. */
static int spawn(pid_t *pid, int in)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    char name[] = NAME, *argv[] = {name, NULL};
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    int failed = posix_spawn(pid, own_program, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return failed;
}

static bool tell(int fd, struct bytes text)
{
    while (text.len) {
        ssize_t n = write(fd, text.data, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = bytes_slice(text, (size_t)n, text.len);
    }
    return true;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Those that were left to their work and have done it. With pid > 0 one more is remembered. */
static void reap_left(pid_t pid)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static pid_t left[MOST_LEFT];
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < MOST_LEFT; i++) {
        if (left[i] && waitpid(left[i], NULL, WNOHANG) != 0)
            left[i] = 0;
        if (!left[i] && pid > 0) {
            left[i] = pid;
            pid = 0;
        }
    }
    pthread_mutex_unlock(&lock);
}

void guard_leave(struct guard *g)
{
    if (g->fd < 0)
        return;
    close(g->fd);
    g->fd = -1;
    reap_left(g->pid);
}

bool guard_start(struct guard *g, const char *mark, struct bytes text)
{
    int ends[2];
    *g = (struct guard){.fd = -1};
    reap_left(0);
    if (!own_program || pipe2(ends, O_CLOEXEC))
        return false;
    int failed = spawn(&g->pid, ends[0]);
    close(ends[0]);
    g->fd = ends[1];
    if (!failed && tell(g->fd, bytes_of(mark, strlen(mark) + 1)) && tell(g->fd, text))
        return true;
    close(g->fd);
    g->fd = -1;
    if (!failed)
        reap(g->pid);
    return false;
}

void guard_dismiss(struct guard *g)
{
    const uint8_t word = DISMISSED;
    if (g->fd < 0)
        return;
    (void)tell(g->fd, bytes_of(&word, 1));
    close(g->fd);
    g->fd = -1;
    reap(g->pid);
}

static bool read_all(struct buffer *told)
{
    for (ssize_t n = 1; n != 0;) {
        uint8_t *to = buffer_reserve(told, 512);
        n = to ? read(STDIN_FILENO, to, 512) : 0;
        if (n < 0 && errno != EINTR)
            return false;
        told->len += n > 0 ? (size_t)n : 0;
    }
    return buffer_ok(told);
}

bool guard_wait(struct buffer *told, const char **mark, struct bytes *text)
{
    prctl(PR_SET_NAME, NAME);
    if (!read_all(told) || !told->len || told->data[told->len - 1] == DISMISSED)
        return false;
    size_t name = strnlen((const char *)told->data, told->len);
    *mark = (const char *)told->data;
    *text = bytes_slice(buffer_view(told), name + 1, told->len);
    return name < told->len;
}
