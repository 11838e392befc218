/* Any text as --format: the input is the template and, behind a NUL, a payload. No crash, and a refusal that says why. What a
 * terminal would obey comes out only where the template asks for it; a text without fields comes out as it is. */
#include "fuzz.h"

#include "base/limits.h"
#include "cli/encode.h"
#include "registry.h"

#include <stdlib.h>

static const char evil[] = "\x1b[2J\x9b"
                           "a\r\n\x07";

static void require(int truth)
{
    if (!truth)
        abort();
}

static bool has_control(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7F)
            return true;
    return false;
}

static void line_of(const struct template *t, struct bytes payload, struct buffer *out)
{
    struct bytes bad = BYTES_LITERAL(evil);
    const struct header items[] = {{BYTES_LITERAL("a"), {.type = VALUE_STRING, .bytes = bad}},
                                   {BYTES_LITERAL("type"), {.type = VALUE_BYTES, .bytes = bad}},
                                   {BYTES_LITERAL("n"), {.type = VALUE_INT64, .i = INT64_MIN}},
                                   {BYTES_LITERAL("l"), {.type = VALUE_TABLE}}};
    const struct headers list = {items, sizeof items / sizeof *items};
    const struct message m = {.origin = origin_intern("e", "c", CHANNEL_TOPIC),
                              .position = {.kind = POSITION_PARTITION, .partition = 3, .offset = 7},
                              .time_ns = TIME_NONE,
                              .received_ns = 5,
                              .flags = MESSAGE_REDELIVERED,
                              .id = bad,
                              .payload = payload,
                              .headers = list,
                              .properties = list};
    buffer_init(out, 64 * MIB);
    template_line(t, out, &m, registry.decoders);
}

static void check_line(const struct template *t, const char *text, struct bytes payload)
{
    struct buffer out;
    line_of(t, payload, &out);
    struct bytes line = buffer_view(&out);
    if (!strpbrk(text, "%\\"))
        require(bytes_equal_text(line, text) || (!*text && !line.len));
    if (!strstr(text, ":raw") && !strchr(text, '\\') && !has_control(bytes_of_text(text)))
        require(!has_control(line));
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t len = end ? (size_t)(end - data) : size;
    char *text = fuzz_text(data, size);
    struct err_info err = {.code = ERR_OK};
    struct template *t = template_new(text, &err);
    if (t)
        check_line(t, text, end ? bytes_of(end + 1, size - len - 1) : BYTES_NULL);
    else
        require(err.text[0] != '\0');
    template_free(&t);
    free(text);
    return 0;
}
