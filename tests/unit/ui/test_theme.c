/* Themes: each one compiled in has every role; faults of a file are named with their line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ui/theme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void every_theme_has_every_role(void **state)
{
    (void)state;
    for (const char *const *name = theme_names(); *name; name++) {
        struct theme t;
        struct err_info err = {.code = ERR_OK};
        if (theme_load(&t, *name, &err))
            fail_msg("%s: %s: %s", *name, err.where, err.text);
        assert_string_equal(t.name, *name);
        for (int role = 0; role < ROLES; role++)
            assert_true(t.roles[role].set);
    }
}

/* A theme without colours must still tell states apart. */
static void mono_has_no_colour(void **state)
{
    struct theme t;
    (void)state;
    assert_int_equal(theme_load(&t, "mono", NULL), ERR_OK);
    for (int role = 0; role < ROLES; role++)
        assert_true(t.roles[role].fg == THEME_DEFAULT_COLOUR && t.roles[role].bg == THEME_DEFAULT_COLOUR);
    assert_int_not_equal(t.roles[ROLE_SELECTED].attributes, 0);
    assert_int_not_equal(t.roles[ROLE_CRIT].attributes, t.roles[ROLE_OK].attributes);
    assert_int_not_equal(t.roles[ROLE_WARN].attributes, t.roles[ROLE_CRIT].attributes);
}

static void faults_are_named(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"text = red\ntxet = blue\n", "unknown role `txet`"},
        {"text = rde\n", "`rde` is neither a colour nor an attribute"},
        {"text = 256\n", "`256` is neither a colour nor an attribute"},
        {"text\n", "expected ROLE = STYLE"},
        {"text = red\ntext = red\n", "`text` is set twice"},
        {"# nothing\n", "theme x has no role `text`"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct theme t;
        struct err_info err = {.code = ERR_OK};
        assert_int_equal(theme_parse(&t, "x", bytes_of_text(bad[i].text), &err), ERR_CONFIG);
        assert_string_equal(err.text, bad[i].says);
    }
}

/* The style would be the cut one's, or its last word half a one. A comment may be long. */
static void a_long_line_is_not_cut(void **state)
{
    struct theme t;
    struct err_info err = {.code = ERR_OK};
    char text[1024];
    (void)state;
    snprintf(text, sizeof text, "# %300s\ntext = red%246s\n", "", "bold");
    assert_int_equal(theme_parse(&t, "x", bytes_of_text(text), &err), ERR_CONFIG);
    assert_string_equal(err.text, "the line is longer than 255 bytes");
    assert_string_equal(err.where, "theme x, line 2");
    snprintf(text, sizeof text, "text = red%244s # %300s\n", "bold", "");
    assert_int_equal(theme_parse(&t, "x", bytes_of_text(text), &err),
                     ERR_CONFIG); /* the other roles are missing */
    assert_null(strstr(err.text, "longer"));
    assert_int_equal(t.roles[ROLE_TEXT].fg, 1);
    assert_int_not_equal(t.roles[ROLE_TEXT].attributes, 0);
}

static void unknown_theme_suggests_one(void **state)
{
    struct theme t;
    struct err_info err = {.code = ERR_OK};
    (void)state;
    assert_int_equal(theme_load(&t, "drak", &err), ERR_NOTFOUND);
    assert_string_equal(err.next, "did you mean `dark`?");
    assert_int_equal(theme_load(&t, "foo", &err), ERR_NOTFOUND); /* near none: all of them */
    assert_string_equal(err.next, "themes: terminal, dark, mono, or a file of your own");
    assert_int_equal(theme_load(&t, "../../etc/passwd", &err), ERR_NOTFOUND);
}

/* What would not fit was cut, and half of a theme passed for a whole one. */
static void a_file_that_is_too_large_is_refused(void **state)
{
    struct theme t;
    struct err_info err = {.code = ERR_OK};
    (void)state;
    char home[] = "/tmp/sb-theme-XXXXXX", path[80], command[200];
    assert_non_null(mkdtemp(home));
    snprintf(command, sizeof command,
             "mkdir -p %s/signalbox/themes && cp themes/dark.theme %s/signalbox/themes/big.theme", home,
             home);
    assert_int_equal(system(command), 0);
    setenv("XDG_CONFIG_HOME", home, 1);
    assert_int_equal(theme_load(&t, "big", &err), ERR_OK);
    snprintf(path, sizeof path, "%s/signalbox/themes/big.theme", home);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    for (int i = 0; i < 2000; i++)
        fputs("# comment\n", f);
    fclose(f);
    assert_int_equal(theme_load(&t, "big", &err), ERR_CONFIG);
    assert_string_equal(err.text, "theme big is larger than 16 KiB");
    unsetenv("XDG_CONFIG_HOME");
    snprintf(command, sizeof command, "rm -r %s", home);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("HOME");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_theme_has_every_role), cmocka_unit_test(mono_has_no_colour),
        cmocka_unit_test(faults_are_named),           cmocka_unit_test(a_long_line_is_not_cut),
        cmocka_unit_test(unknown_theme_suggests_one), cmocka_unit_test(a_file_that_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
