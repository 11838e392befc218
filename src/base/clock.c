#include "base/clock.h"

#include "base/text.h"

#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_bool faked;
static _Atomic int64_t fake_wall, fake_mono;

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_wall_ns(void)
{
    return atomic_load_explicit(&faked, memory_order_relaxed) ? fake_wall : read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
    return atomic_load_explicit(&faked, memory_order_relaxed) ? fake_mono : read_clock(CLOCK_MONOTONIC);
}

void clock_fake(int64_t wall_ns)
{
    fake_wall = wall_ns;
    fake_mono = NS_PER_S;
    faked = true;
}

void clock_fake_advance(int64_t ns)
{
    fake_wall += ns;
    fake_mono += ns;
}

static void split(int64_t ns, struct tm *tm, int64_t *fraction)
{
    int64_t s = ns / NS_PER_S;
    *fraction = ns % NS_PER_S;
    if (*fraction < 0) {
        *fraction += NS_PER_S;
        s--;
    }
    time_t t = (time_t)s;
    gmtime_r(&t, tm);
}

char *clock_rfc3339(int64_t ns, char *into, size_t size)
{
    struct tm tm;
    int64_t fraction;
    split(ns, &tm, &fraction);
    int digits = fraction % NS_PER_MS == 0 ? 3 : fraction % 1000 == 0 ? 6 : 9;
    int64_t shown = digits == 3 ? fraction / NS_PER_MS : digits == 6 ? fraction / 1000 : fraction;
    snprintf(into, size, "%04d-%02d-%02dT%02d:%02d:%02d.%0*" PRId64 "Z", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, digits, shown);
    return into;
}

char *clock_hms(int64_t ns, char *into, size_t size, int digits)
{
    struct tm tm;
    int64_t fraction;
    char text[32];
    split(ns, &tm, &fraction);
    snprintf(text, sizeof text, "%02d:%02d:%02d.%09d", tm.tm_hour % 24, tm.tm_min % 60, tm.tm_sec % 61,
             (int)fraction);
    text[digits > 0 && digits <= 9 ? 9 + digits : 8] = '\0';
    return text_copy(into, size, text);
}

/* Exactly n digits at *text, moved behind them. */
static bool digits(const char **text, int n, int *value)
{
    *value = 0;
    for (int i = 0; i < n; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        *value = *value * 10 + (**text - '0');
    }
    return true;
}

static bool character(const char **text, const char *any_of)
{
    for (; *any_of; any_of++)
        if (**text == *any_of)
            return (*text)++, true;
    return false;
}

/* At least one digit; those beyond nanoseconds are read and dropped. */
static bool parse_fraction(const char **text, int64_t *fraction)
{
    const char *start = *text;
    *fraction = 0;
    for (int64_t unit = NS_PER_S / 10; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
        *fraction += (**text - '0') * unit;
    return *text > start;
}

static bool is_date(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap);
}

static bool parse_zone(const char **text, int64_t *offset_s)
{
    *offset_s = 0;
    if (character(text, "Zz"))
        return true;
    int sign = **text == '-' ? -1 : 1, hours, minutes;
    if (!character(text, "+-") || !digits(text, 2, &hours) || !character(text, ":") ||
        !digits(text, 2, &minutes))
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

/* RFC 3339 section 5.6. */
static bool parse_rfc3339(const char *text, int64_t *ns)
{
    struct tm tm = {0};
    int64_t fraction = 0, offset = 0;
    bool ok = digits(&text, 4, &tm.tm_year) && character(&text, "-") && digits(&text, 2, &tm.tm_mon) &&
              character(&text, "-") && digits(&text, 2, &tm.tm_mday) && character(&text, "Tt ") &&
              digits(&text, 2, &tm.tm_hour) && character(&text, ":") && digits(&text, 2, &tm.tm_min) &&
              character(&text, ":") && digits(&text, 2, &tm.tm_sec);
    if (ok && character(&text, "."))
        ok = parse_fraction(&text, &fraction);
    ok = ok && parse_zone(&text, &offset) && !*text && is_date(tm.tm_year, tm.tm_mon, tm.tm_mday) &&
         tm.tm_hour < 24 && tm.tm_min < 60 && tm.tm_sec <= 60 && tm.tm_year > 1700 && tm.tm_year < 2200;
    if (!ok)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ns = ((int64_t)timegm(&tm) - offset) * NS_PER_S + fraction;
    return true;
}

bool clock_parse(const char *text, int64_t now_ns, int64_t *ns)
{
    int64_t ago;
    if (text[0] == '-' && text[1] && text_duration(text + 1, &ago)) {
        /* A bare negative number is an offset somebody mistyped, not a time. */
        char last = text[strlen(text) - 1];
        if (last >= '0' && last <= '9')
            return false;
        *ns = now_ns - ago;
        return true;
    }
    return parse_rfc3339(text, ns);
}

int clock_poll_ms(int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX)
        return -1;
    int64_t left = deadline_ns - clock_mono_ns();
    if (left <= 0)
        return 0;
    int64_t ms = (left + NS_PER_MS - 1) / NS_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}
