/* The program's own log: a ring in memory for the log view. Floor 0. Any thread.
 * Nothing here writes to the terminal. Text is scrubbed; secrets must not be passed in. */
#ifndef SIGNALBOX_BASE_LOG_H
#define SIGNALBOX_BASE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_line {
    uint64_t id; /* counts from 1, never reused */
    int64_t time_ns;
    enum log_level level;
    char source[48]; /* endpoint or module */
    char text[400];
};

void log_write(enum log_level level, const char *source, const char *format, ...) SB_PRINTF(3, 4);
const char *log_level_name(enum log_level level); /* "INFO" */
/* Copies the line with that id; false when it never was or is gone. */
bool log_get(uint64_t id, struct log_line *line);
void log_range(uint64_t *oldest, uint64_t *newest); /* newest is 0 while the log is empty */

#endif
