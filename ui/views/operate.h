/* The insides of an operation's form, shared by its files: fields (operate_form.c), dry run and confirmation (operate.c), what the
 * dry run tells (operate_tell.c), drawing (operate_draw.c). Floor 5. */
#ifndef SIGNALBOX_UI_VIEWS_OPERATE_H
#define SIGNALBOX_UI_VIEWS_OPERATE_H

#include "base/state.h"
#include "operations/dead_letter.h"
#include "operations/edit.h"
#include "ui/form.h"
#include "ui/views/change.h"

#define OPERATE_ARCHIVES 7 /* that a form offers */
#define OPERATE_REASONS  6

/* Fields, by their labels. */
#define OPERATE_TO  "To"
#define OPERATE_HOW "Method"
#define OPERATE_WHY "Reasons"
#define OPERATE_BY  "By"

struct operate {
    enum operation_kind kind;
    struct change_target target;
    char *archives; /* of a restore: paths, each with its NUL */
    const char *paths[OPERATE_ARCHIVES + 1];
    struct form form;
    struct buffer
        edited; /* of a resend: a payload for the place of the one message's own, while it has a digest */
    char edits[EDIT_DIGEST_SIZE];
    enum edit_form edited_as;
    char edit_path[STATE_PATH_SIZE + 40]; /* the editor's file; "": none */
    struct arena arena;                   /* the order's texts */
    struct order order;                   /* as the fields say it */
    bool whole;                           /* they do, without a fault */
    struct job *job;                      /* its dry run; NULL: none yet */
    struct job_status seen;
    struct err_info err; /* why there is none */
    /* Of a replay: the reasons that can be picked, as the first look found them, behind "all". */
    char reasons[OPERATE_REASONS][REASON_SIZE];
    size_t reason_count;
    size_t example; /* of the groups that would be sent: whose example's headers are shown */
    /* Of what the dry run tells: the first line that is shown, and how many were drawn last, and not. */
    size_t top, shown, hidden;
};

/* The fields of its kind, filled in as the argument says. */
void operate_fields(struct operate *o, const struct operate_argument *a);
/* The order that the fields make; what is wrong stands in their faults. */
void operate_read(struct view *v);
/* What is known of it, line by line; labels are static. */
typedef void operate_line(void *context, enum role role, const char *label, const char *text);
void operate_tell(struct view *v, operate_line *line, void *context);
/* Of a replay: the group whose example is shown; NULL: there is none. *count: among how many that would be sent. */
const struct reason_group *operate_example(const struct operate *o, size_t *count);
/* Whose headers change: "o-88412, one of 1,046 rejected"; then which, a line each, without a label. */
void operate_tell_headers(const struct operate *o, char *whose, size_t size, operate_line *line,
                          void *context);
/* "1,204 messages", "all messages" */
char *operate_count(const struct operate *o, char *into, size_t size);
const char *operate_verb(const struct operate *o); /* what it does to them: "move", "remove" */
/* Its command, as far as the fields make one; "" they do not. */
const char *operate_command(struct view *v, struct buffer *into);
/* The payload of the one message of a resend, in the editor (operate_payload.c). */
void operate_payload(struct view *v);
void operate_changed(struct view *v); /* the fields say another thing: another dry run */
void operate_draw(struct view *v, struct frame *f, struct rect r);

#endif
