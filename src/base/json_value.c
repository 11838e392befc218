/* What the reader's tokens mean: strings without escapes, exact numbers. */
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t hex4(const uint8_t *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    return v;
}

static bool hex4_at(struct bytes raw, size_t at)
{
    for (size_t i = at; i < at + 4; i++)
        if (i >= raw.len || !((raw.data[i] >= '0' && raw.data[i] <= '9') ||
                              ((raw.data[i] | 32) >= 'a' && (raw.data[i] | 32) <= 'f')))
            return false;
    return true;
}

static bool is_surrogate(uint32_t cp)
{
    return cp >= 0xD800 && cp < 0xE000;
}

/* The escape at *at (behind the backslash), moved behind it; UTF8_INVALID where it is none. RFC 8259 section 7. A surrogate
 * comes out where the other half is missing. */
static uint32_t unescape_one(struct bytes raw, size_t *at)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (*at >= raw.len)
        return UTF8_INVALID;
    uint8_t c = raw.data[(*at)++];
    const char *simple = memchr(from, c, sizeof from - 1);
    if (simple)
        return (uint8_t)to[simple - from];
    if (c != 'u' || !hex4_at(raw, *at))
        return UTF8_INVALID;
    uint32_t cp = hex4(raw.data + *at);
    *at += 4;
    bool low_follows = cp >= 0xD800 && cp < 0xDC00 && *at + 6 <= raw.len && raw.data[*at] == '\\' &&
                       raw.data[*at + 1] == 'u' && hex4_at(raw, *at + 2);
    uint32_t low = low_follows ? hex4(raw.data + *at + 2) : 0;
    if (low >= 0xDC00 && low < 0xE000) {
        *at += 6;
        return 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
    }
    return cp;
}

static size_t put_escaped(uint32_t cp, uint8_t text[4])
{
    return utf8_encode(is_surrogate(cp) ? 0xFFFD : cp, text);
}

bool json_unescape(struct bytes raw, struct buffer *into)
{
    for (size_t at = 0; at < raw.len;) {
        const uint8_t *slash = memchr(raw.data + at, '\\', raw.len - at);
        size_t plain = slash ? (size_t)(slash - raw.data) - at : raw.len - at;
        buffer_append(into, raw.data + at, plain);
        at += plain;
        if (at == raw.len)
            break;
        at++;
        uint8_t text[4];
        uint32_t cp = unescape_one(raw, &at);
        if (cp == UTF8_INVALID)
            return false;
        buffer_append(into, text, put_escaped(cp, text));
    }
    return true;
}

bool json_raw_is_text(struct bytes raw)
{
    for (size_t at = 0; at < raw.len;) {
        const uint8_t *slash = memchr(raw.data + at, '\\', raw.len - at);
        if (!slash)
            break;
        at = (size_t)(slash - raw.data) + 1;
        uint32_t cp = unescape_one(raw, &at);
        if (cp == UTF8_INVALID || is_surrogate(cp))
            return false;
    }
    return true;
}

bool json_raw_equal(struct bytes raw, bool escaped, struct bytes text)
{
    if (!escaped)
        return raw.len == text.len && (raw.len == 0 || memcmp(raw.data, text.data, raw.len) == 0);
    size_t done = 0;
    for (size_t at = 0; at < raw.len;) {
        uint8_t one[4] = {raw.data[at]};
        size_t len = 1;
        if (raw.data[at++] == '\\') {
            uint32_t cp = unescape_one(raw, &at);
            if (cp == UTF8_INVALID)
                return false;
            len = put_escaped(cp, one);
        }
        if (text.len - done < len || memcmp(text.data + done, one, len) != 0)
            return false;
        done += len;
    }
    return done == text.len;
}

/* ---- numbers: a sign, digits without leading or trailing zeros, and the power of ten of the first digit ---- */

struct decimal {
    bool negative, zero;
    struct bytes text; /* of the mantissa, with its point */
    size_t first;      /* index in text of the first significant digit */
    size_t count;      /* significant digits, without trailing zeros */
    int64_t power;     /* value is 0.d1d2d3... * 10^power */
};

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static int64_t parse_exponent(struct bytes number, size_t at)
{
    bool negative = false;
    int64_t e = 0;
    if (at < number.len && (number.data[at] == '+' || number.data[at] == '-'))
        negative = number.data[at++] == '-';
    for (; at < number.len && digit(number.data[at]); at++)
        if (e < INT64_C(1000000000000))
            e = e * 10 + (number.data[at] - '0');
    return negative ? -e : e;
}

static struct decimal take_apart(struct bytes number)
{
    struct decimal d = {.zero = true};
    size_t at = 0, end = 0, significant = 0, last = 0;
    int64_t before_point = 0, leading = 0;
    bool point = false;
    if (number.len && number.data[0] == '-') {
        d.negative = true;
        at = 1;
    }
    for (end = at; end < number.len && (digit(number.data[end]) || number.data[end] == '.'); end++) {
        uint8_t c = number.data[end];
        if (c == '.') {
            point = true;
            continue;
        }
        before_point += !point;
        if (d.zero && c == '0') {
            leading++;
            continue;
        }
        if (d.zero)
            d.first = end;
        d.zero = false;
        significant++;
        if (c != '0')
            last = significant;
    }
    d.text = bytes_slice(number, 0, end);
    d.count = last;
    d.power = before_point - leading + (end < number.len ? parse_exponent(number, end + 1) : 0);
    return d;
}

/* The i-th significant digit; 0 behind the last. */
struct digits {
    const struct decimal *d;
    size_t at, left;
};

static int next_digit(struct digits *s)
{
    if (s->left == 0)
        return 0;
    if (s->d->text.data[s->at] == '.')
        s->at++;
    s->left--;
    return s->d->text.data[s->at++] - '0';
}

static int compare_magnitude(const struct decimal *a, const struct decimal *b)
{
    if (a->zero || b->zero)
        return (int)!a->zero - (int)!b->zero;
    if (a->power != b->power)
        return a->power < b->power ? -1 : 1;
    struct digits x = {a, a->first, a->count}, y = {b, b->first, b->count};
    while (x.left || y.left) {
        int difference = next_digit(&x) - next_digit(&y);
        if (difference)
            return difference < 0 ? -1 : 1;
    }
    return 0;
}

int json_compare(struct bytes a, struct bytes b)
{
    struct decimal x = take_apart(a), y = take_apart(b);
    bool x_negative = x.negative && !x.zero, y_negative = y.negative && !y.zero;
    if (x_negative != y_negative)
        return x_negative ? -1 : 1;
    int order = compare_magnitude(&x, &y);
    return x_negative ? -order : order;
}

/* The magnitude as an integer; false where it has a fraction or more than 64 bits. */
static bool to_magnitude(const struct decimal *d, uint64_t *value)
{
    *value = 0;
    if (d->zero)
        return true;
    if (d->power > 20 || d->power < (int64_t)d->count)
        return false;
    struct digits s = {d, d->first, d->count};
    for (int64_t i = 0; i < d->power; i++)
        if (__builtin_mul_overflow(*value, UINT64_C(10), value) ||
            __builtin_add_overflow(*value, (uint64_t)next_digit(&s), value))
            return false;
    return true;
}

bool json_to_uint64(struct bytes number, uint64_t *value)
{
    struct decimal d = take_apart(number);
    return to_magnitude(&d, value) && (!d.negative || *value == 0);
}

bool json_to_int64(struct bytes number, int64_t *value)
{
    struct decimal d = take_apart(number);
    uint64_t magnitude;
    if (!to_magnitude(&d, &magnitude) || magnitude > (uint64_t)INT64_MAX + d.negative)
        return false;
    *value = d.negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool json_to_double(struct bytes number, double *value)
{
    char small[64];
    char *text = number.len < sizeof small ? small : malloc(number.len + 1);
    if (!text)
        return false;
    memcpy(text, number.data, number.len);
    text[number.len] = '\0';
    char *end;
    *value = strtod(text, &end); /* the locale's point: the program never calls setlocale for LC_NUMERIC */
    bool whole = end == text + number.len && number.len > 0;
    if (text != small)
        free(text);
    return whole;
}
