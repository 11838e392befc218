/* The line at the foot: editing by characters, history by kind, leaving; and the small sums that lists are moved by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ui/paint.h"
#include "ui/prompt.h"

static void type(struct prompt *p, const char *text)
{
    for (; *text; text++)
        prompt_key(p, (unsigned char)*text);
}

static void edits_by_characters(void **state)
{
    struct prompt p = {.kind = PROMPT_NONE};
    (void)state;
    prompt_open(&p, PROMPT_COMMAND, "tail ");
    assert_int_equal(prompt_key(&p, 0xEB), PROMPT_EDITED); /* ë */
    assert_int_equal(prompt_key(&p, 0x65E5), PROMPT_EDITED);
    type(&p, "x");
    assert_string_equal(p.text, "tail \xC3\xAB\xE6\x97\xA5x");
    prompt_key(&p, UIKEY_LEFT);
    prompt_key(&p, UIKEY_ERASE);
    assert_string_equal(p.text, "tail \xC3\xABx");
    prompt_key(&p, UIKEY_LEFT);
    prompt_key(&p, UIKEY_DELETE);
    assert_string_equal(p.text, "tail x");
    prompt_key(&p, UIKEY_END);
    prompt_key(&p, UIKEY_CONTROL('w'));
    assert_string_equal(p.text, "tail ");
    prompt_key(&p, UIKEY_CONTROL('u'));
    assert_string_equal(p.text, "");
    assert_int_equal(prompt_key(&p, UIKEY_ERASE), PROMPT_LEFT);
    assert_int_equal(p.kind, PROMPT_NONE);
}

static void controls_never_become_text(void **state)
{
    struct prompt p = {.kind = PROMPT_NONE};
    (void)state;
    prompt_open(&p, PROMPT_FIND, "");
    for (int key = 1; key < 32; key++)
        if (key != UIKEY_RETURN && key != UIKEY_ESCAPE && key != UIKEY_CONTROL('c'))
            prompt_key(&p, key);
    prompt_key(&p, UIKEY_HELP);
    assert_string_equal(p.text, "");
    assert_int_equal(prompt_key(&p, UIKEY_CONTROL('c')), PROMPT_LEFT);
}

static void history_is_kept_by_kind(void **state)
{
    struct prompt p = {.kind = PROMPT_NONE};
    (void)state;
    prompt_open(&p, PROMPT_COMMAND, "log");
    assert_int_equal(prompt_key(&p, UIKEY_RETURN), PROMPT_ENTERED);
    prompt_open(&p, PROMPT_FILTER, "a=1");
    prompt_key(&p, UIKEY_RETURN);
    prompt_open(&p, PROMPT_COMMAND, "");
    assert_int_equal(prompt_key(&p, UIKEY_UP), PROMPT_EDITED);
    assert_string_equal(p.text, "log");
    assert_int_equal(prompt_key(&p, UIKEY_UP), PROMPT_SAME);
    assert_int_equal(prompt_key(&p, UIKEY_DOWN), PROMPT_EDITED);
    assert_string_equal(p.text, "");
    for (int i = 0; i < PROMPT_HISTORY * 2; i++) {
        char text[16] = {(char)('a' + i % 26), '\0'};
        prompt_remember(&p, PROMPT_FIND, text);
    }
    assert_int_equal(p.history_count, PROMPT_HISTORY);
    prompt_free(&p);
}

static void a_long_line_scrolls(void **state)
{
    struct prompt p = {.kind = PROMPT_NONE};
    struct canvas c;
    (void)state;
    canvas_init(&c);
    assert_true(canvas_resize(&c, 20, 1));
    prompt_open(&p, PROMPT_COMMAND, "");
    for (int i = 0; i < 3000; i++)
        prompt_key(&p, 'a' + i % 26);
    assert_int_equal(p.len, PROMPT_MAX - 1);
    prompt_draw(&p, &c, 0, 0, 20);
    assert_true(c.cursor_visible && c.cursor_x < 20);
    canvas_free(&c);
}

static void lists_move_and_scroll(void **state)
{
    size_t top = 0;
    (void)state;
    assert_int_equal(move_by(ACTION_DOWN, 0, 0, 5), 0);
    assert_int_equal(move_by(ACTION_BOTTOM, 3, 10, 5), 9);
    assert_int_equal(move_by(ACTION_PAGE_UP, 3, 10, 5), 0);
    assert_int_equal(move_by(ACTION_PAGE_DOWN, 3, 10, 5), 7);
    assert_true(move_by(ACTION_QUIT, 3, 10, 5) == SIZE_MAX);
    scroll_to(&top, 7, 10, 5);
    assert_int_equal(top, 3);
    scroll_to(&top, 1, 10, 5);
    assert_int_equal(top, 1);
    scroll_to(&top, 9, 4, 5); /* the list became shorter */
    assert_int_equal(top, 0);
    scroll_to(&top, 0, 0, 0);
    assert_int_equal(top, 0);
}

/* Columns never overlap, and none leaves its table, whatever the width. */
static void columns_fit_any_width(void **state)
{
    static const struct column columns[] = {
        {"A", 8, false, 0, 0}, {"B", 0, false, 0, 0}, {"C", 12, true, 60, 0}, {"D", 20, false, 0, 0}};
    (void)state;
    for (int w = 0; w < 200; w++) {
        struct slot slots[4];
        int end = 5;
        columns_fit(columns, 4, 5, w, slots);
        for (int i = 0; i < 4; i++) {
            if (slots[i].w <= 0)
                continue;
            assert_true(slots[i].x >= end);
            end = slots[i].x + slots[i].w;
        }
        assert_true(end <= 5 + w);
    }
}

/* The moment at which an age changes is told exactly: not sooner, not later. */
static void ages_tell_when_they_change(void **state)
{
    static const int64_t ages[] = {0, 1, 9, 10, 12, 59, 60, 61, 3599, 90000};
    char now[16], before[16], then[16];
    (void)state;
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        struct frame f = {.now_ns = ages[i] * NS_PER_S + 1000 * NS_PER_S + 300 * NS_PER_MS,
                          .wakeup_ns = INT64_MAX};
        paint_age(&f, 1000 * NS_PER_S, now, sizeof now);
        assert_true(f.wakeup_ns > f.now_ns && f.wakeup_ns <= f.now_ns + 60 * NS_PER_S);
        struct frame later = {.now_ns = f.wakeup_ns - 1, .wakeup_ns = INT64_MAX};
        assert_string_equal(paint_age(&later, 1000 * NS_PER_S, before, sizeof before), now);
        later.now_ns = f.wakeup_ns;
        if (ages[i] < 3599) /* hours and days step more rarely than they are looked at */
            assert_string_not_equal(paint_age(&later, 1000 * NS_PER_S, then, sizeof then), now);
    }
    struct frame f = {.now_ns = 5, .wakeup_ns = INT64_MAX};
    assert_string_equal(paint_ago(&f, TIME_NONE, now, sizeof now), "–");
    assert_true(f.wakeup_ns == INT64_MAX);
}

static void counts_are_shortened_to_their_column(void **state)
{
    static const struct {
        int64_t n;
        const char *sign;
        int cells;
        const char *text;
    } rows[] = {
        {-1, "≤", 4, "–"},       {0, "≤", 4, "0"},           {12, "≤", 4, "≤12"},
        {999, "", 2, "999"},     {18402, "≤", 7, "≤18,402"}, {18402, "<=", 7, "<=18k"},
        {18402, "≤", 6, "≤18k"}, {7708412, "", 8, "7.7M"},   {999500, "", 6, "1.0M"},
        {9949, "", 4, "9.9k"},   {123456789, "", 7, "123M"}, {INT64_MAX, "≤", 8, "≤9.2E"},
    };
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(paint_count(rows[i].n, rows[i].sign, rows[i].cells, text, sizeof text),
                            rows[i].text);
    assert_string_equal(paint_rate(99999.4, text, sizeof text), "99,999");
    assert_string_equal(paint_rate(1234567, text, sizeof text), "1.2M");
    assert_string_equal(paint_rate(0.04, text, sizeof text), "<0.1");
    assert_string_equal(paint_rate(-1, text, sizeof text), "–");
}

static void a_source_is_named_once(void **state)
{
    (void)state;
    assert_true(bytes_equal_text(paint_without_source(BYTES_LITERAL("k: gone"), "k"), "gone"));
    assert_true(bytes_equal_text(paint_without_source(BYTES_LITERAL("kk: gone"), "k"), "kk: gone"));
    assert_true(bytes_equal_text(paint_without_source(BYTES_LITERAL("k:"), "k"), "k:"));
    assert_int_equal(paint_without_source(BYTES_NULL, "k").len, 0);
}

static void a_filters_good_words_are_told_from_the_rest(void **state)
{
    char text[64];
    (void)state;
    assert_true(prompt_half_typed("name="));
    assert_true(prompt_half_typed("a | "));
    assert_true(prompt_half_typed("!"));
    assert_false(prompt_half_typed("name=x"));
    assert_false(prompt_half_typed(""));
    assert_string_equal(prompt_good_part("a b totl=3", 4, text, sizeof text), "a b");
    assert_string_equal(prompt_good_part("totl=3", 99, text, sizeof text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_by_characters),
        cmocka_unit_test(controls_never_become_text),
        cmocka_unit_test(history_is_kept_by_kind),
        cmocka_unit_test(a_long_line_scrolls),
        cmocka_unit_test(lists_move_and_scroll),
        cmocka_unit_test(columns_fit_any_width),
        cmocka_unit_test(ages_tell_when_they_change),
        cmocka_unit_test(counts_are_shortened_to_their_column),
        cmocka_unit_test(a_source_is_named_once),
        cmocka_unit_test(a_filters_good_words_are_told_from_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
