/* The program's own log: a ring in memory for the log view. Floor 0. Any thread.
 * Nothing here writes to the terminal. Text is scrubbed; secrets must not be passed in. */
#ifndef SIGNALBOX_BASE_LOG_H
#define SIGNALBOX_BASE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_kind {
    LOG_PLAIN,
    LOG_CHANGE, /* something went up or down: what a reader looks for */
    LOG_CHATTER /* a library's own words, of which it has many */
};

struct log_line {
    uint64_t id; /* counts from 1, never reused */
    int64_t time_ns;
    enum log_level level;
    enum log_kind kind;
    unsigned times; /* it was written; above 1 it was chatter, and this the last time: */
    int64_t last_ns;
    char source[48]; /* endpoint or module */
    char text[400];
};

void log_write(enum log_level level, const char *source, const char *format, ...) SB_PRINTF(3, 4);
void log_change(enum log_level level, const char *source, const char *format, ...) SB_PRINTF(3, 4);
/* What the source has said already since its last line of another kind is counted there, and makes no new line. */
void log_chatter(enum log_level level, const char *source, const char *format, ...) SB_PRINTF(3, 4);
const char *log_level_name(enum log_level level); /* "INFO" */
/* Copies the line with that id; false when it never was or is gone. */
bool log_get(uint64_t id, struct log_line *line);
void log_range(uint64_t *oldest, uint64_t *newest); /* newest is 0 while the log is empty */
uint64_t log_writes(void); /* counts all that was written, also what made no new line */

#endif
