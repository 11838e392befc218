/* Which archive is restored, to where, and that it is restored once. */
#include "cli/operate_internal.h"

#include "base/state.h"
#include "base/text.h"
#include "cli/losses_say.h"
#include "operations/archive_file.h"
#include "operations/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *find_archive(struct operating *o)
{
    struct err_info err;
    char *path = archive_find(o->cli->args[0], &err);
    const char *kept = path ? arena_strdup(&o->arena, path) : NULL;
    free(path);
    if (!path)
        cli_error(&err);
    return kept;
}

/* ---- where to ---- */

static const struct endpoint *find_endpoint(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->endpoint_count; i++)
        if (strcmp(config->endpoints[i].endpoint.name, name) == 0)
            return &config->endpoints[i].endpoint;
    return NULL;
}

static const char *origin_address(struct operating *o, const struct archive_header *h)
{
    const struct endpoint *known = find_endpoint(&o->cli->config, h->endpoint);
    if (known && h->url && known->text && strcmp(h->url, known->text) != 0)
        cli_notice(o->cli, "%s was at %s when this was archived, and is at %s now", h->endpoint, h->url,
                   known->text);
    return restore_address(h, &o->arena);
}

int operate_restore_find(struct operating *o)
{
    struct archive_file f;
    struct err_info err = {.code = ERR_OK};
    o->archive_path = find_archive(o);
    if (!o->archive_path)
        return err_exit_code(ERR_NOTFOUND);
    enum err e = archive_file_open(&f, o->archive_path, &err);
    if (!e) {
        o->same_place = !o->to_text;
        if (!o->to_text)
            o->to_text = origin_address(o, &f.archive.header);
        o->archive_sum = arena_strdup(&o->arena, f.sum);
    }
    archive_file_close(&f);
    return e ? cli_error(&err) : 0;
}

/* ---- what its messages want ---- */

static void count_message(struct operating *o, const struct message *m)
{
    const struct position *p = &m->position;
    o->bytes += (int64_t)m->payload.len;
    losses_count(&o->losses, m, o->to.endpoint->broker);
    if (p->kind == POSITION_PARTITION && p->partition >= o->job.plan.partitions)
        o->job.plan.partitions = (int64_t)p->partition + 1;
}

int operate_restore_plan(struct operating *o)
{
    struct archive_file f;
    struct message m;
    struct err_info err = {.code = ERR_OK};
    o->job.plan.from = o->archive_path;
    o->job.plan.sum = o->archive_sum;
    o->job.plan.no_mark = true;
    o->job.plan.same_partitions = o->same_place;
    enum err e = archive_file_open(&f, o->archive_path, &err);
    while (!e) {
        e = archive_next(&f.archive, &m, &err);
        if (!e)
            count_message(o, &m);
    }
    archive_file_close(&f);
    return e == ERR_END ? 0 : cli_error(&err);
}

void operate_restore_say(const struct operating *o, const struct preview *p)
{
    char size[32], there[32];
    losses_say(&o->losses, o->cli, -1, o->to.endpoint->broker, p->carries, false);
    cli_notice(o->cli, "%s of payload, byte for byte, and nothing is added to them",
               text_bytes(size, sizeof size, (uint64_t)o->bytes));
    if (p->there > 0)
        cli_notice(
            o->cli,
            "%s message%s there already: were the restore interrupted, what was on its way would be in doubt "
            "where one with its payload is among them",
            text_count(there, sizeof there, (uint64_t)p->there), p->there == 1 ? " is" : "s are");
}
