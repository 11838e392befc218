/* JSON: a strict RFC 8259 reader with exact numbers and byte offsets, and a writer. Floor 0.
 *
 * The reader is a pull parser over bytes: no copy, no tree, no recursion. It is what the decoder, the filter's quick
 * look-up, `import` and the management answers stand on. */
#ifndef SIGNALBOX_BASE_JSON_H
#define SIGNALBOX_BASE_JSON_H

#include "base/buffer.h"

enum json_event {
    JSON_ERROR, /* reader->error and reader->at say what and where */
    JSON_END,   /* the value is complete; trailing white space was skipped */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_NAME, /* member name; its value follows */
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

#define JSON_MOST_DEPTH 4095

struct json_reader {
    struct bytes in;
    size_t at;         /* next byte to read; on error: where it is wrong */
    size_t start;      /* first byte of the current token (a string's opening quote, a bracket) */
    struct bytes raw;  /* the token: of a string or name what stands between the quotes, still escaped */
    bool escaped;      /* raw of a string or name has backslashes */
    const char *error; /* static text, NULL while all is well */
    unsigned depth;
    unsigned max_depth;    /* at most JSON_MOST_DEPTH */
    bool stop_after_value; /* JSON Lines: END after one value without a look at what follows */
    uint8_t state;
    uint8_t stack[512]; /* one bit a level: object or array */
};

size_t json_mark(struct bytes in); /* length of the byte order mark that it begins with */
/* Length of what serializers that keep schemas in a registry put before JSON: Confluent's a zero and four bytes of the schema's id,
 * AWS Glue's a 3, a zero (not compressed) and a UUID. 0: it begins with neither, or nothing follows. */
size_t json_frame(struct bytes in);
void json_read(struct json_reader *r, struct bytes in, unsigned max_depth);
enum json_event json_next(struct json_reader *r);
/* After JSON_OBJECT or JSON_ARRAY: skips to behind the matching end, checking it. After JSON_NAME: skips its value. */
enum json_event json_skip(struct json_reader *r);
/* The next line of a text of several values, from *at, which is moved behind it: where its value begins and where the line ends.
 * Blank lines are passed over; false: there is no more. */
bool json_line(struct bytes text, size_t *at, size_t *begin, size_t *end);
bool json_reads_as_lines(struct bytes text); /* more than one value, each whole and on a line of its own */
/* raw of a string or name without escapes, appended; lone surrogates become U+FFFD. False on bad escapes. */
bool json_unescape(struct bytes raw, struct buffer *into);
/* False where an escape is half a character: a lone surrogate, which no UTF-8 can write. */
bool json_raw_is_text(struct bytes raw);
/* Does raw (escaped or not) say exactly text? No allocation. */
bool json_raw_equal(struct bytes raw, bool escaped, struct bytes text);
bool json_to_int64(struct bytes number,
                   int64_t *value); /* exact, else false: 1.0 and 1e2 are integers, 1.5 isn't */
bool json_to_uint64(struct bytes number, uint64_t *value);
bool json_to_double(struct bytes number, double *value); /* nearest */
/* Compares two JSON numbers exactly, whatever their size: -1, 0, 1. Both must be valid number tokens. */
int json_compare(struct bytes a, struct bytes b);

/* The writer appends to a buffer, which may be drained within long strings, and places commas itself, at any depth. What a terminal
 * would obey (C1, bidi, zero width) it escapes. */
struct json_writer {
    struct buffer *out;
    unsigned depth;
    uint64_t has_member; /* one bit a level */
    bool after_name;
};

void json_write(struct json_writer *w, struct buffer *out);
void json_object(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_name(struct json_writer *w, const char *name);
void json_name_bytes(struct json_writer *w, struct bytes name); /* invalid UTF-8 as U+FFFD */
/* A literal name without anything to escape, ready as `"name":`: for what is written a million times. */
void json_name_quoted(struct json_writer *w, struct bytes quoted);
#define JSON_NAME(w, name) json_name_quoted((w), BYTES_LITERAL("\"" name "\":"))
void json_string(struct json_writer *w,
                 struct bytes utf8); /* invalid UTF-8 as U+FFFD; null bytes value as null */
/* A reader's raw, with its escapes as they stand: also a lone surrogate comes out as it went in. */
void json_escaped(struct json_writer *w, struct bytes raw);
void json_name_escaped(struct json_writer *w, struct bytes raw);
void json_text(struct json_writer *w, const char *text); /* NULL as null */
void json_int(struct json_writer *w, int64_t value);     /* beyond 2^53 as a string */
void json_uint(struct json_writer *w, uint64_t value);   /* likewise */
void json_double(struct json_writer *w,
                 double value); /* shortest that reads back; NaN, Infinity as strings */
/* A number's own text, whatever its digits; an integer beyond 2^53 as a string. */
void json_number(struct json_writer *w, struct bytes number);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
void json_raw(struct json_writer *w, struct bytes json); /* one complete value, trusted */
/* {"text":...} where valid UTF-8, else {"base64":...}; null as null, empty as {"text":""}. */
void json_byte_string(struct json_writer *w, struct bytes b);

#endif
