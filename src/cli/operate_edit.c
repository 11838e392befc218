/* A payload in the place of one message's own: out of a file, or written in $EDITOR. */
#include "cli/operate_internal.h"

#include "base/limits.h"
#include "base/state.h"
#include "cli/input.h"
#include "operations/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool operate_edits_by_hand(const struct operating *o)
{
    return cli_flag(o->cli, FLAG_EDIT) && !cli_text(o->cli, FLAG_EDIT);
}

static void take_payload(struct operating *o)
{
    o->job.plan.payload = bytes_of(o->edited.data ? o->edited.data : (const uint8_t *)"", o->edited.len);
}

int operate_edit_file(struct operating *o)
{
    struct err_info err = {.code = ERR_OK};
    const char *file = cli_text(o->cli, FLAG_EDIT);
    if (!file)
        return 0;
    if (input_whole(file, &o->edited, &err))
        return cli_error(&err);
    take_payload(o);
    return 0;
}

/* ---- the editor ---- */

struct editing {
    struct operating *o;
    struct bytes before;
    enum edit_form form;
    char path[STATE_PATH_SIZE + 40];
    int tty;
};

static int failed(const char *what, const char *where)
{
    struct err_info err;
    err_set(&err, ERR_IO, "%s: %s", what, strerror(errno));
    err_where(&err, "%.200s", where);
    return cli_error(&err);
}

/* In the state directory: nobody else may read what it has. */
static int write_file(struct editing *e)
{
    char folder[STATE_PATH_SIZE];
    struct err_info err = {.code = ERR_OK};
    struct buffer text;
    const char *end = e->form == EDIT_JSON ? ".json" : ".txt";
    if (state_check(&err) || !state_path("edit-XXXXXX", folder, sizeof folder))
        return cli_error(&err);
    snprintf(e->path, sizeof e->path, "%s%s", folder, end);
    int fd = mkstemps(e->path, (int)strlen(end));
    if (fd < 0)
        return failed("no file for the editor", e->path);
    buffer_init(&text, 6 * PLAN_PAYLOAD_MOST);
    edit_write(e->before, e->form, &text);
    size_t at = 0;
    ssize_t n = 0;
    while (buffer_ok(&text) && at < text.len && (n = write(fd, text.data + at, text.len - at)) > 0)
        at += (size_t)n;
    bool ok = buffer_ok(&text) && at == text.len;
    buffer_free(&text);
    close(fd);
    return ok ? 0 : failed("the payload cannot be written for the editor", e->path);
}

static const char *editor_of(void)
{
    const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");
    return visual && *visual ? visual : editor && *editor ? editor : "vi";
}

/* As the shell has it: $EDITOR may have arguments. It has the terminal, whatever stdin and stdout are. */
static int run_editor(const struct editing *e)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, usual;
    pid_t pid;
    int status = 0;
    char command[1000], shell[] = "sh", option[] = "-c";
    snprintf(command, sizeof command, "%.900s \"$1\"", editor_of());
    char *argv[] = {shell, option, command, shell, (char *)(uintptr_t)e->path, NULL};
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        posix_spawn_file_actions_adddup2(&actions, e->tty, fd);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &usual);
    errno = posix_spawn(&pid, "/bin/sh", &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (errno)
        return failed("the editor cannot be run", editor_of());
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return cli_error(&(struct err_info){.code = ERR_FAILED,
                                        .text = "the editor has failed: nothing is sent",
                                        .next = "set EDITOR, or give a file: --edit FILE"});
}

/* Enter edits it again; anything else gives up. */
static bool asks_again(const struct editing *e, const struct err_info *err)
{
    static const char question[] = "signalbox: Enter edits it again, q gives it up: ";
    char answer[80];
    cli_error(err);
    if (write(e->tty, question, sizeof question - 1) < 0)
        return false;
    ssize_t n = read(e->tty, answer, sizeof answer);
    return n > 0 && answer[0] == '\n';
}

static int edit_until_it_encodes(struct editing *e)
{
    for (;;) {
        struct err_info err = {.code = ERR_OK};
        struct buffer text;
        int code = run_editor(e);
        if (code)
            return code;
        buffer_init(&text, 6 * PLAN_PAYLOAD_MOST);
        buffer_clear(&e->o->edited);
        enum err bad = input_whole(e->path, &text, &err);
        bool mends = !bad; /* what cannot be read is no matter of the editor's */
        if (!bad)
            bad = edit_read(buffer_view(&text), e->form, e->before, &e->o->edited, &err);
        buffer_free(&text);
        if (!bad)
            return 0;
        if (!mends || !asks_again(e, &err))
            return mends ? err_exit_code(err.code) : cli_error(&err);
    }
}

static int edit(struct editing *e)
{
    int code = write_file(e);
    if (!code)
        code = edit_until_it_encodes(e);
    if (*e->path)
        unlink(e->path);
    if (code)
        return code;
    struct bytes after = buffer_view(&e->o->edited);
    if (after.len == e->before.len && (!after.len || memcmp(after.data, e->before.data, after.len) == 0)) {
        cli_notice(e->o->cli,
                   "the payload was left as it was: nothing is sent. Without --edit it is sent so");
        return err_exit_code(ERR_NOMATCH);
    }
    cli_notice(e->o->cli, "edited as %s: %zu bytes, where there were %zu", edit_form_name(e->form), after.len,
               e->before.len);
    return 0;
}

/* What is hidden can neither be shown in an editor nor be left out of what is sent. */
static int refuse_hidden(const struct operating *o, const struct message *m)
{
    struct redactor *r;
    struct err_info err;
    int code = cli_redactor(o->cli, &r);
    if (code || !r)
        return code;
    const struct message *shown = redactor_apply(r, m);
    bool hidden = shown->payload.len != m->payload.len ||
                  (m->payload.len && memcmp(shown->payload.data, m->payload.data, m->payload.len) != 0);
    redactor_free(&r);
    if (!hidden)
        return 0;
    err_set(&err, ERR_REFUSED, "`redact` hides a part of this payload: it cannot be shown in an editor");
    err_next(&err, "give the new one in a file: --edit FILE");
    return cli_error(&err);
}

static int edit_message(struct operating *o, const struct message *m)
{
    struct editing e = {.o = o, .before = m->payload, .form = edit_form_of(m->payload)};
    char digest[EDIT_DIGEST_SIZE];
    int code = refuse_hidden(o, m);
    if (code)
        return code;
    if (m->payload.len > PLAN_PAYLOAD_MOST)
        return cli_usage("a payload of more than %zu MiB is not edited", PLAN_PAYLOAD_MOST / MIB);
    e.tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (e.tty < 0)
        return cli_usage("there is no terminal to edit on: give the new payload in a file, --edit FILE");
    code = edit(&e);
    close(e.tty);
    if (code)
        return code;
    o->job.plan.edits = arena_strdup(&o->arena, edit_digest(m->payload, digest));
    take_payload(o);
    return 0;
}

static int check_file(const struct operating *o, const struct message *m)
{
    struct err_info err;
    if (!edit_is_json(m->payload) || edit_is_json(o->job.plan.payload))
        return 0;
    err_set(&err, ERR_FORMAT, "the message's payload is JSON, and the edited one is not");
    err_where(&err, "%.200s", cli_text(o->cli, FLAG_EDIT));
    return cli_error(&err);
}

int operate_edit(struct operating *o, const struct preview *p)
{
    if (!cli_flag(o->cli, FLAG_EDIT) || !p->matched)
        return 0;
    if (p->matched > 1)
        return cli_usage("%lld messages are selected, and an edited payload is for one",
                         (long long)p->matched);
    return operate_edits_by_hand(o) ? edit_message(o, p->first) : check_file(o, p->first);
}

int operate_edit_first(struct operating *o)
{
    struct preview p;
    struct err_info err = {.code = ERR_OK};
    int code = preview_check(&o->job, &p, &err) ? cli_error(&err) : operate_look(o, &p);
    if (!code)
        code = p.matched ? operate_edit(o, &p) : err_exit_code(ERR_NOMATCH);
    preview_free(&p);
    return code;
}
