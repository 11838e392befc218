/* The `:` line. Floor 5. Its words are a table (ui/command.def). */
#ifndef SIGNALBOX_UI_COMMAND_H
#define SIGNALBOX_UI_COMMAND_H

#include "engine/flags.h"
#include "ui/screen.h"

struct command_row {
    const char *name, *arguments;
    uint64_t flags; /* F() bits of those that it takes */
    const char *help;
    void (*run)(struct screen *s, char *arguments); /* the rest of the line, which it may cut up */
};

#define COMMAND_MOVE_FLAGS    (F(TO) | F(SELECT) | F(LIMIT) | F(RATE) | F(CREATE) | F(NO_MARK))
#define COMMAND_REPLAY_FLAGS  (COMMAND_MOVE_FLAGS | F(ORIGIN_HEADER) | F(KEEP_DEATH) | F(AGAIN))
#define COMMAND_DEDUPE_FLAGS  (F(BY) | F(KEEP) | F(BODIES_DIFFER) | F(TO) | F(SELECT) | F(RATE) | F(CREATE))
#define COMMAND_RESTORE_FLAGS (F(TO) | F(RATE) | F(CREATE) | F(AGAIN))
#define COMMAND_PURGE_FLAGS   (F(SELECT) | F(LIMIT) | F(NO_ARCHIVE))

const struct command_row *command_rows(size_t *count);
/* The row that a line's first word names, whole or by a beginning that is only its; NULL: none, or several. */
const struct command_row *command_of(const char *line);
/* Runs a line; a unique prefix of a name will do. Faults are said on the status row. */
void command_run(struct screen *s, const char *line);
/* Completes the last word of a line, in place; what it could become where that is several goes into the note. False: nothing is known
 * that begins so. ui/command_complete.c. */
bool command_complete(struct screen *s, char *line, size_t size, struct prompt_note *note);
/* Opens the form of an operation as a line's words fill it in; what is wrong with them is said. ui/command_change.c. */
void command_change(struct screen *s, enum operation_kind kind, uint64_t flags, char *arguments);
/* The form that restores an archive, by its path or its name. */
void command_archive(struct screen *s, char *arguments);
/* The report of duplicates; with more than --by the form of a dedupe. */
void command_duplicates(struct screen *s, char *arguments);
/* What a line would do, while it is typed. */
void command_note(const char *line, struct prompt_note *note);

#endif
