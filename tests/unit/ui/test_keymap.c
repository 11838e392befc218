/* The key table: no key has two meanings in one place, every word of it is a key, everything that moves has letters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry.h"
#include "ui/keymap.h"

#include <string.h>

struct each {
    const struct key_row *row;
    int key;
};

/* All keys that mean something in a context. */
static size_t keys_of(enum key_context context, struct each *into, size_t most)
{
    size_t rows, count = 0;
    const struct key_row *row = keymap_rows(&rows);
    for (size_t i = 0; i < rows; i++, row++)
        for (const char *word = row->keys; keymap_applies(row, context) && *word;) {
            size_t len = strcspn(word, " ");
            assert_true(count < most);
            into[count++] = (struct each){row, keymap_parse(word, len)};
            word += len + (word[len] == ' ');
        }
    return count;
}

static void no_key_means_two_things(void **state)
{
    (void)state;
    for (enum key_context context = 0; context < KEY_CONTEXTS; context++) {
        struct each keys[256];
        size_t count = keys_of(context, keys, 256);
        for (size_t i = 0; i < count; i++)
            for (size_t j = i + 1; j < count; j++)
                if (keys[i].key == keys[j].key)
                    fail_msg("in context %d `%s` and `%s` have the same key", (int)context, keys[i].row->name,
                             keys[j].row->name);
    }
}

static void every_word_is_a_key(void **state)
{
    (void)state;
    size_t rows;
    const struct key_row *row = keymap_rows(&rows);
    struct each keys[256];
    for (enum key_context context = 0; context < KEY_CONTEXTS; context++)
        for (size_t i = 0, n = keys_of(context, keys, 256); i < n; i++) {
            assert_int_not_equal(keys[i].key, UIKEY_NONE);
            assert_int_equal(keymap_find(context, keys[i].key), keys[i].row->action);
        }
    for (size_t i = 0; i < rows; i++) {
        assert_ptr_equal(keymap_row(row[i].action), &row[i]);
        assert_true(row[i].contexts != 0 && *row[i].help && *row[i].name);
    }
    assert_int_equal(keymap_parse("C-d", 3), 4);
    assert_int_equal(keymap_parse("nonsense", 8), UIKEY_NONE);
    assert_int_equal(keymap_parse("", 0), UIKEY_NONE);
}

/* The number of a row in ui/views.def leads there from everywhere. */
static void every_tab_has_its_key(void **state)
{
    static const struct {
        const char *key;
        enum action action;
    } tabs[] = {
#define TAB(id, ops, key, name, help) {key, ACTION_SHOW_##id},
#include "ui/views.def"
    };
    (void)state;
    for (enum key_context context = 0; context < KEY_CONTEXTS; context++)
        for (size_t i = 0; i < sizeof tabs / sizeof *tabs; i++)
            assert_int_equal(keymap_find(context, tabs[i].key[0]), tabs[i].action);
}

struct found {
    const char *help;
    size_t times;
};

static void look_for(void *context, const char *heading, const char *left, const char *text)
{
    struct found *found = context;
    assert_true(*heading && *left && *text);
    found->times += strcmp(text, found->help) == 0;
}

static void the_manual_has_every_key(void **state)
{
    (void)state;
    size_t rows;
    const struct key_row *row = keymap_rows(&rows);
    for (size_t i = 0; i < rows; i++) {
        struct found found = {.help = row[i].help};
        registry.describe_screen(look_for, &found);
        if (!found.times)
            fail_msg("the manual does not say `%s`", row[i].name);
    }
}

static void control_keys_read_as_people_write_them(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(keymap_all(keymap_row(ACTION_PAGE_DOWN), text, sizeof text), "^F PageDown");
    assert_string_equal(keymap_first(keymap_row(ACTION_DOWN), text, sizeof text), "j");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_key_means_two_things),
        cmocka_unit_test(every_word_is_a_key),
        cmocka_unit_test(every_tab_has_its_key),
        cmocka_unit_test(the_manual_has_every_key),
        cmocka_unit_test(control_keys_read_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
