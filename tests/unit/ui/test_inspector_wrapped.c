/* The message inspector with what is wrapped and larger than it has room for. */
#include "stage.h"

#include <zlib.h>

/* ["000...",...,"GZ-END"], which gzip makes small: nobody waits for its decoding. */
static void put_rows(struct buffer *gz, size_t len)
{
    struct buffer text;
    buffer_init(&text, len + MIB);
    buffer_text(&text, "[\"first\"");
    for (int i = 0; text.len < len; i++)
        buffer_printf(&text, ",\"%d%0100d\"", i, 0);
    buffer_text(&text, ",\"GZ-END\"]");
    z_stream z = {.next_in = text.data, .avail_in = (uInt)text.len, .avail_out = (uInt)text.len};
    deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    z.next_out = buffer_reserve(gz, text.len);
    deflate(&z, Z_FINISH);
    gz->len = z.total_out;
    deflateEnd(&z);
    buffer_free(&text);
}

static void find(struct stage *s, const char *keys)
{
    type(s, keys);
    while (screen_work(s->screen, INT64_MAX))
        ;
}

static void what_was_not_unpacked_is_not_denied(void **state)
{
    struct stage s;
    struct buffer gz;
    (void)state;
    buffer_init(&gz, 8 * MIB);
    put_rows(&gz, 5 * MIB);
    assert_true(gz.len < 256 * KIB);
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fake_message(s.hub, 0, "orders", "k", buffer_view(&gz), 0);
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\r");
        assert_true(screen_says(&s, "unpacked"));
        assert_false(screen_says(&s, "bomb"));
        find(&s, "/GZ-END\r");
        assert_true(screen_says(&s, "Nothing that was decoded has `GZ-END`: unpacked 4.3 MiB of 5.0 MiB;"));
        find(&s, "/first\r");
        assert_false(screen_says(&s, "Nothing"));
    }
    gz.len = 0;
    put_rows(&gz, MIB);
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fake_message(s.hub, 0, "orders", "k", buffer_view(&gz), 0);
    screen_event(s.screen, HUB_TAIL);
    type(&s, "\r");
    find(&s, "/straw\r");
    assert_true(screen_says(&s, "Nothing has `straw`: no field, no header, nor the bytes"));
    find(&s, "/GZ-END\r");
    assert_false(screen_says(&s, "Nothing"));
    tear_down(&s);
    buffer_free(&gz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_unpacked_is_not_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
