/* What tests against the lab's servers share. The variables are described in tests/lab/README.md. */
#ifndef TESTS_SUPPORT_LAB_H
#define TESTS_SUPPORT_LAB_H

#include <stdbool.h>
#include <stddef.h>

/* A variable of the lab, or NULL. */
const char *lab_get(const char *name);

/* A variable that a test can't do without. Without it the test is skipped, with the lab's reason; doesn't return then. */
const char *lab_need(const char *name);

/* A name that no other test or run uses: PREFIX, process and a counter. At most SIZE bytes into NAME. */
void lab_unique(const char *prefix, char *name, size_t size);

/* Runs a shell command, stdin from /dev/null; gives its exit code. With OUT, at most SIZE - 1 bytes of its stdout. */
int lab_shell(const char *command, char *out, size_t size);

/* The fault proxy tests/lab/chaos.py in front of TARGET (HOST:PORT). */
struct lab_chaos {
    int pid;
    int to, from;
    char address[64]; /* 127.0.0.1:PORT */
};

bool lab_chaos_start(struct lab_chaos *chaos, const char *target);
/* Sends a command ("stall", "cut", "delay 200") and waits for the answer; false when it is refused. */
bool lab_chaos(struct lab_chaos *chaos, const char *command);
void lab_chaos_stop(struct lab_chaos *chaos);

#endif
