#include "base/text.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A cut never leaves half a character behind. */
static size_t cut_at_character(const char *text, size_t len)
{
    while (len > 0 && ((uint8_t)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

char *text_copy_bytes(char *into, size_t size, struct bytes from)
{
    size_t len = from.len;
    if (size == 0)
        return into;
    const uint8_t *nul = len ? memchr(from.data, 0, len) : NULL;
    if (nul)
        len = (size_t)(nul - from.data);
    if (len >= size)
        len = cut_at_character((const char *)from.data, size - 1);
    if (len)
        memmove(into, from.data, len);
    into[len] = '\0';
    return into;
}

char *text_copy(char *into, size_t size, const char *from)
{
    return text_copy_bytes(into, size, bytes_of_text(from));
}

char *text_shorten(char *into, size_t size, const char *from)
{
    static const char ellipsis[] = "…";
    if (strlen(from) < size || size <= sizeof ellipsis)
        return text_copy(into, size, from);
    text_copy(into, size - sizeof ellipsis + 1, from);
    char *space = strrchr(into, ' ');
    char *end = space && (size_t)(space - into) > size / 2 ? space : into + strlen(into);
    memcpy(end, ellipsis, sizeof ellipsis);
    return into;
}

bool text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

char *text_lower(char *text)
{
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return text;
}

bool text_equal_nocase(const char *a, const char *b)
{
    while (*a && tolower((unsigned char)*a) == tolower((unsigned char)*b))
        a++, b++;
    return *a == *b;
}

bool text_glob(const char *pattern, const char *text)
{
    if (!pattern || !*pattern)
        return true;
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

/* Optimal string alignment: a swap of neighbours counts as one edit, as typists make it. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t n = strlen(a), m = strlen(b);
    size_t rows[3][MOST + 1];
    if (n > MOST || m > MOST)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = before[j - 1] + !same;
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && earlier[j - 2] + 1 < best)
                best = earlier[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[n % 3][m];
}

/* The one name that goes on where text ends, NULL: none or several. */
static const char *only_beginning(const char *text, const char *const *names)
{
    const char *found = NULL;
    for (size_t i = 0; names[i] && strlen(text) > 1; i++) {
        if (!text_starts(names[i], text))
            continue;
        if (found)
            return NULL;
        found = names[i];
    }
    return found;
}

const char *text_nearest(const char *text, const char *const *names)
{
    const char *whole = only_beginning(text, names);
    if (whole)
        return whole;
    size_t most = strlen(text) < 6 ? 1 : strlen(text) / 3, best = SIZE_MAX;
    const char *nearest = NULL;
    for (size_t i = 0; names[i]; i++) {
        size_t d = edit_distance(text, names[i]);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return best <= most && best < strlen(text) ? nearest : NULL;
}

bool text_int64(const char *text, int64_t *value)
{
    char *end;
    bool digits = isdigit((unsigned char)text[0]) || (text[0] == '-' && isdigit((unsigned char)text[1]));
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (!digits || errno || *end)
        return false;
    *value = v;
    return true;
}

/* strtod also takes white space, inf, nan and hexadecimal, none of which is a number to us. */
static bool starts_decimal(const char *text)
{
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return false;
    return isdigit((unsigned char)text[0]) || (text[0] == '.' && isdigit((unsigned char)text[1]));
}

bool text_double(const char *text, double *value)
{
    char *end;
    if (!starts_decimal(text[0] == '-' ? text + 1 : text))
        return false;
    errno = 0;
    double v = strtod(text, &end);
    if (errno == ERANGE || *end)
        return false;
    *value = v;
    return true;
}

struct unit {
    const char *name;
    double factor;
};

static bool number_with_unit(const char *text, const struct unit *units, double most, double *value)
{
    char *end;
    if (!isdigit((unsigned char)text[0]) || !starts_decimal(text))
        return false;
    double v = strtod(text, &end);
    for (; units->name; units++) {
        if (strcmp(end, units->name) != 0)
            continue;
        *value = v * units->factor;
        return *value <= most;
    }
    return false;
}

bool text_duration(const char *text, int64_t *ns)
{
    static const struct unit units[] = {{"", 1e9},   {"ns", 1},    {"us", 1e3},       {"ms", 1e6}, {"s", 1e9},
                                        {"m", 60e9}, {"h", 36e11}, {"d", 24 * 36e11}, {NULL, 0}};
    double v;
    if (!number_with_unit(text, units, 9e18, &v))
        return false;
    *ns = (int64_t)v;
    return true;
}

bool text_size(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},          {"B", 1},        {"k", 1e3},          {"kB", 1e3},        {"M", 1e6},
        {"MB", 1e6},      {"G", 1e9},      {"GB", 1e9},         {"KiB", 1024},      {"Ki", 1024},
        {"MiB", 1048576}, {"Mi", 1048576}, {"GiB", 1073741824}, {"Gi", 1073741824}, {NULL, 0}};
    double v;
    if (!number_with_unit(text, units, 9e15, &v))
        return false;
    *bytes = (uint64_t)v;
    return true;
}

char *text_count(char *into, size_t size, uint64_t n)
{
    char digits[24], out[32];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return text_copy(into, size, out);
}

char *text_bytes(char *into, size_t size, uint64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double v = (double)bytes;
    size_t i = 0;
    while (v >= (i ? 1023.5 : 1024) && i + 1 < sizeof names / sizeof *names) {
        v /= 1024;
        i++;
    }
    snprintf(into, size, i && v < 99.95 ? "%.1f %s" : "%.0f %s", v, names[i]);
    return into;
}

char *text_age(char *into, size_t size, int64_t ns)
{
    int64_t s = ns > 0 ? ns / NS_PER_S : 0;
    if (s < 10)
        snprintf(into, size, "%" PRId64 "s", s);
    else if (s < 60)
        snprintf(into, size, "%" PRId64 "s", s / 5 * 5);
    else if (s < 3600)
        snprintf(into, size, "%" PRId64 "m", s / 60);
    else if (s < 24 * 3600)
        snprintf(into, size, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(into, size, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
    return into;
}

char *text_ms(char *into, size_t size, int64_t ns)
{
    if (ns < 0)
        return text_copy(into, size, "–");
    if (ns < 10 * NS_PER_MS)
        snprintf(into, size, "%.1f", (double)ns / NS_PER_MS);
    else
        text_count(into, size, (uint64_t)(ns + NS_PER_MS / 2) / NS_PER_MS);
    return into;
}

char *text_shortest(char *into, size_t size, double value)
{
    int decimals = -1, exponent = 0;
    do
        snprintf(into, size, "%.*e", ++decimals, value);
    while (decimals < 16 && strtod(into, NULL) != value);
    const char *e = strchr(into, 'e');
    if (e)
        exponent = (int)strtol(e + 1, NULL, 10);
    if (e && exponent >= -4 && exponent < 17)
        snprintf(into, size, "%.*f", decimals > exponent ? decimals - exponent : 0, value);
    return into;
}
