/* What the words behind `:tail` and `:browse` ask for: the shell's flags, from the shell's table. Floor 5. */
#ifndef SIGNALBOX_UI_COMMAND_READ_H
#define SIGNALBOX_UI_COMMAND_READ_H

#include "engine/flags.h"
#include "ui/screen.h"

enum { COMMAND_MOST_WORDS = 64 };
#define COMMAND_READ_FLAGS   (F(FROM) | F(PARTITION) | F(WHERE) | F(UNCOMMITTED) | F(INTERNAL))
#define COMMAND_TAIL_FLAGS   (COMMAND_READ_FLAGS | F(FIREHOSE) | F(DEDUPE_BY))
#define COMMAND_BROWSE_FLAGS (COMMAND_READ_FLAGS | F(LIMIT))

struct command_read {
    struct screen_read how;
    char *words[COMMAND_MOST_WORDS]; /* what is no flag; inside the line that was cut up */
    size_t word_count;
};

/* Cuts up `line`: words are apart by blanks, quotes of either kind keep them together, flags are --name VALUE, --name=VALUE or
 * -n VALUE. False: what is wrong has been said on the status row. */
bool command_read(struct screen *s, enum read_mode mode, char *line, struct command_read *out);

/* The next word, its quotes taken off in place; *line goes on behind it. NULL: there is none, or (*line is NULL then) a quote isn't
 * closed. */
char *command_word(char **line);

/* allowed: F() bits. While the last word of `line` is a flag or its value: what it is, or which there are. False: it is neither. */
bool command_read_note(uint64_t allowed, const char *line, struct prompt_note *note);

#endif
