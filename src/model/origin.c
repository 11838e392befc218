/* Channel kinds and interned origins. Origins are few (one a channel that was read), so one locked table that only grows
 * serves; what a message carries is then a pointer that is never freed. */
#include "model/message.h"

#include <pthread.h>
#include <stdlib.h>

static const char *const kind_names[CHANNEL_KINDS] = {"",       "queue", "topic", "exchange",
                                                      "stream", "sub",   "pull"};

const char *channel_kind_name(enum channel_kind kind)
{
    return (unsigned)kind < CHANNEL_KINDS ? kind_names[kind] : "";
}

enum channel_kind channel_kind_parse(const char *text, const char **name)
{
    const char *colon = strchr(text, ':');
    for (unsigned i = 1; colon && i < CHANNEL_KINDS; i++) {
        size_t len = strlen(kind_names[i]);
        if ((size_t)(colon - text) == len && memcmp(text, kind_names[i], len) == 0) {
            *name = colon + 1;
            return (enum channel_kind)i;
        }
    }
    *name = text;
    return CHANNEL_ANY;
}

struct origin_node {
    struct origin origin;
    struct origin_node *next;
    char text[]; /* its strings, each with its NUL */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct origin_node *origins;
static const struct origin nowhere = {"", "", CHANNEL_ANY, NULL, NULL};

static size_t text_size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *put(char **at, const char *text)
{
    size_t size = text_size_of(text);
    char *copy = *at;
    if (!text)
        return NULL;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

static struct origin_node *origin_new(const struct origin *o)
{
    struct origin_node *n = malloc(sizeof *n + text_size_of(o->endpoint) + text_size_of(o->channel) +
                                   text_size_of(o->decode) + text_size_of(o->type));
    if (!n)
        return NULL;
    char *at = n->text;
    n->origin.endpoint = put(&at, o->endpoint);
    n->origin.channel = put(&at, o->channel);
    n->origin.kind = o->kind;
    n->origin.decode = put(&at, o->decode);
    n->origin.type = put(&at, o->type);
    n->next = origins;
    origins = n;
    return n;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_origin(const struct origin *a, const struct origin *b)
{
    return a->kind == b->kind && same_text(a->endpoint, b->endpoint) && same_text(a->channel, b->channel) &&
           same_text(a->decode, b->decode) && same_text(a->type, b->type);
}

const struct origin *origin_intern_rule(const struct origin *wanted)
{
    pthread_mutex_lock(&lock);
    struct origin_node *n = origins;
    while (n && !same_origin(&n->origin, wanted))
        n = n->next;
    if (!n)
        n = origin_new(wanted);
    pthread_mutex_unlock(&lock);
    return n ? &n->origin : &nowhere;
}

const struct origin *origin_intern(const char *endpoint, const char *channel, enum channel_kind kind)
{
    return origin_intern_rule(&(struct origin){.endpoint = endpoint, .channel = channel, .kind = kind});
}
