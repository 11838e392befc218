/* Changes: the menu that X opens (change.c), and the form of one operation with its dry run (operate.c, operate_draw.c). Floor 5. */
#ifndef SIGNALBOX_UI_VIEWS_CHANGE_H
#define SIGNALBOX_UI_VIEWS_CHANGE_H

#include "base/limits.h"
#include "ui/screen.h"

#define CHANGE_SELECTED 100 /* messages that can be chosen one by one */

enum change_of { CHANGE_CHANNEL, CHANGE_MESSAGES, CHANGE_OPERATION };

/* What is to be changed. */
struct change_target {
    enum change_of of;
    struct address address; /* of the channel; of an operation zeroed */
    struct channel channel; /* as it is listed */
    bool listed;
    char select[LIMIT_FILTER]; /* of messages: what takes these and no others */
    size_t messages;
    char untold[160];           /* why they cannot be told from others; "" they can */
    char id[OPERATION_ID_SIZE]; /* of an operation */
};

/* What is written for a channel: with its kind where its name alone would not do. False: no memory. */
bool change_address(struct screen *s, const struct config_endpoint *e, const char *name,
                    enum channel_kind kind, struct change_target *target);
/* These messages, of one channel; NULL entries are passed over. False, after a word, where they are of several. */
bool change_messages(struct screen *s, const struct message *const *messages, size_t count,
                     struct change_target *target);

/* What the form of an operation is opened with. */
struct operate_argument {
    enum operation_kind kind;
    struct change_target target;
    char to[600];
    const char *archives; /* of a restore: a path, or a line each */
    /* What its fields begin with: by label, a line's text (NULL: a switch that is on, the other choice). */
    struct {
        const char *label, *text;
    } presets[12];
    size_t preset_count;
};

/* What the report of duplicates is opened with. */
struct dedupe_argument {
    struct address channel;
    char by[200]; /* the rule */
    bool marks;   /* looking leaves a mark on messages */
    bool keeps;   /* nothing is removed there one by one: a copy without the extras is what can be made */
};

/* Is it known that nothing is removed there one by one? */
static inline bool change_keeps(const struct change_target *t)
{
    return t->listed && t->channel.why_not[CAN_REMOVE];
}

/* What a report of duplicates begins with: Kafka's messages have no ids, and share their keys on purpose. */
static inline const char *change_rule(const struct change_target *t)
{
    return t->listed && t->channel.kind == CHANNEL_TOPIC ? "body" : "id";
}

#endif
