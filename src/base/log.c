#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"

#include <pthread.h>
#include <stdio.h>

#define LINES 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_line lines[LINES]; /* the line with id n stands at n % LINES */
static uint64_t newest_id;

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    return names[level];
}

void log_write(enum log_level level, const char *source, const char *format, ...)
{
    char raw[sizeof lines->text];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof raw) /* what is cut shows it */
        memcpy(raw + sizeof raw - 4, "…", 4);
    struct buffer clean;
    buffer_init(&clean, 4 * sizeof raw);
    utf8_scrub(&clean, bytes_of_text(raw), SCRUB_PLAIN);
    pthread_mutex_lock(&lock);
    struct log_line *line = &lines[++newest_id % LINES];
    line->id = newest_id;
    line->time_ns = clock_wall_ns();
    line->level = level;
    text_copy(line->source, sizeof line->source, source);
    text_copy(line->text, sizeof line->text, buffer_cstr(&clean));
    pthread_mutex_unlock(&lock);
    buffer_free(&clean);
}

bool log_get(uint64_t id, struct log_line *line)
{
    pthread_mutex_lock(&lock);
    bool there = id > 0 && lines[id % LINES].id == id;
    if (there)
        *line = lines[id % LINES];
    pthread_mutex_unlock(&lock);
    return there;
}

void log_range(uint64_t *oldest, uint64_t *newest)
{
    pthread_mutex_lock(&lock);
    *newest = newest_id;
    *oldest = newest_id > LINES ? newest_id - LINES + 1 : newest_id ? 1 : 0;
    pthread_mutex_unlock(&lock);
}
