#include "tests/support/lab.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

const char *lab_get(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *lab_need(const char *name)
{
    const char *value = lab_get(name), *why = NULL;
    if (value != NULL)
        return value;
    if (strncmp(name, "SB_KAFKA", 8) == 0)
        why = lab_get("SB_MISSING_KAFKA");
    else if (strncmp(name, "SB_RABBIT", 9) == 0)
        why = lab_get("SB_MISSING_RABBITMQ");
    print_message("skip: %s\n", why != NULL ? why : "the lab does not run (make lab)");
    skip();
    return NULL;
}

void lab_unique(const char *prefix, char *name, size_t size)
{
    static int count;
    snprintf(name, size, "%s-%d-%d", prefix, (int)getpid(), ++count);
}

/* Forks; in the child, stdin and stdout become the two descriptors. Gives the pid, or -1. */
static pid_t spawn(int in, int out, const char *const argv[])
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
        _exit(126);
    for (int fd = 3; fd < 256; fd++)
        close(fd);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

int lab_shell(const char *command, char *out, size_t size)
{
    const char *const argv[] = {"sh", "-c", command, NULL};
    char block[4096];
    size_t used = 0;
    ssize_t n;
    int ends[2], in, status;
    pid_t pid;

    in = STDIN_FILENO;
    if (pipe(ends) != 0)
        return -1;
    pid = spawn(in, ends[1], argv);
    close(ends[1]);
    while (pid > 0 && (n = read(ends[0], block, sizeof block)) > 0) {
        for (ssize_t i = 0; out != NULL && i < n && used + 1 < size; i++)
            out[used++] = block[i];
    }
    close(ends[0]);
    if (out != NULL && size > 0)
        out[used] = '\0';
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* One line of the proxy's answers, without its end. */
static bool read_line(int fd, char *line, size_t size)
{
    size_t used = 0;
    while (used + 1 < size && read(fd, line + used, 1) == 1) {
        if (line[used] == '\n') {
            line[used] = '\0';
            return true;
        }
        used++;
    }
    return false;
}

bool lab_chaos_start(struct lab_chaos *chaos, const char *target)
{
    const char *program = lab_need("SB_CHAOS");
    const char *const argv[] = {program, target, NULL};
    int to[2], from[2];
    char line[128], port[16];

    if (pipe(to) != 0 || pipe(from) != 0)
        return false;
    chaos->pid = spawn(to[0], from[1], argv);
    close(to[0]);
    close(from[1]);
    chaos->to = to[1];
    chaos->from = from[0];
    if (chaos->pid < 0 || !read_line(chaos->from, line, sizeof line) || strncmp(line, "listening ", 10) != 0)
        return false;
    size_t length = strspn(line + 10, "0123456789");
    if (length == 0 || length >= sizeof port)
        return false;
    memcpy(port, line + 10, length);
    port[length] = '\0';
    snprintf(chaos->address, sizeof chaos->address, "127.0.0.1:%s", port);
    return true;
}

bool lab_chaos(struct lab_chaos *chaos, const char *command)
{
    char line[256];
    int length = snprintf(line, sizeof line, "%s\n", command);
    if (length < 0 || (size_t)length >= sizeof line || write(chaos->to, line, (size_t)length) != length)
        return false;
    return read_line(chaos->from, line, sizeof line) && strncmp(line, "ok", 2) == 0;
}

void lab_chaos_stop(struct lab_chaos *chaos)
{
    close(chaos->to);
    close(chaos->from);
    kill(chaos->pid, SIGTERM);
    waitpid(chaos->pid, NULL, 0);
}
