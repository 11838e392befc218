/* What probes need: that each name is one, and that they do not need each other in a circle. */
#include "engine/config_internal.h"

#include "base/text.h"

#include <stdio.h>

/* Names under `endpoints` and `probes` as written: a needed one with a fault of its own is not also unknown. */
static size_t all_names(const struct config_node *root, const char **names, size_t size)
{
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        const struct config_node *map = config_get_kind(root, pass ? "probes" : "endpoints", CONFIG_MAP);
        for (size_t i = 0; i < config_count(map) && n + 1 < size; i++)
            if (map->members[i].key->kind == CONFIG_SCALAR)
                names[n++] = map->members[i].key->text;
    }
    names[n] = NULL;
    return n;
}

static void check_need(struct config_reading *r, const char *owner, const char *const *names,
                       const struct config_node *need)
{
    if (need->kind != CONFIG_SCALAR)
        return;
    if (strcmp(need->text, owner) == 0) {
        config_fault(r->faults, need, "`%.60s` needs itself", owner);
        return;
    }
    for (size_t i = 0; names[i]; i++)
        if (strcmp(names[i], need->text) == 0)
            return;
    const char *near = text_nearest(need->text, names);
    config_fault(r->faults, need, "needs: no endpoint or probe is called `%.60s`%s%.60s%s", need->text,
                 near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}

static void check_needs(struct config_reading *r, const struct config_node *root)
{
    const struct config_node *probes = config_get_kind(root, "probes", CONFIG_MAP);
    size_t size = CONFIG_MOST_ENDPOINTS + CONFIG_MOST_PROBES + 1;
    const char **names = config_make(r, size, sizeof *names);
    if (!names || !probes)
        return;
    all_names(root, names, size);
    for (size_t i = 0; i < probes->count && i < CONFIG_MOST_PROBES; i++) {
        const struct config_node *list = config_get_kind(probes->members[i].value, "needs", CONFIG_LIST);
        if (probes->members[i].key->kind != CONFIG_SCALAR)
            continue;
        if (config_count(list) > CONFIG_MOST_NEEDS)
            config_fault(r->faults, list, "needs: more than %d names", CONFIG_MOST_NEEDS);
        for (size_t j = 0; j < config_count(list) && j < CONFIG_MOST_NEEDS; j++)
            check_need(r, probes->members[i].key->text, names, list->members[j].value);
    }
}

/* A walk along `needs` in depth; who is met again while still on the way closes a circle. */
struct circles {
    struct config_reading *reading;
    const struct config_node *probes;
    enum { UNSEEN, ON_THE_WAY, DONE } state[CONFIG_MOST_PROBES];
    size_t way[CONFIG_MOST_PROBES], length;
};

/* SIZE_MAX: no probe, or none that is looked at. */
static size_t probe_called(const struct config_node *probes, const struct config_node *name)
{
    for (size_t i = 0; name->kind == CONFIG_SCALAR && i < probes->count && i < CONFIG_MOST_PROBES; i++) {
        const struct config_node *key = probes->members[i].key;
        if (key->kind == CONFIG_SCALAR && strcmp(key->text, name->text) == 0)
            return i;
    }
    return SIZE_MAX;
}

static void report_circle(const struct circles *c, size_t back_to, const struct config_node *need)
{
    char text[240] = "";
    size_t used = 0, from = c->length;
    while (c->way[--from] != back_to)
        ;
    for (; from < c->length && used + 80 < sizeof text; from++)
        used += (size_t)snprintf(text + used, sizeof text - used, "`%.60s` needs ",
                                 c->probes->members[c->way[from]].key->text);
    config_fault(c->reading->faults, need, "needs go round in a circle: %s%s`%.60s`", text,
                 from < c->length ? "... needs " : "", need->text);
}

static void walk_needs(struct circles *c, size_t probe)
{
    const struct config_node *list = config_get_kind(c->probes->members[probe].value, "needs", CONFIG_LIST);
    c->state[probe] = ON_THE_WAY;
    c->way[c->length++] = probe;
    for (size_t i = 0; i < config_count(list) && i < CONFIG_MOST_NEEDS; i++) {
        const struct config_node *need = list->members[i].value;
        size_t next = probe_called(c->probes, need);
        if (next == SIZE_MAX || next == probe) /* which is said already */
            continue;
        if (c->state[next] == UNSEEN)
            walk_needs(c, next);
        else if (c->state[next] == ON_THE_WAY)
            report_circle(c, next, need);
    }
    c->length--;
    c->state[probe] = DONE;
}

static void check_circles(struct config_reading *r, const struct config_node *root)
{
    const struct config_node *probes = config_get_kind(root, "probes", CONFIG_MAP);
    struct circles *c = config_make(r, 1, sizeof *c);
    if (!c || !probes)
        return;
    c->reading = r;
    c->probes = probes;
    for (size_t i = 0; i < probes->count && i < CONFIG_MOST_PROBES; i++)
        if (c->state[i] == UNSEEN && probes->members[i].key->kind == CONFIG_SCALAR)
            walk_needs(c, i);
}

void config_check_needs(struct config_reading *r, const struct config_node *root)
{
    check_needs(r, root);
    check_circles(r, root);
}
