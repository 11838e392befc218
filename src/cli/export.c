/* Written as FILE.part, synced, renamed: under its own name a file is whole. */
#include "cli/reading.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/listing.h"
#include "cli/output.h"
#include "engine/archive.h"
#include "engine/message_json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct export
{
    struct cli *cli;
    struct address address;
    const char *file;
    char part[4096];
    bool lines; /* NDJSON instead of an archive */
    int fd;
    struct archive_writer writer; /* during the reading: the worker's */
};

/* On the worker; one address, so one lane: the bytes are summed in the order in which they are written. */
static void encode(void *context, struct buffer *out, const struct message *m)
{
    struct export *x = context;
    if (!x->lines) {
        archive_message(&x->writer, out, m);
        return;
    }
    message_json(out, m, x->cli->registry->decoders, 0);
    buffer_byte(out, '\n');
}

static int fault(const struct export *x, const char *what)
{
    struct err_info err;
    err_set(&err, ERR_IO, "%s: %s", what, strerror(errno));
    err_where(&err, "%s", x->file);
    return cli_error(&err);
}

static int exists(const struct export *x, const char *what, const char *next)
{
    struct err_info err;
    err_set(&err, ERR_EXISTS, "%s", what);
    err_where(&err, "%s", x->file);
    err_next(&err, "%s", next);
    return cli_error(&err);
}

/* The part is its opener's as long as it is locked; what a killed export left is taken over. Another export may have ended between
 * opening and locking: then what was opened has another name by now. */
static int own_part(struct export *x)
{
    struct stat opened, named;
    bool locked = flock(x->fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK)
        return fault(x, "cannot be locked");
    if (!locked || fstat(x->fd, &opened) != 0 || stat(x->part, &named) != 0 ||
        opened.st_ino != named.st_ino || opened.st_dev != named.st_dev)
        return exists(x, "another export is writing this file", "wait for it, or choose another name");
    if (lstat(x->file, &named) == 0) { /* asked while nobody else can bring it about */
        unlink(x->part);
        return exists(x,
                      access(x->file, F_OK) == 0 ? "the file exists already"
                                                 : "this is a link to a file that is not there",
                      "move it away or choose another name");
    }
    return ftruncate(x->fd, 0) == 0 ? 0 : fault(x, "cannot be written");
}

/* 0600: payloads are nobody else's business. */
static int open_part(struct export *x)
{
    if (snprintf(x->part, sizeof x->part, "%s.part", x->file) >= (int)sizeof x->part)
        return cli_usage("the file's name is too long");
    x->fd = open(x->part, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return x->fd < 0 ? fault(x, "cannot be written") : own_part(x);
}

static void put_plan(struct buffer *plan, const struct export *x)
{
    static const enum flag said[] = {FLAG_FROM, FLAG_LIMIT, FLAG_WHERE, FLAG_PARTITION, FLAG_UNCOMMITTED};
    struct json_writer w;
    json_write(&w, plan);
    json_object(&w);
    json_name(&w, "kind");
    json_text(&w, "export");
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        if (!cli_flag(x->cli, said[i]))
            continue;
        json_name(&w, flag_rows[said[i]].name);
        if (flag_rows[said[i]].kind == FLAG_ON)
            json_bool(&w, true);
        else
            json_text(&w, cli_text(x->cli, said[i]));
    }
    json_object_end(&w);
}

static int write_part(struct export *x, struct buffer *text)
{
    struct err_info err = {.code = ERR_OK};
    if (!buffer_ok(text))
        err_set(&err, ERR_NOMEM, "no memory for the archive");
    else if (!output_write(x->fd, buffer_view(text), &err))
        return 0;
    err_where(&err, "%s", x->part);
    return cli_error(&err);
}

static int begin(struct export *x)
{
    struct buffer head, plan;
    struct err_info err = {.code = ERR_OK};
    buffer_init(&head, 2 * MIB);
    buffer_init(&plan, MIB);
    put_plan(&plan, x);
    struct archive_header header = {.endpoint = x->address.endpoint->endpoint.name,
                                    .url = x->address.endpoint->endpoint.text,
                                    .channel = x->address.channel.name,
                                    .kind = x->address.channel.kind,
                                    .created_ns = clock_wall_ns(),
                                    .plan = buffer_view(&plan)};
    int code = archive_begin(&x->writer, &head, &header, &err) ? cli_error(&err) : write_part(x, &head);
    buffer_free(&head);
    buffer_free(&plan);
    return code;
}

static int end(struct export *x)
{
    struct buffer tail;
    int code = 0;
    buffer_init(&tail, 4096);
    if (!x->lines) {
        archive_end(&x->writer, &tail);
        code = write_part(x, &tail);
    }
    buffer_free(&tail);
    return code;
}

/* The name is on disk before the command says done. */
static int publish_name(struct export *x)
{
    char folder[4096];
    const char *slash = strrchr(x->file, '/');
    if (fsync(x->fd) != 0)
        return fault(x, "syncing failed");
    if (rename(x->part, x->file) != 0)
        return fault(x, "renaming failed");
    if (slash)
        text_copy_bytes(folder, sizeof folder,
                        bytes_of(x->file, slash == x->file ? 1 : (size_t)(slash - x->file)));
    else
        text_copy(folder, sizeof folder, ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    return 0;
}

static void say_unwritten(const struct export *x, const struct reading_result *r)
{
    char scanned[32], total[32] = "an unknown number of";
    text_count(scanned, sizeof scanned, (uint64_t)r->scanned);
    if (r->total >= 0)
        text_count(total, sizeof total, (uint64_t)r->total);
    if (reading_has_begun(r))
        cli_note("%s: not written, since the export ended after %s of %s%s messages: %s%s", x->file, scanned,
                 r->total_upper ? "at most " : "", total, r->stopped,
                 r->code == err_exit_code(ERR_TIMEOUT) ? ". Next: allow more time: --timeout" : "");
    else
        cli_note("%s: not written, since the export did not begin", x->file);
}

static int export_all(struct export *x, struct reading *reading)
{
    struct reading_result result;
    int code = listing_announce_effect(x->cli, &x->address);
    if (!code && !x->lines)
        code = begin(x);
    if (code)
        return code;
    reading->fd = x->fd;
    reading_run(reading, &result);
    code = result.code;
    if (code)
        say_unwritten(x, &result);
    else
        code = end(x);
    if (!code && reading->expression && !result.written) {
        reading_say_scanned(x->cli, &result);
        cli_notice(x->cli, "%s: not written, since nothing matched", x->file);
        return reading_exit_code(reading, &result);
    }
    if (!code)
        code = publish_name(x);
    if (code)
        return code;
    if (result.incomplete)
        cli_note("%s: not all of the channel is in it", x->file);
    cli_notice(x->cli, "%s: %" PRId64 " message%s, stopped because %s", x->file, result.written,
               result.written == 1 ? "" : "s", *result.stopped ? result.stopped : "the end was reached");
    return reading_exit_code(reading, &result);
}

static int run(struct cli *c)
{
    struct export x = {.cli = c, .file = c->args[1]};
    struct reading reading;
    size_t len = strlen(x.file);
    x.lines = len > 6 && strcmp(x.file + len - 6, ".jsonl") == 0;
    int code = reading_init_stored(&reading, c, NULL, &x.address);
    if (!code && !x.lines && !(len > 4 && strcmp(x.file + len - 4, ".sba") == 0))
        code = cli_usage("`%s`: name it FILE.sba (an archive) or FILE.jsonl (JSON lines)", x.file);
    if (!code)
        code = open_part(&x);
    if (code)
        return code;
    reading.progress = true;
    reading.whole = !x.lines;
    reading.encode = encode;
    reading.context = &x;
    if (!reading.expression)
        reading.scan_limit = reading.limit;
    code = export_all(&x, &reading);
    archive_end(&x.writer, NULL);
    if (code)
        unlink(x.part); /* while it is locked: after that it may be another's */
    close(x.fd);
    return code;
}

const struct command command_export = {
    .name = "export",
    .args = "ADDRESS FILE",
    .purpose = "save stored messages to a file, lossless",
    .detail =
        "FILE.sba is an archive: header, messages byte for byte, SHA-256 at the end. FILE.jsonl is one JSON object a message, "
        "as browse --json prints it; both keep everything, but what `redact` hides is in the archive alone. "
        "The file appears under its name only when it is whole; exit 6 says that the broker gave not all of the channel.",
    .flags = FLAGS_READING | F(INTERNAL),
    .min_args = 2,
    .max_args = 2,
    .missing = "an address and a file",
    .argument = ARGUMENT_FILE,
    .examples = {{"signalbox export k/orders orders.sba", "the whole channel"},
                 {"signalbox export q/dead dead.jsonl", "as JSON lines"},
                 {"signalbox export k/orders late.sba --where 'age>1h'", "a selection"}},
    .exits = "0 1 2 4 5 6 7 8 130",
    .run = run,
};
