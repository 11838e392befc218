#include "operations/edit.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>

#define ROW 16 /* bytes of a line of hex */

bool edit_is_json(struct bytes payload)
{
    struct json_reader r;
    enum json_event event;
    json_read(&r, payload, LIMIT_DECODE_DEPTH);
    do
        event = json_next(&r);
    while (event != JSON_ERROR && event != JSON_END);
    return event == JSON_END;
}

static bool is_text(struct bytes b)
{
    for (size_t i = 0; i < b.len; i++)
        if ((b.data[i] < 0x20 && !memchr("\t\n\r", b.data[i], 3)) || b.data[i] == 0x7f)
            return false;
    return utf8_valid(b);
}

enum edit_form edit_form_of(struct bytes payload)
{
    return !is_text(payload) ? EDIT_HEX : edit_is_json(payload) ? EDIT_JSON : EDIT_TEXT;
}

const char *edit_form_name(enum edit_form form)
{
    return form == EDIT_JSON ? "JSON" : form == EDIT_TEXT ? "text" : "hex";
}

static void write_row(struct bytes row, struct buffer *text)
{
    for (size_t i = 0; i < ROW; i++)
        if (i < row.len)
            buffer_printf(text, "%02x ", row.data[i]);
        else
            buffer_text(text, "   ");
    buffer_text(text, "| ");
    for (size_t i = 0; i < row.len; i++)
        buffer_byte(text, row.data[i] >= 0x20 && row.data[i] < 0x7f ? row.data[i] : '.');
    buffer_byte(text, '\n');
}

void edit_write(struct bytes payload, enum edit_form form, struct buffer *text)
{
    if (form != EDIT_HEX) {
        buffer_bytes(text, payload);
        return;
    }
    buffer_text(text, "# The payload's bytes in hex. What stands behind a | or a # is not read.\n");
    for (size_t at = 0; at < payload.len; at += ROW)
        write_row(bytes_slice(payload, at, at + ROW), text);
}

/* ---- back ---- */

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static enum err bad_hex(size_t line, struct err_info *err)
{
    err_set(err, ERR_FORMAT, "this is no hex: pairs of digits, with blanks between them");
    err_where(err, "line %zu", line);
    return ERR_FORMAT;
}

static enum err read_hex(struct bytes text, struct buffer *payload, struct err_info *err)
{
    size_t line = 1;
    bool read = true;
    for (size_t at = 0; at < text.len; at++) {
        uint8_t c = text.data[at];
        if (c == '\n') {
            line++;
            read = true;
        } else if (c == '|' || c == '#') {
            read = false;
        } else if (read && !memchr(" \t\r", c, 3)) {
            int high = digit(c), low = at + 1 < text.len ? digit(text.data[at + 1]) : -1;
            if (high < 0 || low < 0)
                return bad_hex(line, err);
            buffer_byte(payload, (uint8_t)(high << 4 | low));
            at++;
        }
    }
    return ERR_OK;
}

static enum err check_json(struct bytes text, struct err_info *err)
{
    struct json_reader r;
    enum json_event event;
    json_read(&r, text, LIMIT_DECODE_DEPTH);
    do
        event = json_next(&r);
    while (event != JSON_ERROR && event != JSON_END);
    if (event == JSON_END)
        return ERR_OK;
    size_t line = 1;
    for (size_t i = 0; i < r.at && i < text.len; i++)
        line += text.data[i] == '\n';
    err_set(err, ERR_FORMAT, "this is no JSON any more: %s", r.error);
    err_where(err, "line %zu", line);
    return ERR_FORMAT;
}

static struct bytes without_last_end(struct bytes text, struct bytes original)
{
    bool had = original.len && original.data[original.len - 1] == '\n';
    bool has = text.len && text.data[text.len - 1] == '\n';
    return had || !has ? text : bytes_slice(text, 0, text.len - 1);
}

enum err edit_read(struct bytes text, enum edit_form form, struct bytes original, struct buffer *payload,
                   struct err_info *err)
{
    if (form == EDIT_HEX) {
        enum err e = read_hex(text, payload, err);
        return e || buffer_ok(payload) ? e : err_set(err, ERR_LIMIT, "the payload is larger than it may be");
    }
    text = without_last_end(text, original);
    if (!is_text(text))
        return err_set(err, ERR_FORMAT, "this is no text any more: it has controls, or is no UTF-8");
    enum err e = form == EDIT_JSON ? check_json(text, err) : ERR_OK;
    buffer_bytes(payload, text);
    return e || buffer_ok(payload) ? e : err_set(err, ERR_LIMIT, "the payload is larger than it may be");
}

char *edit_digest(struct bytes payload, char into[EDIT_DIGEST_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    struct sha256 *s = sha256_new();
    into[0] = '\0';
    if (!s)
        return into;
    sha256_add(s, payload);
    sha256_end(&s, digest);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(into + 2 * i, 3, "%02x", digest[i]);
    return into;
}
