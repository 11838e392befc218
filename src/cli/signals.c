#include "cli/signals.h"

#include "base/clock.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

static volatile sig_atomic_t seen;
static sigset_t open_mask; /* as the program was started: what wait_for opens */
static bool taken;

static void on_signal(int number)
{
    seen = number;
}

void signals_take(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigset_t ours;
    if (taken) /* by a listing, say, before the reading: a mask of now would keep them blocked in wait_for too */
        return;
    taken = true;
    sigemptyset(&ours);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        /* nohup and a shell's background jobs ignore some: that stays. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN)
            continue;
        sigaction(numbers[i], &action, NULL);
        sigaddset(&ours, numbers[i]);
    }
    pthread_sigmask(SIG_BLOCK, &ours, &open_mask);
}

int signals_seen(void)
{
    return seen;
}

void signals_forget(void)
{
    seen = 0;
}

static enum waited wait_at(struct pollfd polls[2], int64_t deadline_ns)
{
    for (;;) {
        struct timespec left = {0}, *timeout = &left;
        int64_t ns = deadline_ns - clock_mono_ns();
        if (deadline_ns == INT64_MAX)
            timeout = NULL;
        else if (ns > 0)
            left = (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
        int ready = seen ? -1 : ppoll(polls, 2, timeout, &open_mask);
        if (seen)
            return WAITED_SIGNAL;
        if (ready < 0)
            continue;
        if (polls[0].revents) {
            (void)!read(polls[0].fd, &(uint64_t){0}, sizeof(uint64_t));
            return WAITED_EVENT;
        }
        if (polls[1].revents & (POLLERR | POLLNVAL))
            return WAITED_CLOSED;
        if (ready == 0)
            return WAITED_TIMEOUT;
    }
}

enum waited wait_for(int event_fd, int64_t deadline_ns)
{
    struct pollfd polls[] = {{.fd = event_fd, .events = POLLIN}, {.fd = -1}};
    return wait_at(polls, deadline_ns);
}

enum waited wait_for_readers(int event_fd, int64_t deadline_ns)
{
    struct pollfd polls[] = {{.fd = event_fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
    return wait_at(polls, deadline_ns);
}
