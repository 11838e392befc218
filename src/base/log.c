#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"

#include <pthread.h>
#include <stdio.h>

#define LINES     1024
#define FOLD_OVER 64 /* so far back a repeat is looked for */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_line lines[LINES]; /* the line with id n stands at n % LINES */
static uint64_t newest_id, writes;

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    return names[level];
}

/* The line that says the same; NULL: none since the source has said something else than chatter. */
static struct log_line *said_before(enum log_level level, const char *source, const char *text)
{
    for (uint64_t id = newest_id; id > 0 && newest_id - id < FOLD_OVER; id--) {
        struct log_line *line = &lines[id % LINES];
        if (strcmp(line->source, source) != 0)
            continue;
        if (line->kind != LOG_CHATTER)
            return NULL;
        if (line->level == level && strcmp(line->text, text) == 0)
            return line;
    }
    return NULL;
}

static void put(enum log_level level, enum log_kind kind, const char *source, const char *text)
{
    struct log_line new = {.time_ns = clock_wall_ns(), .level = level, .kind = kind, .times = 1};
    new.last_ns = new.time_ns;
    text_copy(new.source, sizeof new.source, source);
    text_copy(new.text, sizeof new.text, text);
    pthread_mutex_lock(&lock);
    struct log_line *same = kind == LOG_CHATTER ? said_before(level, new.source, new.text) : NULL;
    writes++;
    if (same) {
        same->times++;
        same->last_ns = new.time_ns;
    } else {
        new.id = ++newest_id;
        lines[newest_id % LINES] = new;
    }
    pthread_mutex_unlock(&lock);
}

static void write_line(enum log_level level, enum log_kind kind, const char *source, const char *format,
                       va_list args) SB_PRINTF(4, 0);
static void write_line(enum log_level level, enum log_kind kind, const char *source, const char *format,
                       va_list args)
{
    char raw[sizeof lines->text];
    int n = vsnprintf(raw, sizeof raw, format, args);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof raw) /* what is cut shows it */
        memcpy(raw + sizeof raw - 4, "…", 4);
    struct buffer clean;
    buffer_init(&clean, 4 * sizeof raw);
    utf8_scrub(&clean, bytes_of_text(raw), SCRUB_PLAIN);
    put(level, kind, source, buffer_cstr(&clean));
    buffer_free(&clean);
}

void log_write(enum log_level level, const char *source, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(level, LOG_PLAIN, source, format, args);
    va_end(args);
}

void log_change(enum log_level level, const char *source, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(level, LOG_CHANGE, source, format, args);
    va_end(args);
}

void log_chatter(enum log_level level, const char *source, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(level, LOG_CHATTER, source, format, args);
    va_end(args);
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

uint64_t log_writes(void)
{
    pthread_mutex_lock(&lock);
    uint64_t n = writes;
    pthread_mutex_unlock(&lock);
    return n;
}

void log_range(uint64_t *oldest, uint64_t *newest)
{
    pthread_mutex_lock(&lock);
    *newest = newest_id;
    *oldest = newest_id > LINES ? newest_id - LINES + 1 : newest_id ? 1 : 0;
    pthread_mutex_unlock(&lock);
}
