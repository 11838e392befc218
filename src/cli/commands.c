/* The command table. A new command is one file and one line here. */
#include "cli/cli.h"

#define COMMANDS(X) \
 X(probe)           \
 X(ls)              \
 X(tail)            \
 X(browse)          \
 X(search)          \
 X(decode)          \
 X(send)            \
 X(export)          \
 X(import)          \
 X(resend)          \
 X(replay)          \
 X(move)            \
 X(copy)            \
 X(dedupe)          \
 X(purge) X(restore) X(journal) X(resume) X(doctor) X(config) X(init) X(completion) X(help) X(version)

#define X(name) extern const struct command command_##name;
COMMANDS(X)
#undef X

const struct command *const commands[] = {
#define X(name) &command_##name,
    COMMANDS(X)
#undef X
        NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}
