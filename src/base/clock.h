/* Time. Floor 0. Nanoseconds in int64_t everywhere: `_ns` since 1970 UTC for wall time, since boot for monotonic time. */
#ifndef SIGNALBOX_BASE_CLOCK_H
#define SIGNALBOX_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)
#define TIME_NONE INT64_MIN /* no such time is known */

int64_t clock_wall_ns(void);
int64_t clock_mono_ns(void);
/* Tests: from now on both clocks stand at wall_ns and move only by clock_fake_advance. Before threads start. */
void clock_fake(int64_t wall_ns);
void clock_fake_advance(int64_t ns);
enum { CLOCK_TEXT = 36 }; /* bytes for the longest */
/* RFC 3339 UTC with 3, 6 or 9 digits of fraction, as many as the value needs. Needs CLOCK_TEXT bytes; returns into. */
char *clock_rfc3339(int64_t ns, char *into, size_t size);
size_t clock_put_rfc3339(int64_t ns, char into[CLOCK_TEXT]);      /* the same, without NUL: its length */
char *clock_rfc3339_seconds(int64_t ns, char *into, size_t size); /* without a fraction */
char *clock_hms(int64_t ns, char *into, size_t size, int digits); /* 12:04:30.118 with digits 3; UTC */
/* RFC 3339, or relative to now_ns: "-15m", "-2h". False where it is neither. */
bool clock_parse(const char *text, int64_t now_ns, int64_t *ns);
/* Milliseconds from now to a monotonic deadline for poll(): 0 when past, -1 when deadline is INT64_MAX; rounds up. */
int clock_poll_ms(int64_t deadline_ns);

#endif
