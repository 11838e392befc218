#include "cli/changing.h"

#include "base/json.h"
#include "base/limits.h"
#include "cli/input.h"
#include "engine/archive.h"
#include "engine/message_json.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct import {
    struct cli *cli;
    struct address to;
    const char *file;
    bool archived;
    struct bytes mapped;
    struct archive archive;
    struct input lines;
    struct arena arena;
};

static int fault(const struct import *m, const char *what)
{
    struct err_info err;
    err_set(&err, ERR_IO, "%s", what);
    err_where(&err, "%s", m->file);
    return cli_error(&err);
}

/* By its name, which it has even where it is damaged; or by how it begins, where that can be read once more. */
static bool is_archive(const struct import *m)
{
    const struct input *in = &m->lines;
    uint8_t begin[32];
    size_t len = strlen(m->file);
    if (in->start < 0)
        return false;
    if (len > 4 && strcmp(m->file + len - 4, ".sba") == 0)
        return true;
    ssize_t n = pread(in->fd, begin, sizeof begin, in->start);
    return n > 0 && archive_begins(bytes_of(begin, (size_t)n));
}

/* The file is mapped: its pages come and go, however large it is. */
static int map_file(struct import *m)
{
    struct stat st;
    int fd = m->lines.fd;
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode))
        return fault(m, strerror(S_ISDIR(st.st_mode) ? EISDIR : errno));
    void *data = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (data == MAP_FAILED)
        return fault(m, st.st_size > 0 ? "the file cannot be mapped" : "the file is empty");
    m->mapped = bytes_of(data, (size_t)st.st_size);
    return 0;
}

static int open_archive(struct import *m)
{
    struct err_info err = {.code = ERR_OK};
    int code = map_file(m);
    struct bytes rest = bytes_slice(m->mapped, (size_t)m->lines.start, m->mapped.len);
    if (code || !archive_open(&m->archive, rest, &err))
        return code;
    char where[sizeof err.where];
    memcpy(where, err.where, sizeof where);
    err_where(&err, "%.60s: %.60s", m->file, where);
    return cli_error(&err);
}

/* Out of a pipe: its sum, which stands at its end, would be checked too late. */
static enum err piped_archive(const struct import *m, struct err_info *err)
{
    err_set(err, ERR_USAGE, "this is an archive, which is checked as a whole before any of it is sent");
    err_where(err, "%s", m->lines.name);
    err_next(err, "name its file, or read it from there: import - ADDRESS < FILE.sba");
    return ERR_USAGE;
}

static enum err next_line(struct import *m, struct message *message, struct err_info *err)
{
    struct bytes line;
    enum err e;
    do {
        e = input_line(&m->lines, &line, err);
    } while (!e && line.len == 0);
    arena_reset(&m->arena);
    if (!e && m->lines.line == 1 && archive_begins(line))
        return piped_archive(m, err);
    if (!e && (e = message_from_json(message, line, &m->arena, err)))
        input_where(&m->lines, err);
    if (!e)
        changing_place(message);
    return e;
}

static enum err next(void *context, struct message *message, struct err_info *err)
{
    struct import *m = context;
    return m->archived ? archive_next(&m->archive, message, err) : next_line(m, message, err);
}

static bool start_again(void *context)
{
    struct import *m = context;
    if (m->archived)
        archive_rewind(&m->archive);
    return m->archived || input_rewind(&m->lines);
}

static void put_number(struct json_writer *w, const char *name, int64_t n)
{
    json_name(w, name);
    json_int(w, n);
}

static int print_sum(const struct import *m, const struct change_sum *sum)
{
    struct buffer out;
    struct json_writer w;
    buffer_init(&out, LIMIT_LINE);
    json_write(&w, &out);
    json_object(&w);
    json_name(&w, "schema");
    json_text(&w, "signalbox.import/1");
    json_name(&w, "endpoint");
    json_text(&w, m->to.endpoint->endpoint.name);
    json_name(&w, "channel");
    json_text(&w, m->to.channel.name);
    json_name(&w, "executed");
    json_bool(&w, cli_flag(m->cli, FLAG_EXECUTE));
    put_number(&w, "messages", sum->messages);
    put_number(&w, "confirmed", sum->confirmed);
    put_number(&w, "refused", sum->refused);
    put_number(&w, "unsent", sum->unsent);
    put_number(&w, "unanswered", sum->unanswered);
    json_object_end(&w);
    buffer_byte(&out, '\n');
    int code = cli_print(&out);
    buffer_free(&out);
    return code;
}

static int import_all(struct import *m)
{
    struct err_info err = {.code = ERR_OK};
    if (input_open(&m->lines, m->file, &err))
        return cli_error(&err);
    m->archived = is_archive(m);
    int code = m->archived ? open_archive(m) : 0;
    if (code)
        return code;
    struct changing changing = {.cli = m->cli,
                                .to = &m->to,
                                .flags = PUBLISH_EXACT | PUBLISH_PARTITION,
                                .next = next,
                                .rewind = start_again,
                                .context = m};
    code = cli_flag(m->cli, FLAG_EXECUTE) ? changing_execute(&changing) : changing_rehearse(&changing);
    int printed = cli_flag(m->cli, FLAG_JSON) ? print_sum(m, &changing.sum) : 0;
    return code ? code : printed;
}

static int run(struct cli *c)
{
    struct import m = {.cli = c, .file = c->args[0]};
    arena_init(&m.arena, 2 * LIMIT_MESSAGE);
    int code = cli_address(c, 1, true, &m.to);
    if (!code)
        code = cli_may_change(c, &m.to);
    if (!code)
        code = import_all(&m);
    archive_close(&m.archive);
    if (m.mapped.data)
        munmap((void *)(uintptr_t)m.mapped.data, m.mapped.len);
    input_close(&m.lines);
    arena_free(&m.arena);
    return code;
}

const struct command command_import = {
    .name = "import",
    .args = "FILE|- ADDRESS",
    .purpose = "send what export saved; a dry run until --execute",
    .detail =
        "An archive is checked against its SHA-256; anything else is read as JSON lines. - is the standard input, JSON lines out of a "
        "pipe, or either kind out of a file. Key, headers, properties, payload, "
        "time and partition are sent as they were; nothing is added. All messages and the destination are checked before the first "
        "one is sent; a pipe is sent as it is read. --create makes a missing topic with the partitions that the messages of a file name; "
        "a pipe's cannot be counted before, so that its topic must be there. "
        "--json ends with one object: each of the `messages` that were read is `confirmed`, `refused` (or returned), `unsent`, or "
        "`unanswered`: it may have arrived. Without --execute all are unsent, and `executed` is false.",
    .flags = F(CREATE) | F(JSON) | FLAGS_CHANGE,
    .min_args = 2,
    .max_args = 2,
    .missing = "a file and an address",
    .argument = ARGUMENT_FILE,
    .examples = {{"signalbox import orders.sba test/orders", "what would be sent"},
                 {"signalbox import orders.sba test/orders --execute", "send it"},
                 {"gunzip < a.gz | signalbox import - test/a", "from a pipe"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
