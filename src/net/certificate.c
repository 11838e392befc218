#include "net/certificate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Digits at *at, moved behind them and behind one separator (or a run of blanks). */
static int number(const char **at)
{
    int value = 0;
    while (**at == ' ')
        (*at)++;
    if (**at < '0' || **at > '9')
        return -1;
    for (; **at >= '0' && **at <= '9' && value < 100000; (*at)++)
        value = value * 10 + (**at - '0');
    if (**at && strchr("-:T ", **at))
        (*at)++;
    return value;
}

/* English whatever the locale, which is why strptime doesn't serve. */
static int month_named(const char **at)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (strncmp(*at, names + 3 * i, 3) == 0)
            return *at += 3, i;
    return -1;
}

static void clock_part(const char **at, struct tm *tm)
{
    tm->tm_hour = number(at);
    tm->tm_min = number(at);
    tm->tm_sec = number(at);
    if (**at == '.')
        *at += 1 + strspn(*at + 1, "0123456789");
}

int64_t certificate_time(const char *text)
{
    struct tm tm = {0};
    while (*text == ' ')
        text++;
    tm.tm_mon = month_named(&text);
    if (tm.tm_mon >= 0) {
        tm.tm_mday = number(&text);
        clock_part(&text, &tm);
        tm.tm_year = number(&text) - 1900;
    } else {
        tm.tm_year = number(&text) - 1900;
        tm.tm_mon = number(&text) - 1;
        tm.tm_mday = number(&text);
        clock_part(&text, &tm);
    }
    if (tm.tm_year < 0 || tm.tm_year > 8099 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 ||
        tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 24 || tm.tm_min < 0 || tm.tm_min > 59 ||
        tm.tm_sec < 0 || tm.tm_sec > 60)
        return TIME_NONE;
    int64_t seconds = timegm(&tm);
    /* 9999-12-31 means "never ends", and lies beyond what nanoseconds can say. */
    return seconds > INT64_MAX / NS_PER_S ? INT64_MAX : seconds * NS_PER_S;
}

char *certificate_left(int64_t left_ns, char *into, size_t size)
{
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = {{24 * 3600 * NS_PER_S, "day"}, {3600 * NS_PER_S, "hour"}, {60 * NS_PER_S, "minute"}};
    int unit = 0;
    while (unit < 2 && left_ns < 2 * units[unit].ns)
        unit++;
    int64_t count = left_ns / units[unit].ns;
    snprintf(into, size, "%" PRId64 " %s%s", count, units[unit].name, count == 1 ? "" : "s");
    return into;
}
