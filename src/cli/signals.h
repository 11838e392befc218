/* Signals and the main thread's one wait. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_SIGNALS_H
#define SIGNALBOX_CLI_SIGNALS_H

#include <stdint.h>

/* SIGINT, SIGTERM and SIGHUP are blocked in this thread and those started later, open only inside wait_for. Again changes nothing. */
void signals_take(void);
int signals_seen(void);    /* the signal that came, 0 none */
void signals_forget(void); /* it was heeded: wait_for waits for another one */

enum waited { WAITED_EVENT, WAITED_SIGNAL, WAITED_TIMEOUT, WAITED_CLOSED /* nobody reads stdout any more */ };
/* Until event_fd (an eventfd, drained here; -1: none) is readable, a signal came, or the monotonic deadline. */
enum waited wait_for(int event_fd, int64_t deadline_ns);
/* The same for what writes to stdout; WAITED_CLOSED again and again once nobody reads it: the caller ends. */
enum waited wait_for_readers(int event_fd, int64_t deadline_ns);

#endif
