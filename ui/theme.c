#include "ui/theme.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LARGEST (16 * 1024) /* bytes of a file */

/* Made by scripts/embed from themes/NAME.theme: static const char theme_data_NAME[]. */
#include "ui/themes.inc"

static const char *const role_names[ROLES] = {
#define X(name, text) [ROLE_##name] = text,
#include "ui/roles.def"
#undef X
};

static const struct {
    const char *name, *text;
} built_in[] = {
    {"terminal", theme_data_terminal},
    {"dark", theme_data_dark},
    {"mono", theme_data_mono},
};
enum { BUILT_IN = sizeof built_in / sizeof *built_in };

const char *const *theme_names(void)
{
    static const char *const names[] = {"terminal", "dark", "mono", NULL};
    _Static_assert(sizeof names / sizeof *names == BUILT_IN + 1, "one name a theme");
    return names;
}

/* ---- one line ---- */

static bool colour_parse(const char *word, int16_t *colour)
{
    static const char *const names[] = {"black", "red",     "green", "yellow",
                                        "blue",  "magenta", "cyan",  "white"};
    int64_t number;
    if (!strcmp(word, "default")) {
        *colour = THEME_DEFAULT_COLOUR;
        return true;
    }
    int16_t bright = text_starts(word, "bright-") ? 8 : 0;
    for (int16_t i = 0; i < 8; i++)
        if (!strcmp(word + (bright ? strlen("bright-") : 0), names[i])) {
            *colour = (int16_t)(i + bright);
            return true;
        }
    if (!text_int64(word, &number) || number < 0 || number > 255)
        return false;
    *colour = (int16_t)number;
    return true;
}

static uint8_t attribute_parse(const char *word)
{
    static const char *const names[] = {"bold", "dim", "underline", "reverse", "italic"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(word, names[i]))
            return (uint8_t)(1u << i);
    return 0;
}

static enum err style_parse(struct theme_style *s, char *text, struct err_info *err)
{
    char *rest = text, *word;
    bool ground = false;
    *s = (struct theme_style){.fg = THEME_DEFAULT_COLOUR, .bg = THEME_DEFAULT_COLOUR, .set = true};
    while ((word = strsep(&rest, " \t"))) {
        uint8_t attribute = attribute_parse(word);
        if (!*word)
            continue;
        if (!strcmp(word, "on"))
            ground = true;
        else if (attribute)
            s->attributes |= attribute;
        else if (!colour_parse(word, ground ? &s->bg : &s->fg))
            return err_set(err, ERR_CONFIG, "`%s` is neither a colour nor an attribute", word);
    }
    return ERR_OK;
}

static int role_find(const char *name)
{
    for (int i = 0; i < ROLES; i++)
        if (!strcmp(role_names[i], name))
            return i;
    return -1;
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    return text;
}

static enum err line_parse(struct theme *t, struct bytes text, struct err_info *err)
{
    char copy[256];
    const uint8_t *comment = text.len ? memchr(text.data, '#', text.len) : NULL;
    size_t len = comment ? (size_t)(comment - text.data) : text.len;
    if (len >= sizeof copy)
        return err_set(err, ERR_CONFIG, "the line is longer than %zu bytes", sizeof copy - 1);
    char *line = trim(text_copy_bytes(copy, sizeof copy, bytes_slice(text, 0, len)));
    if (!*line)
        return ERR_OK;
    char *value = strchr(line, '=');
    if (!value)
        return err_set(err, ERR_CONFIG, "expected ROLE = STYLE");
    *value++ = '\0';
    const char *name = trim(line);
    int role = role_find(name);
    if (role < 0)
        return err_set(err, ERR_CONFIG, "unknown role `%s`", name);
    if (t->roles[role].set)
        return err_set(err, ERR_CONFIG, "`%s` is set twice", name);
    return style_parse(&t->roles[role], trim(value), err);
}

/* ---- whole themes ---- */

enum err theme_parse(struct theme *t, const char *name, struct bytes text, struct err_info *err)
{
    *t = (struct theme){.name = ""};
    text_copy(t->name, sizeof t->name, name);
    size_t start = 0;
    for (unsigned number = 1; start < text.len; number++) {
        const uint8_t *end = memchr(text.data + start, '\n', text.len - start);
        size_t len = end ? (size_t)(end - text.data) - start : text.len - start;
        enum err e = line_parse(t, bytes_slice(text, start, len), err);
        if (e) {
            err_where(err, "theme %s, line %u", name, number);
            return e;
        }
        start += len + 1;
    }
    for (int i = 0; i < ROLES; i++)
        if (!t->roles[i].set)
            return err_set(err, ERR_CONFIG, "theme %s has no role `%s`", name, role_names[i]);
    return ERR_OK;
}

static bool theme_path(const char *name, char *path, size_t size)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (strchr(name, '/') || !*name)
        return false;
    if (xdg && *xdg == '/')
        return snprintf(path, size, "%s/signalbox/themes/%s.theme", xdg, name) < (int)size;
    return home && snprintf(path, size, "%s/.config/signalbox/themes/%s.theme", home, name) < (int)size;
}

/* Bytes read, -1 where there is no such file. A theme is small: what doesn't fit is no theme. */
static ssize_t theme_file(const char *name, char *into, size_t size)
{
    char path[512];
    if (!theme_path(name, path, sizeof path))
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, into, size);
    close(fd);
    return n;
}

static enum err too_large(const char *name, struct err_info *err)
{
    char path[512];
    err_set(err, ERR_CONFIG, "theme %s is larger than %d KiB", name, LARGEST / 1024);
    if (theme_path(name, path, sizeof path))
        err_next(err, "mend %s", path);
    return ERR_CONFIG;
}

/* Whoever named the theme is told that the fault lies in its own file. */
static enum err file_parse(struct theme *t, const char *name, struct bytes text, struct err_info *err)
{
    char what[200], path[512];
    enum err e = theme_parse(t, name, text, err);
    if (!e || !err || !theme_path(name, path, sizeof path))
        return e;
    snprintf(what, sizeof what, "%.120s%s%.60s", err->text, *err->where ? ", in " : "", err->where);
    err_set(err, e, "%s", what);
    err_next(err, "mend %s", path);
    return e;
}

const char *theme_list(char *into, size_t size)
{
    size_t used = 0;
    into[0] = '\0';
    for (size_t i = 0; i < BUILT_IN && used < size; i++)
        used += (size_t)snprintf(into + used, size - used, "%s%s", i ? ", " : "", built_in[i].name);
    return into;
}

enum err theme_load(struct theme *t, const char *name, struct err_info *err)
{
    char text[LARGEST + 1];
    if (!name)
        name = built_in[0].name;
    ssize_t n = theme_file(name, text, sizeof text);
    if (n > LARGEST)
        return too_large(name, err);
    if (n >= 0)
        return file_parse(t, name, bytes_of(text, (size_t)n), err);
    for (size_t i = 0; i < BUILT_IN; i++)
        if (!strcmp(built_in[i].name, name))
            return theme_parse(t, name, bytes_of_text(built_in[i].text), err);
    err_set(err, ERR_NOTFOUND, "no theme `%s`", name);
    const char *near = text_nearest(name, theme_names());
    err_next(err, near ? "did you mean `%s`?" : "themes: %s, or a file of your own",
             near ? near : theme_list(text, sizeof text));
    return ERR_NOTFOUND;
}
