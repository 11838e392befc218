/* UTF-8: validity, cell width, and the one scrubbing door for bytes on their way to a terminal. Floor 0. Any thread.
 *
 * Widths come from our own table (Unicode 15 East Asian Width, combining marks, no emoji sequences), since terminals and
 * libc disagree; the canvas relies on it alone. */
#ifndef SIGNALBOX_BASE_UTF8_H
#define SIGNALBOX_BASE_UTF8_H

#include "base/buffer.h"

#define UTF8_INVALID 0xFFFFFFFFu

/* The code point at *at (RFC 3629: no surrogates, no overlong forms), *at moved behind it. On an invalid byte returns
 * UTF8_INVALID and moves by one. *at must be below b.len. */
uint32_t utf8_next(struct bytes b, size_t *at);
bool utf8_valid(struct bytes b);
size_t utf8_encode(uint32_t cp, uint8_t into[4]); /* bytes written, 0 where cp is no scalar value */
int utf8_width(uint32_t cp);       /* cells: 0 combining, 1, 2; -1 for controls and what must be scrubbed */
size_t utf8_cells(struct bytes b); /* cells that the scrubbed text takes */
/* Appends the text as it is, and blanks up to that many cells. */
void utf8_pad(struct buffer *into, struct bytes text, size_t cells);

enum scrub_mode {
    SCRUB_SCREEN, /* C0 and DEL as pictures (U+2400...), C1 and invalid bytes as \xNN, bidi, zero-width as <202E> */
    SCRUB_PLAIN, /* \t \n \r \\, and \xNN for each byte of all the others, which gives the bytes back */
};
/* Appends b so that a terminal can show it: no C0, DEL, C1, bidi or zero-width control, no invalid UTF-8 passes. */
void utf8_scrub(struct buffer *into, struct bytes b, enum scrub_mode mode);

#endif
