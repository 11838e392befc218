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

/* ---- writing times: by hand, since every message of a tail has two of them ---- */

struct civil {
    int64_t year;
    int month, day, hour, minute, second, fraction; /* fraction: nanoseconds */
};

/* The proleptic Gregorian calendar in eras of 400 years that begin on March 1st, so that the leap day comes last. */
static void set_date(struct civil *c, int64_t days)
{
    days += 719468; /* from 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day = days - era * 146097; /* of the era */
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* from March */
    c->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    c->month = (int)(month < 10 ? month + 3 : month - 9);
    c->year = year + era * 400 + (c->month <= 2);
}

/* The time of day; the days since 1970 are what is returned. */
static int64_t set_clock(struct civil *c, int64_t ns)
{
    const int64_t day_ns = 86400 * NS_PER_S;
    int64_t days = ns / day_ns, rest = ns % day_ns;
    if (rest < 0) {
        rest += day_ns;
        days--;
    }
    unsigned second = (unsigned)(rest / NS_PER_S);
    c->fraction = (int)(rest % NS_PER_S);
    c->hour = (int)(second / 3600);
    c->minute = (int)(second / 60 % 60);
    c->second = (int)(second % 60);
    return days;
}

static char *put(char *to, int digits, unsigned value, char after)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
    to[digits] = after;
    return to + digits + 1;
}

/* Behind hours, minutes and seconds stands `after`. */
static char *put_clock(char *to, const struct civil *c, char after)
{
    to = put(to, 2, (unsigned)c->hour, ':');
    to = put(to, 2, (unsigned)c->minute, ':');
    return put(to, 2, (unsigned)c->second, after);
}

enum { DATE_TEXT = 11 }; /* 2026-11-29T */

/* Most messages are of the day of the one before. */
static char *put_date(char *to, int64_t days)
{
    static _Thread_local int64_t of = INT64_MIN;
    static _Thread_local char text[DATE_TEXT];
    if (days != of) {
        struct civil c;
        set_date(&c, days);
        char *at = put(text, 4, (unsigned)c.year, '-'); /* int64_t nanoseconds reach from 1677 to 2262 */
        put(put(at, 2, (unsigned)c.month, '-'), 2, (unsigned)c.day, 'T');
        of = days;
    }
    memcpy(to, text, DATE_TEXT);
    return to + DATE_TEXT;
}

size_t clock_put_rfc3339(int64_t ns, char into[CLOCK_TEXT])
{
    struct civil c;
    char *to = put_date(into, set_clock(&c, ns));
    unsigned fraction = (unsigned)c.fraction;
    bool ms = fraction % 1000000 == 0, us = fraction % 1000 == 0;
    to = put_clock(to, &c, '.');
    to = put(to, ms ? 3 : us ? 6 : 9, ms ? fraction / 1000000 : us ? fraction / 1000 : fraction, 'Z');
    return (size_t)(to - into);
}

char *clock_rfc3339(int64_t ns, char *into, size_t size)
{
    char text[CLOCK_TEXT];
    text[clock_put_rfc3339(ns, text)] = '\0';
    return text_copy(into, size, text);
}

char *clock_rfc3339_seconds(int64_t ns, char *into, size_t size)
{
    struct civil c;
    char text[CLOCK_TEXT], *to = put_date(text, set_clock(&c, ns));
    *put_clock(to, &c, 'Z') = '\0';
    return text_copy(into, size, text);
}

char *clock_hms(int64_t ns, char *into, size_t size, int digits)
{
    struct civil c;
    char text[CLOCK_TEXT];
    (void)set_clock(&c, ns);
    put(put_clock(text, &c, '.'), 9, (unsigned)c.fraction, '\0');
    text[digits > 0 && digits <= 9 ? 9 + digits : 8] = '\0';
    return text_copy(into, size, text);
}

/* ---- reading them ---- */

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
         tm.tm_hour < 24 && tm.tm_min < 60 && tm.tm_sec <= 60;
    if (!ok)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t s = (int64_t)timegm(&tm) - offset;
    if (s < 0) { /* towards zero first: the earliest second is not whole */
        s++;
        fraction -= NS_PER_S;
    }
    /* What nanoseconds cannot say, before 1677 and after 2262, is no time. */
    return !__builtin_mul_overflow(s, NS_PER_S, ns) && !__builtin_add_overflow(*ns, fraction, ns);
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
