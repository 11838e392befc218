/* Changes: what is asked, what is under way. */
#include "ui/screen_internal.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum err screen_change_open(struct screen *s, struct err_info *err)
{
    s->jobs = jobs_new(hub_config(s->hub), hub_registry(s->hub), err);
    s->audit = s->jobs ? audit_new(jobs_fd(s->jobs), err) : NULL;
    return s->audit ? ERR_OK : err->code;
}

void screen_change_close(struct screen *s)
{
    s->journal = NULL;
    audit_free(&s->audit); /* it writes to the jobs' descriptor */
    jobs_free(&s->jobs);
    free(s->write_until);
}

/* ---- what is under way ---- */

int screen_fd(const struct screen *s)
{
    return jobs_fd(s->jobs);
}

bool screen_pump(struct screen *s)
{
    if (!jobs_pump(s->jobs))
        return false;
    audit_take(s->audit, &s->journal);
    screen_tell(s, SCREEN_JOBS);
    return true; /* row 0 counts them */
}

struct jobs *screen_jobs(struct screen *s)
{
    return s->jobs;
}

const struct audit_list *screen_journal(const struct screen *s)
{
    return s->journal;
}

void screen_read_journal(struct screen *s, const char *id)
{
    audit_read(s->audit, id);
}

/* ---- what is asked ---- */

void screen_ask(struct screen *s, const struct dialog *d, screen_answer *answer, void *context)
{
    s->dialog = *d;
    s->answer = answer;
    s->answer_context = context;
}

void screen_dialog_key(struct screen *s, int key)
{
    enum dialog_result result = dialog_key(&s->dialog, key);
    if (result != DIALOG_SAME)
        s->answer(s, s->answer_context, result == DIALOG_YES);
}

/* ---- what is edited elsewhere ---- */

void screen_edit(struct screen *s, const char *path, screen_answer *done, void *context)
{
    text_copy(s->edit_path, sizeof s->edit_path, path);
    s->edited = done;
    s->edited_context = context;
    screen_want(s, SCREEN_EDIT);
}

const char *screen_edit_path(const struct screen *s)
{
    return s->edit_path;
}

void screen_edited(struct screen *s, bool well)
{
    screen_answer *done = s->edited;
    s->edited = NULL;
    if (done)
        done(s, s->edited_context, well);
}

/* ---- what the shell does the same with ---- */

const char *screen_unreached(const struct screen *s)
{
    return s->demo ? "   (the shell does not reach the demo)" : "";
}

void screen_put_reach(const struct screen *s, struct buffer *out)
{
    const struct config *config = hub_config(s->hub);
    if (config->named) {
        buffer_text(out, " --config");
        order_put_word(out, config->file);
    }
    buffer_text(out, screen_unreached(s));
}

/* ---- leaving ---- */

static void answer_quit(struct screen *s, void *context, bool yes)
{
    (void)context;
    if (yes)
        screen_want(s, SCREEN_QUIT);
}

void screen_quit(struct screen *s)
{
    struct dialog d;
    size_t running = jobs_running(s->jobs);
    if (!running) {
        screen_want(s, SCREEN_QUIT);
        return;
    }
    dialog_init(&d, "Leave signalbox?", false);
    dialog_add(&d, ROLE_TEXT, NULL, "%zu operation%s under way.", running, running == 1 ? " is" : "s are");
    dialog_add(
        &d, ROLE_TEXT, NULL,
        "Whoever leaves ends them: no more messages are begun, those on their way come to their end, the others "
        "stay where they are.");
    dialog_add(&d, ROLE_MUTED, NULL, "The journal (4) keeps what became of each message.");
    dialog_open(&d, "end them and leave");
    screen_ask(s, &d, answer_quit, NULL);
}
