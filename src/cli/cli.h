/* The command line: parsed words, the command table, what commands share. Floor 5. Main thread, unless a function says more. */
#ifndef SIGNALBOX_CLI_CLI_H
#define SIGNALBOX_CLI_CLI_H

#include "base/buffer.h"
#include "engine/config.h"
#include "engine/flags.h"
#include "engine/redact.h"
#include "model/registry.h"

/* What every command takes, and what reading messages adds. */
#define FLAGS_GLOBAL  (F(HELP) | F(CONFIG) | F(COLOR) | F(QUIET) | F(TIMEOUT))
#define FLAGS_OUTPUT  (F(JSON) | F(PLAIN) | F(FORMAT) | F(DECODE))
#define FLAGS_READING (F(FROM) | F(LIMIT) | F(WHERE) | F(PARTITION) | F(UNCOMMITTED))
#define FLAGS_CHANGE  (F(EXECUTE) | F(WRITE) | F(CONFIRM))

#define MOST_LIST 256
struct flags {
    uint64_t set; /* F() bits */
    const char *text[FLAGS];
    int64_t number[FLAGS]; /* COUNT; DURATION in ns */
    struct {
        enum flag flag;
        const char *text;
    } list[MOST_LIST]; /* of LIST flags, in their order; see cli_next */
    size_t list_count;
};

struct cli;

enum argument { ARGUMENT_NONE, ARGUMENT_ADDRESS, ARGUMENT_FILE, ARGUMENT_WORD };

/* One command, told once: dispatch, --help, completion and man page are made of it. */
struct command {
    const char *name, *args, *purpose;
    const char *detail; /* for the man page, plain text, paragraphs with a blank line between */
    uint64_t flags;     /* beside FLAGS_GLOBAL */
    uint64_t rare;      /* those of them that --help only names */
    size_t min_args, max_args;
    const char *missing; /* what to say when there are too few arguments */
    enum argument argument;
    const char *const *words; /* ARGUMENT_WORD: what may stand there */
    struct {
        const char *line, *what;
    } examples[3];
    const char *exits; /* exit codes that it can give: "0 1 4" */
    bool offline;      /* needs no configuration */
    int (*run)(struct cli *c);
};
extern const struct command *const commands[]; /* NULL-terminated */
const struct command *command_find(const char *name);

struct cli {
    const struct registry *registry;
    const struct command *command; /* NULL: the screen */
    struct flags flags;
    const char *const *args;
    size_t arg_count;
    struct config config;
};

/* Takes the words apart; args point into argv, which is reordered. 0, or an exit code after a message on stderr. *done: it
 * was answered already (--help, --version). */
int cli_parse(struct cli *c, int argc, char **argv, const struct registry *registry, bool *done);
/* Reads the configuration, reporting every fault on stderr. 0 or an exit code. */
int cli_configure(struct cli *c);
int cli_load_config(struct cli *c); /* the file alone */
/* Runs the command; returns the exit code. */
int cli_run(struct cli *c);
void cli_free(struct cli *c);

static inline bool cli_flag(const struct cli *c, enum flag flag)
{
    return c->flags.set >> flag & 1;
}
/* Of a COUNT or DURATION flag. */
static inline int64_t cli_number(const struct cli *c, enum flag flag, int64_t fallback)
{
    return cli_flag(c, flag) ? c->flags.number[flag] : fallback;
}
static inline const char *cli_text(const struct cli *c, enum flag flag)
{
    return c->flags.text[flag];
}

/* The values of a LIST flag, one after the other; *at counts from 0. NULL: there are no more. */
static inline const char *cli_next(const struct cli *c, enum flag flag, size_t *at)
{
    while (*at < c->flags.list_count)
        if (c->flags.list[(*at)++].flag == flag)
            return c->flags.list[*at - 1].text;
    return NULL;
}

/* ---- talking ---- */

/* One line on stderr: "signalbox: ..."; a message of any thread. */
void cli_note(const char *format, ...) SB_PRINTF(1, 2);
/* A notice that --quiet silences. */
void cli_notice(const struct cli *c, const char *format, ...) SB_PRINTF(2, 3);
int cli_error(const struct err_info *err); /* says it; returns its exit code */
/* A fault in a filter: the expression with a caret below, and the word. Returns its exit code. */
int cli_filter_error(const char *expression, const struct err_info *err);
int cli_usage(const char *format, ...) SB_PRINTF(1, 2); /* says it; returns 2 */
void cli_fault(const char *file, const struct config_fault *fault);
/* Writes text to stdout. 0; also when the reader has gone. 1 after a message when it fails. */
int cli_print(struct buffer *text);
bool cli_color(const struct cli *c, int fd); /* colours there? */
bool cli_progress(const struct cli *c);      /* a line that is overwritten, on stderr? */
void cli_progress_line(const char *text);    /* draws it anew; every message takes it away first */
void cli_progress_end(void);                 /* takes it away */

/* What hides from this command's own input what the configuration's `redact` names; the caller frees it. *r NULL: nothing is to be
 * hidden. 0 or an exit code after a message. */
int cli_redactor(const struct cli *c, struct redactor **r);

/* ---- addresses ---- */

/* The i-th argument as an address; password resolved. 0 or an exit code after a message. */
int cli_address(struct cli *c, size_t i, bool channel_wanted, struct address *address);
/* Asks the terminal, where there is one, for the password of a user that a URL names. Leaves it NULL where nothing is said. */
void cli_ask_password(struct cli *c, struct endpoint *e);
/* May this address be changed (signalbox help changes)? 0, or 7 after a message. */
int cli_may_change(const struct cli *c, const struct address *to);
/* The flags that a dry run lacks to be the change itself, of one address or two (NULL: none): "--execute --write"; returns into. */
char *cli_missing_flags(const struct cli *c, const struct address *to, const struct address *also, char *into,
                        size_t size);

/* ---- texts ---- */

void help_command(const struct command *command, struct buffer *out);
void help_overview(struct buffer *out);
void help_manual(const struct registry *registry, struct buffer *out); /* roff */
void help_config(const struct registry *registry, struct buffer *out);
/* What a key of the configuration means; where it names a decoder, with those that there are. */
const char *help_key(const struct registry *registry, size_t key, char *into, size_t size);
/* Topics in plain text, used by help and the manual alike: addresses, filter, output, exit. */
struct topic {
    const char *name, *title, *text;
};
extern const struct topic topics[]; /* ends with a NULL name */
const char *exit_text(int code);    /* "nothing matched" */

#endif
