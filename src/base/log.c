#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define LINES 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_line lines[LINES]; /* the line with id n stands at n % LINES */
static uint64_t newest_id;
static int file = -1;

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    return names[level];
}

static void write_line(const struct log_line *line)
{
    char time[40], text[600];
    int n = snprintf(text, sizeof text, "%s %-5s %s: %s\n", clock_rfc3339(line->time_ns, time, sizeof time),
                     log_level_name(line->level), line->source, line->text);
    if (n > 0)
        (void)!write(file, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
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
    if (file >= 0)
        write_line(line);
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

enum err log_open(const char *path, struct err_info *err)
{
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (path && fd < 0) {
        err_set(err, ERR_IO, "the log cannot be written: %s", strerror(errno));
        err_where(err, "%s", path);
        return ERR_IO;
    }
    pthread_mutex_lock(&lock);
    if (file >= 0)
        close(file);
    file = fd;
    pthread_mutex_unlock(&lock);
    return ERR_OK;
}
