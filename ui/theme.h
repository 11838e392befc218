/* Themes: how each role looks. Data files (themes/NAME.theme) compiled in; files of the configuration directory override
 * them. Floor 5.
 *
 * A line is  ROLE = [COLOUR] [on COLOUR] [bold] [dim] [underline] [reverse] [italic],  a comment begins with #. COLOUR is
 * default, one of the eight names (black red green yellow blue magenta cyan white), bright-NAME, or 0..255. */
#ifndef SIGNALBOX_UI_THEME_H
#define SIGNALBOX_UI_THEME_H

#include "base/err.h"
#include "ui/canvas.h"

enum theme_attribute {
    THEME_BOLD = 1 << 0,
    THEME_DIM = 1 << 1,
    THEME_UNDERLINE = 1 << 2,
    THEME_REVERSE = 1 << 3,
    THEME_ITALIC = 1 << 4,
};

enum { THEME_DEFAULT_COLOUR = -1 };

struct theme_style {
    int16_t fg, bg; /* 0..255 or THEME_DEFAULT_COLOUR */
    uint8_t attributes;
    bool set;
};

struct theme {
    char name[32];
    struct theme_style roles[ROLES];
};

/* NULL-terminated names of the themes compiled in; the first is the default. */
const char *const *theme_names(void);
const char *theme_list(char *into, size_t size); /* "terminal, dark, mono" */
/* NULL name: the default. $XDG_CONFIG_HOME/signalbox/themes/NAME.theme wins over the one compiled in. ERR_NOTFOUND with
 * the nearest name, ERR_CONFIG with the line. */
enum err theme_load(struct theme *t, const char *name, struct err_info *err) SB_MUST_USE;
/* Every role must be set exactly once. */
enum err theme_parse(struct theme *t, const char *name, struct bytes text, struct err_info *err) SB_MUST_USE;

#endif
