/* A form: fields under one cursor. Floor 5. Enter opens a text field, in place; Space turns a switch, and goes through choices. */
#ifndef SIGNALBOX_UI_FORM_H
#define SIGNALBOX_UI_FORM_H

#include "ui/prompt.h"

#define FORM_TEXT   PROMPT_MAX
#define FORM_FIELDS 12

enum form_kind { FORM_SHOWN, FORM_LINE, FORM_CHOICE, FORM_SWITCH };

struct form_field {
    const char *label; /* static */
    enum form_kind kind;
    const char *help;       /* static; while the cursor is on it */
    const char *empty;      /* static; what an empty line means: "all" */
    const char *choices[8]; /* of a CHOICE, NULL-terminated; static, or the form's owner's */
    size_t chosen;          /* of a CHOICE; 1: a SWITCH is on */
    char text[FORM_TEXT];   /* of a LINE, or SHOWN */
    char fault[160];        /* what is wrong with it; "" nothing */
};

struct form {
    struct form_field fields[FORM_FIELDS];
    size_t count, at, top;
    struct prompt line; /* open while a LINE is written */
};

enum form_result {
    FORM_UNUSED, /* the key is for somebody else */
    FORM_USED,
    FORM_CHANGED, /* fields[at] has another value */
};

/* Of a kind; the caller fills the rest. NULL: too many. */
struct form_field *form_add(struct form *f, enum form_kind kind, const char *label, const char *help);
struct form_field *form_find(struct form *f, const char *label); /* NULL: it has none */
enum form_result form_key(struct form *f, int key);
bool form_takes_text(const struct form *f); /* a line is open */
bool form_faulty(const struct form *f);
/* One row a field, packed all switches beside each other in one, as many as fit, from the cursor's on. Returns the rows. */
int form_draw(struct form *f, struct frame *frame, struct rect r, bool focus, bool packed);
int form_rows(const struct form *f, bool packed); /* of all */
void form_free(struct form *f);

#endif
