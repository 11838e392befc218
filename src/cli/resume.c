#include "base/limits.h"
#include "cli/operate.h"
#include "operations/lock.h"

#include <stdlib.h>

#define MOST 1000

struct interrupted {
    char ids[MOST][OPERATION_ID_SIZE]; /* newest first */
    size_t count;
};

static bool collect(void *context, const struct journal_operation *o)
{
    struct interrupted *all = context;
    if (o->state == OPERATION_RUNNING && !operation_is_locked(o->id))
        memcpy(all->ids[all->count++], o->id, OPERATION_ID_SIZE);
    return all->count < MOST;
}

static int resume_one(struct cli *c, struct journal *j, const char *id)
{
    struct err_info err = {.code = ERR_OK};
    struct arena arena;
    struct journal_operation o;
    arena_init(&arena, 4 * MIB);
    int code = 0;
    if (journal_find(j, id, &arena, &o, &err)) {
        code = cli_error(&err);
    } else if (o.state != OPERATION_RUNNING) {
        cli_notice(c, "%s %s has ended: %s", operation_kind_name(o.kind), o.id,
                   operation_state_name(o.state));
    } else {
        code = operate_resume(c, &o);
    }
    arena_free(&arena);
    return code;
}

/* Oldest first. The first code that is none of success stands for all. */
static int resume_all(struct cli *c, struct journal *j)
{
    struct err_info err = {.code = ERR_OK};
    struct interrupted *all = calloc(1, sizeof *all);
    int code = 0;
    if (!all) {
        err_set(&err, ERR_NOMEM, "no memory for the journal's operations");
        return cli_error(&err);
    }
    if (journal_operations(j, collect, all, &err))
        code = cli_error(&err);
    else if (!all->count)
        cli_notice(c, "nothing was interrupted");
    while (all->count && code < 128) {
        int one = resume_one(c, j, all->ids[--all->count]);
        code = code ? code : one;
    }
    free(all);
    return code;
}

static int run(struct cli *c)
{
    struct err_info err = {.code = ERR_OK};
    struct journal *j = journal_open(&err);
    if (!j)
        return cli_error(&err);
    int code = c->arg_count ? resume_one(c, j, c->args[0]) : resume_all(c, j);
    journal_close(&j);
    return code;
}

const struct command command_resume = {
    .name = "resume",
    .args = "[ID]",
    .purpose = "finish what a crash has interrupted",
    .detail =
        "Without ID every interrupted operation, oldest first. The journal says what was on its way: that is looked for at the "
        "destination; what had arrived is not sent again, what had not is. What cannot be told stays at the source and is reported "
        "as in doubt. It needs no --execute: the journal holds the consent. One that another process has under way is left alone.",
    .flags = F(JSON),
    .max_args = 1,
    .argument = ARGUMENT_WORD,
    .examples = {{"signalbox resume", "all of them"},
                 {"signalbox resume 7k2m", "one of them"},
                 {"signalbox journal", "which there are"}},
    .exits = "0 1 2 4 5 6 7 130",
    .run = run,
};
