/* Edit and resend: the payload of one message, as text that can be encoded back, in the operator's own editor. */
#include "ui/views/operate.h"

#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MOST (6 * PLAN_PAYLOAD_MOST)

/* Why not; NULL: it can be. */
static const char *why_not(const struct view *v)
{
    const struct operate *o = v->state;
    const struct message *m = o->seen.preview.first;
    if (o->kind != OPERATION_RESEND)
        return "A payload is edited when one message is resent: X s on it";
    if (o->seen.state != JOB_READY || !o->job)
        return "The dry run has not ended: it finds the message";
    if (o->seen.could_look)
        return "Look first (r): that finds the message";
    if (o->seen.preview.matched != 1 || !m)
        return "An edited payload is for one message: select one";
    if (m->payload.len > PLAN_PAYLOAD_MOST)
        return "It is too large to be edited";
    return NULL;
}

/* What is hidden can neither be shown in an editor nor be left out of what is sent. */
static bool is_hidden(const struct view *v, const struct message *m)
{
    const struct redaction *rules = hub_config(v->hub)->redaction;
    struct redactor *r = rules ? redactor_new(rules) : NULL;
    if (!rules)
        return false;
    const struct message *shown = r ? redactor_apply(r, m) : NULL;
    bool hidden = !shown || !bytes_equal(shown->payload, m->payload);
    redactor_free(&r);
    return hidden;
}

/* In the state directory: nobody else may read what it has. */
static bool write_file(struct operate *o, struct bytes payload, enum edit_form form)
{
    char begin[STATE_PATH_SIZE];
    struct buffer text;
    const char *end = form == EDIT_JSON ? ".json" : ".txt";
    if (state_check(NULL) || !state_path("edit-XXXXXX", begin, sizeof begin))
        return false;
    snprintf(o->edit_path, sizeof o->edit_path, "%s%s", begin, end);
    int fd = mkstemps(o->edit_path, (int)strlen(end));
    if (fd < 0) {
        o->edit_path[0] = '\0';
        return false;
    }
    buffer_init(&text, TEXT_MOST);
    edit_write(payload, form, &text);
    size_t at = 0;
    ssize_t n = 0;
    while (buffer_ok(&text) && at < text.len && (n = write(fd, text.data + at, text.len - at)) > 0)
        at += (size_t)n;
    bool ok = buffer_ok(&text) && at == text.len;
    buffer_free(&text);
    close(fd);
    return ok;
}

static bool read_file(const char *path, struct buffer *into)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0) {
        uint8_t *room = buffer_reserve(into, 64 * KIB);
        n = room ? read(fd, room, 64 * KIB) : -1;
        if (n > 0)
            into->len += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    return n == 0;
}

static void forget_file(struct operate *o)
{
    if (o->edit_path[0])
        unlink(o->edit_path);
    o->edit_path[0] = '\0';
}

static void take(struct view *v, const struct message *m)
{
    struct operate *o = v->state;
    struct err_info err = {.code = ERR_OK};
    struct buffer text, payload;
    buffer_init(&text, TEXT_MOST);
    buffer_init(&payload, PLAN_PAYLOAD_MOST);
    enum err e = read_file(o->edit_path, &text)
                     ? edit_read(buffer_view(&text), o->edited_as, m->payload, &payload, &err)
                     : err_set(&err, ERR_IO, "what was edited cannot be read");
    if (e) {
        screen_say_err(v->screen, &err);
    } else if (bytes_equal(buffer_view(&payload), m->payload)) {
        o->edits[0] = '\0';
        screen_say(v->screen, SEVERITY_INFO, "The payload was left as it was");
    } else {
        edit_digest(m->payload, o->edits);
        buffer_clear(&o->edited);
        buffer_bytes(&o->edited, buffer_view(&payload));
        screen_say(v->screen, SEVERITY_INFO, "Edited as %s: %zu bytes, where there were %zu",
                   edit_form_name(o->edited_as), payload.len, m->payload.len);
    }
    buffer_free(&text);
    buffer_free(&payload);
    if (!e)
        operate_changed(v);
}

static void edited(struct screen *s, void *context, bool well)
{
    struct view *v = context;
    struct operate *o = v->state;
    if (well && screen_top(s) == v && o->job && o->seen.preview.first)
        take(v, o->seen.preview.first);
    forget_file(o);
}

void operate_payload(struct view *v)
{
    struct operate *o = v->state;
    const char *why = why_not(v);
    const struct message *m = o->seen.preview.first;
    if (why) {
        screen_say(v->screen, SEVERITY_WARN, "%s", why);
        return;
    }
    if (is_hidden(v, m)) {
        screen_say(v->screen, SEVERITY_WARN,
                   "`redact` hides a part of this payload: it cannot be shown in an editor");
        return;
    }
    struct bytes now =
        o->edits[0] ? buffer_view(&o->edited) : m->payload; /* once more: what was written before */
    o->edited_as = edit_form_of(m->payload);
    if (write_file(o, now, o->edited_as)) {
        screen_edit(v->screen, o->edit_path, edited, v);
        return;
    }
    screen_say(v->screen, SEVERITY_CRIT, "No file for the editor: %s", strerror(errno));
    forget_file(o);
}
