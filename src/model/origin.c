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
    char text[]; /* endpoint and channel, each with its NUL */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct origin_node *origins;
static const struct origin nowhere = {"", "", CHANNEL_ANY};

static struct origin_node *origin_new(const char *endpoint, const char *channel, enum channel_kind kind)
{
    size_t a = strlen(endpoint) + 1, b = strlen(channel) + 1;
    struct origin_node *n = malloc(sizeof *n + a + b);
    if (!n)
        return NULL;
    memcpy(n->text, endpoint, a);
    memcpy(n->text + a, channel, b);
    n->origin = (struct origin){n->text, n->text + a, kind};
    n->next = origins;
    origins = n;
    return n;
}

const struct origin *origin_intern(const char *endpoint, const char *channel, enum channel_kind kind)
{
    pthread_mutex_lock(&lock);
    struct origin_node *n = origins;
    while (n && (n->origin.kind != kind || strcmp(n->origin.endpoint, endpoint) != 0 ||
                 strcmp(n->origin.channel, channel) != 0))
        n = n->next;
    if (!n)
        n = origin_new(endpoint, channel, kind);
    pthread_mutex_unlock(&lock);
    return n ? &n->origin : &nowhere;
}
