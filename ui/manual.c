#include "ui/manual.h"

#include "ui/command.h"
#include "ui/keymap.h"
#include "ui/view.h"

#include <stdio.h>

#define VIEW(id, ops) extern const struct view_ops ops;
#include "ui/views.def"

static const struct view_ops *const places[] = {
#define VIEW(id, ops) &ops,
#include "ui/views.def"
};

/* Keys that every place has stand once. */
static bool is_everywhere(const struct key_row *key)
{
    return key->contexts == (1u << KEY_CONTEXTS) - 1;
}

static void describe_key(const char *place, const struct key_row *key, const char *help, manual_row *row,
                         void *context)
{
    char keys[64];
    row(context, place, keymap_all(key, keys, sizeof keys), help);
}

static void describe_place(const struct view_ops *place, manual_row *row, void *context)
{
    size_t count;
    const struct key_row *keys = keymap_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (!is_everywhere(&keys[i]) && keymap_applies(&keys[i], place->keys))
            describe_key(place->title, &keys[i], keymap_help(&keys[i], place->keys), row, context);
}

static void describe_commands(manual_row *row, void *context)
{
    size_t count;
    const struct command_row *commands = command_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char left[96];
        snprintf(left, sizeof left, ":%s%s%s", commands[i].name, *commands[i].arguments ? " " : "",
                 commands[i].arguments);
        row(context, "Words of the : line", left, commands[i].help);
    }
}

void manual_describe(manual_row *row, void *context)
{
    size_t count;
    const struct key_row *keys = keymap_rows(&count);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        describe_place(places[i], row, context);
    for (size_t i = 0; i < count; i++)
        if (is_everywhere(&keys[i]))
            describe_key("Everywhere", &keys[i], keys[i].help, row, context);
    describe_commands(row, context);
}
