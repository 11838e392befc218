/* Whatever text is put on a canvas: no cell of a neighbour moves, nothing dangerous remains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "ui/canvas.h"

static char dumped[4096];

static const char *dump(const struct canvas *c, bool ascii)
{
    struct buffer b;
    buffer_init(&b, sizeof dumped);
    canvas_dump(c, ascii, &b);
    size_t len = b.len < sizeof dumped - 1 ? b.len : sizeof dumped - 1;
    memcpy(dumped, buffer_view(&b).data, len);
    dumped[len] = '\0';
    buffer_free(&b);
    return dumped;
}

static struct canvas make(int w, int h)
{
    struct canvas c;
    canvas_init(&c);
    assert_true(canvas_resize(&c, w, h));
    return c;
}

static void text_is_cut_by_cells(void **state)
{
    (void)state;
    struct canvas c = make(10, 3);
    assert_int_equal(canvas_text(&c, 0, 0, 5, ROLE_TEXT, "abcde"), 5);
    assert_int_equal(canvas_text(&c, 0, 1, 5, ROLE_TEXT, "abcdef"), 5);
    assert_int_equal(canvas_right(&c, 0, 2, 10, ROLE_TEXT, "right"), 10);
    assert_string_equal(dump(&c, false), "abcde\nabcd…\n     right\n");
    canvas_free(&c);
}

static void wide_characters_take_two_cells(void **state)
{
    (void)state;
    struct canvas c = make(8, 4);
    assert_int_equal(canvas_text(&c, 0, 0, 8, ROLE_TEXT, "日本|"), 5);
    assert_int_equal(canvas_text(&c, 0, 1, 3, ROLE_TEXT, "日本"),
                     3); /* the second doesn't fit: an ellipsis */
    canvas_text(&c, 0, 2, 8, ROLE_TEXT, "日本");
    canvas_text(&c, 1, 2, 1, ROLE_TEXT, "x");  /* over a right half: the left one goes too */
    canvas_text(&c, 7, 3, 8, ROLE_TEXT, "日"); /* over the edge */
    assert_string_equal(dump(&c, false), "日本|\n日…\n x本\n\n");
    canvas_free(&c);
}

static void combining_marks_stay_with_their_letter(void **state)
{
    (void)state;
    struct canvas c = make(8, 1);
    assert_int_equal(canvas_text(&c, 0, 0, 8, ROLE_TEXT, "Zoe\xCC\x88|"), 4);
    assert_int_equal(c.cells[2].marks[0], 0x308);
    assert_int_equal(c.cells[3].cp, '|');
    assert_int_equal(canvas_text(&c, 0, 0, 8, ROLE_TEXT, "\xCC\x88x"), 1); /* one without a letter */
    canvas_free(&c);
}

static void hostile_text_shows_as_pictures(void **state)
{
    static const char *const texts[] = {
        "\x1b[2J\x1b[H",
        "\x1b]0;owned\x07",
        "a\r\nb\tc",
        "\xc2\x9b"
        "31m",
        "\xff\xfe\x80",
        "\xe2\x80\xae"
        "gnp.exe",
        "\xe2\x80\x8b",
        "\xed\xa0\x80",
        "\x7f\x08\x08",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct canvas c = make(60, 2);
        canvas_text(&c, 0, 0, 40, ROLE_TEXT, texts[i]);
        canvas_text(&c, 50, 0, 1, ROLE_TEXT, "|");
        for (int x = 0; x < 60; x++) {
            assert_true(c.cells[x].width == 1 || c.cells[x].cp >= 0x1100);
            assert_int_equal(utf8_width(c.cells[x].cp), c.cells[x].width);
        }
        assert_int_equal(c.cells[50].cp, '|');
        assert_int_equal(c.cells[60].cp, ' '); /* nothing reached the second row */
        canvas_free(&c);
    }
}

static void drawing_outside_is_clipped(void **state)
{
    (void)state;
    struct canvas c = make(4, 2);
    canvas_text(&c, -2, 0, 10, ROLE_TEXT, "abcdef");
    canvas_text(&c, 0, 7, 10, ROLE_TEXT, "x");
    canvas_box(&c, (struct rect){-1, -1, 100, 100}, ROLE_BORDER, "title", "right");
    canvas_fill(&c, (struct rect){3, 1, 50, 50}, ROLE_TEXT, '#');
    canvas_cursor(&c, 99, 99, true);
    assert_int_equal(c.cursor_x, 3);
    assert_string_equal(dump(&c, false), "cdef\n   #\n");
    assert_true(canvas_resize(&c, 0, 0));
    canvas_text(&c, 0, 0, 10, ROLE_TEXT, "x");
    canvas_free(&c);
}

static void long_text_wraps(void **state)
{
    (void)state;
    struct canvas c = make(6, 3);
    struct bytes text = BYTES_LITERAL("ab\n\ncdefgh日本\x1b");
    struct rect r = {1, 0, 5, 3};
    assert_int_equal(canvas_wrap(&c, r, ROLE_TEXT, text, 0), 5);
    assert_string_equal(dump(&c, false), " ab\n\n cdefg\n");
    canvas_clear(&c);
    assert_int_equal(canvas_wrap(&c, r, ROLE_TEXT, text, 3), 5);
    assert_string_equal(dump(&c, false), " h日本\n ␛\n\n");
    assert_int_equal(canvas_wrap(&c, (struct rect){0, 0, 1, 1}, ROLE_TEXT, text, 0),
                     12); /* wider than the room */
    assert_int_equal(canvas_wrap(&c, (struct rect){0, 0, 0, 0}, ROLE_TEXT, text, 0), 0);
    canvas_free(&c);
}

static void sentences_break_between_words(void **state)
{
    (void)state;
    struct canvas c = make(8, 4);
    struct bytes text = BYTES_LITERAL("one two three fourteenth 日本\nx");
    assert_int_equal(canvas_words(&c, (struct rect){0, 0, 7, 0}, ROLE_TEXT, text), 6);
    assert_string_equal(dump(&c, false), "\n\n\n\n");
    assert_int_equal(canvas_words(&c, (struct rect){0, 0, 7, 4}, ROLE_TEXT, text), 6);
    assert_string_equal(dump(&c, false), "one two\nthree\nfourtee\nnth 日…\n");
    assert_int_equal(canvas_words(&c, (struct rect){0, 0, 0, 4}, ROLE_TEXT, text), 0);
    canvas_clear(&c);
    assert_int_equal(canvas_words(&c, (struct rect){0, 0, 8, 4}, ROLE_TEXT, BYTES_LITERAL("fits all")), 1);
    assert_string_equal(dump(&c, false), "fits all\n\n\n\n");
    canvas_free(&c);
}

static void boxes_and_the_ascii_set(void **state)
{
    (void)state;
    struct canvas c = make(20, 3);
    canvas_box(&c, (struct rect){0, 0, 20, 3}, ROLE_BORDER, "T", "r");
    canvas_text(&c, 2, 1, 16, ROLE_TEXT, "● ✖ ▲ ▁█ 日 é");
    assert_string_equal(dump(&c, false),
                        "┌ T ──────────── r ┐\n│ ● ✖ ▲ ▁█ 日 é    │\n└──────────────────┘\n");
    canvas_free(&c);
}

static void ascii_glyphs(void **state)
{
    (void)state;
    struct canvas c = make(14, 1);
    canvas_text(&c, 0, 0, 14, ROLE_TEXT, "●✖▲▁█日é…│");
    assert_string_equal(dump(&c, true), "*x!_#? ?~|\n");
    canvas_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_by_cells),
        cmocka_unit_test(wide_characters_take_two_cells),
        cmocka_unit_test(combining_marks_stay_with_their_letter),
        cmocka_unit_test(hostile_text_shows_as_pictures),
        cmocka_unit_test(drawing_outside_is_clipped),
        cmocka_unit_test(long_text_wraps),
        cmocka_unit_test(sentences_break_between_words),
        cmocka_unit_test(boxes_and_the_ascii_set),
        cmocka_unit_test(ascii_glyphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
