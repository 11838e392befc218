#include "unescape.h"

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* How long the escape at p is; 0: none is known. */
static size_t one(struct buffer *into, const uint8_t *p, size_t left)
{
    static const char letters[] = "tnr\\", meant[] = "\t\n\r\\";
    const char *known = left > 1 && p[1] ? strchr(letters, p[1]) : NULL;
    if (known) {
        buffer_byte(into, meant[known - letters]);
        return 2;
    }
    if (left < 4 || p[1] != 'x' || digit(p[2]) < 0 || digit(p[3]) < 0)
        return 0;
    buffer_byte(into, (char)(digit(p[2]) << 4 | digit(p[3])));
    return 4;
}

bool unescape(struct buffer *into, struct bytes field)
{
    for (size_t at = 0, len = 1; at < field.len; at += len) {
        uint8_t c = field.data[at];
        len = 1;
        if (c < 0x20 || c == 0x7F)
            return false;
        if (c != '\\')
            buffer_byte(into, (char)c);
        else if ((len = one(into, field.data + at, field.len - at)) == 0)
            return false;
    }
    return true;
}
