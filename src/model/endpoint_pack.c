/* An endpoint as text, to hand it to another process of ours: NAME=VALUE lines, values percent-encoded, and an empty line. */
#include "model/endpoint.h"

#include "base/text.h"

static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    {"url", offsetof(struct endpoint, text)},
    {"vhost", offsetof(struct endpoint, vhost)},
    {"username", offsetof(struct endpoint, username)},
    {"password", offsetof(struct endpoint, password)},
    {"management", offsetof(struct endpoint, management)},
    {"ca", offsetof(struct endpoint, tls.ca)},
    {"cert", offsetof(struct endpoint, tls.cert)},
    {"key", offsetof(struct endpoint, tls.key)},
};

static const struct {
    const char *name;
    size_t offset;
} switches[] = {
    {"tls", offsetof(struct endpoint, tls.on)},
    {"insecure", offsetof(struct endpoint, tls.insecure)},
};

void endpoint_pack(const struct endpoint *e, struct buffer *out)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *value;
        memcpy(&value, (const char *)e + texts[i].offset, sizeof value);
        if (!value)
            continue;
        buffer_printf(out, "%s=", texts[i].name);
        url_encode(out, value);
        buffer_byte(out, '\n');
    }
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        bool on;
        memcpy(&on, (const char *)e + switches[i].offset, sizeof on);
        if (on)
            buffer_printf(out, "%s=on\n", switches[i].name);
    }
    buffer_byte(out, '\n');
}

static bool take_line(struct endpoint *e, struct bytes name, struct bytes value, struct arena *arena)
{
    const bool on = true;
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (bytes_equal_text(name, switches[i].name))
            memcpy((char *)e + switches[i].offset, &on, sizeof on);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text;
        if (!bytes_equal_text(name, texts[i].name))
            continue;
        if (!url_decode(value, arena, &text))
            return false;
        memcpy((char *)e + texts[i].offset, &text, sizeof text);
    }
    return true;
}

enum err endpoint_unpack(struct endpoint *e, struct bytes text, struct arena *arena, struct err_info *err)
{
    *e = (struct endpoint){0};
    while (text.len && text.data[0] != '\n') {
        const uint8_t *end = memchr(text.data, '\n', text.len), *equals = memchr(text.data, '=', text.len);
        if (!end || !equals || equals > end)
            return err_set(err, ERR_FORMAT, "an endpoint's text is cut off");
        size_t name = (size_t)(equals - text.data), line = (size_t)(end - text.data);
        if (!take_line(e, bytes_slice(text, 0, name), bytes_slice(text, name + 1, line - name - 1), arena))
            return err_set(err, ERR_FORMAT, "an endpoint's text is damaged");
        text = bytes_slice(text, line + 1, text.len);
    }
    if (!text.len || !e->text)
        return err_set(err, ERR_FORMAT, "an endpoint's text is cut off");
    e->name = e->text;
    return url_parse(&e->url, e->text, arena, err);
}
