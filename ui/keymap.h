/* Keys to actions: one table (ui/keys.def). Floor 5. */
#ifndef SIGNALBOX_UI_KEYMAP_H
#define SIGNALBOX_UI_KEYMAP_H

#include "ui/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a key means something: one context a view. */
enum key_context {
#define VIEW(id, ops) KEYS_##id,
#include "ui/views.def"
    KEY_CONTEXTS,
};

enum action {
    ACTION_NONE,
#define SAYS(action, contexts, help)
#define X(action, name, contexts, keys, label, help) ACTION_##action,
#include "ui/keys.def"
#undef X
#undef SAYS
    ACTIONS
};

struct key_row {
    enum action action;
    uint32_t contexts; /* 1 << enum key_context */
    const char *name;  /* of the action */
    const char *keys;  /* "j Down": separated by spaces */
    const char *label; /* in the hints; NULL: not there */
    const char *help;
};

/* All rows, in the order of the table. */
const struct key_row *keymap_rows(size_t *count);
bool keymap_applies(const struct key_row *row, enum key_context context);
const char *keymap_help(const struct key_row *row, enum key_context context); /* what it does there */
enum action keymap_find(enum key_context context, int key); /* ACTION_NONE: the key means nothing here */
const struct key_row *keymap_row(enum action action);
/* "C-d", "Enter", "j": one word of a keys column to its number; UIKEY_NONE where it is none. */
int keymap_parse(const char *word, size_t len);
/* The first key of an action, as people read it: "^D", "Enter". Needs 16 bytes; returns into. */
char *keymap_first(const struct key_row *row, char *into, size_t size);
/* All of them, separated by spaces. */
char *keymap_all(const struct key_row *row, char *into, size_t size);

#endif
