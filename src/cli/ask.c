/* Asking for a password: on the terminal itself, since stdin and stdout may be data. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define MOST_PASSWORD 1024

/* One line without echo. TCSAFLUSH keeps typed-ahead keys out of the password. */
static bool read_hidden(int tty, char *into, size_t size)
{
    struct termios before, hidden;
    if (tcgetattr(tty, &before) != 0)
        return false;
    hidden = before;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    hidden.c_lflag |= ICANON;
    tcsetattr(tty, TCSAFLUSH, &hidden);
    ssize_t n;
    do {
        n = read(tty, into, size - 1);
    } while (n < 0 && errno == EINTR);
    tcsetattr(tty, TCSAFLUSH, &before);
    (void)!write(tty, "\n", 1);
    into[n > 0 ? n : 0] = '\0';
    into[strcspn(into, "\r\n")] = '\0';
    return n > 0 && !strchr(into, '\003'); /* Ctrl-C arrives as a character here */
}

void cli_ask_password(struct cli *c, struct endpoint *e)
{
    char question[256], password[MOST_PASSWORD] = "";
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty < 0)
        return;
    int n =
        snprintf(question, sizeof question, "signalbox: password of %.60s at %.120s: ", e->username, e->name);
    if (write(tty, question, (size_t)n) == n && read_hidden(tty, password, sizeof password) && *password)
        e->password = arena_strdup(c->config.arena, password);
    explicit_bzero(password, sizeof password);
    close(tty);
}
