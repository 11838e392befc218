#include "ui/keymap.h"

#include "base/bytes.h"
#include "base/utf8.h"

#include <stdio.h>

enum {
#define VIEW(id, ops) IN_##id = 1 << KEYS_##id,
#include "ui/views.def"
    IN_ALL = (1 << KEY_CONTEXTS) - 1,
};

static const struct key_row rows[] = {
#define SAYS(action, contexts, help)
#define X(action_, name_, contexts_, keys_, label_, help_) \
 {.action = ACTION_##action_,                              \
  .contexts = (contexts_),                                 \
  .name = (name_),                                         \
  .keys = (keys_),                                         \
  .label = (label_),                                       \
  .help = (help_)},
#include "ui/keys.def"
#undef X
#undef SAYS
};
static const struct {
    enum action action;
    uint32_t contexts;
    const char *help;
} says[] = {
#define X(action, name, contexts, keys, label, help)
#define SAYS(action_, contexts_, help_) {ACTION_##action_, (contexts_), (help_)},
#include "ui/keys.def"
#undef X
#undef SAYS
};
enum { ROWS = sizeof rows / sizeof *rows };

static const struct {
    const char *name;
    int key;
} named[] = {
    {"Enter", UIKEY_RETURN},
    {"Esc", UIKEY_ESCAPE},
    {"Tab", UIKEY_TAB},
    {"S-Tab", UIKEY_BACK_TAB},
    {"Space", ' '},
    {"Up", UIKEY_UP},
    {"Down", UIKEY_DOWN},
    {"Left", UIKEY_LEFT},
    {"Right", UIKEY_RIGHT},
    {"PageUp", UIKEY_PAGE_UP},
    {"PageDown", UIKEY_PAGE_DOWN},
    {"Home", UIKEY_HOME},
    {"End", UIKEY_END},
    {"F1", UIKEY_HELP},
    {"Backspace", UIKEY_ERASE},
    {"Delete", UIKEY_DELETE},
};

const struct key_row *keymap_rows(size_t *count)
{
    *count = ROWS;
    return rows;
}

bool keymap_applies(const struct key_row *row, enum key_context context)
{
    return row->contexts >> context & 1;
}

const char *keymap_help(const struct key_row *row, enum key_context context)
{
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        if (says[i].action == row->action && says[i].contexts >> context & 1)
            return says[i].help;
    return row->help;
}

int keymap_parse(const char *word, size_t len)
{
    struct bytes b = bytes_of(word, len);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (bytes_equal_text(b, named[i].name))
            return named[i].key;
    if (len == 3 && word[0] == 'C' && word[1] == '-' && word[2] >= 'a' && word[2] <= 'z')
        return UIKEY_CONTROL(word[2]);
    size_t at = 0;
    uint32_t cp = len ? utf8_next(b, &at) : UTF8_INVALID;
    return cp != UTF8_INVALID && at == len ? (int)cp : UIKEY_NONE;
}

static bool has_key(const struct key_row *row, int key)
{
    for (const char *word = row->keys; *word;) {
        size_t len = strcspn(word, " ");
        if (keymap_parse(word, len) == key)
            return true;
        word += len + (word[len] == ' ');
    }
    return false;
}

enum action keymap_find(enum key_context context, int key)
{
    for (size_t i = 0; i < ROWS; i++)
        if (keymap_applies(&rows[i], context) && has_key(&rows[i], key))
            return rows[i].action;
    return ACTION_NONE;
}

const struct key_row *keymap_row(enum action action)
{
    return action > ACTION_NONE && action < ACTIONS ? &rows[action - 1] : NULL;
}

static size_t put_key(const char *word, size_t len, char *into, size_t size)
{
    if (len == 3 && word[0] == 'C' && word[1] == '-')
        return (size_t)snprintf(into, size, "^%c", word[2] - 'a' + 'A');
    return (size_t)snprintf(into, size, "%.*s", (int)len, word);
}

char *keymap_first(const struct key_row *row, char *into, size_t size)
{
    put_key(row->keys, strcspn(row->keys, " "), into, size);
    return into;
}

char *keymap_all(const struct key_row *row, char *into, size_t size)
{
    size_t used = 0;
    for (const char *word = row->keys; *word && used + 1 < size;) {
        size_t len = strcspn(word, " ");
        used += put_key(word, len, into + used, size - used);
        word += len + (word[len] == ' ');
        if (*word && used + 1 < size)
            into[used++] = ' ';
    }
    into[used < size ? used : size - 1] = '\0';
    return into;
}
