#include "engine/config_internal.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_ARENA     (64 * MIB)
#define WRITER_WITHIN_NS (10 * NS_PER_S)

enum err config_init(struct config *c, struct err_info *err)
{
    *c = (struct config){.store_bytes = LIMIT_STORE_DEFAULT};
    c->arena = malloc(sizeof *c->arena);
    if (!c->arena)
        return err_set(err, ERR_NOMEM, "no memory for a configuration");
    arena_init(c->arena, CONFIG_ARENA);
    c->endpoint_cap = CONFIG_URL_ENDPOINTS;
    c->endpoints = arena_zalloc(c->arena, c->endpoint_cap * sizeof *c->endpoints);
    if (c->endpoints)
        return ERR_OK;
    config_free(c);
    return err_set(err, ERR_NOMEM, "no memory for a configuration");
}

/* Those of addresses live in the arena; they are wiped before the memory goes back. */
static void wipe_passwords(struct config *c)
{
    for (size_t i = 0; i < c->endpoint_count; i++) {
        const char *password = c->endpoints[i].endpoint.password;
        if (password)
            explicit_bzero((char *)(uintptr_t)password, strlen(password));
        secret_forget(&c->endpoints[i].password);
    }
    for (size_t i = 0; c->probe_passwords && i < c->probe_password_count; i++)
        secret_forget(&c->probe_passwords[i]);
}

void config_free(struct config *c)
{
    if (!c->arena)
        return;
    wipe_passwords(c);
    redaction_free(&c->redaction);
    arena_free(c->arena);
    free(c->arena);
    *c = (struct config){0};
}

bool config_path(char *into, size_t size, bool *given)
{
    const char *named = secure_getenv("SIGNALBOX_CONFIG"), *xdg = secure_getenv("XDG_CONFIG_HOME"),
               *home = secure_getenv("HOME");
    *given = named && *named;
    int n;
    if (*given)
        n = snprintf(into, size, "%s", named);
    else if (xdg && *xdg == '/')
        n = snprintf(into, size, "%s/signalbox/config.yaml", xdg);
    else if (home && *home)
        n = snprintf(into, size, "%s/.config/signalbox/config.yaml", home);
    else
        return false;
    return n > 0 && (size_t)n < size;
}

/* ---- passwords ---- */

struct config_password *config_probe_password(const struct config *c, size_t i)
{
    return i < c->probe_password_count ? &c->probe_passwords[i] : NULL;
}

enum err config_secret(struct config *c, struct config_endpoint *e, struct err_info *err)
{
    struct secret own = {0};
    if (e->endpoint.password)
        return ERR_OK;
    enum err failed = secret_get(&e->password, e->endpoint.name, &c->leaving, &own, err);
    if (own.text && !(e->endpoint.password = arena_strdup(c->arena, own.text)))
        failed = err_set(err, ERR_NOMEM, "no memory for a password");
    secret_clear(&own);
    return failed;
}

_Static_assert(offsetof(struct config_endpoint, endpoint) == 0,
               "an endpoint of the configuration begins with it");

enum err config_prepare(void *config, const struct endpoint *e, struct secret *into, struct err_info *err)
{
    struct config *c = config;
    struct config_endpoint *of = (struct config_endpoint *)(uintptr_t)e;
    return secret_get(&of->password, e->name, &c->leaving, into, err);
}

/* ---- the file ---- */

/* Opening does not block, so that a pipe that nobody writes to does not stop the program for ever; its writer may still be on its
 * way, and read answers like the end of a file before it has come. False: nobody has. */
static bool wait_writer(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t until = clock_mono_ns() + WRITER_WITHIN_NS;
    for (;;) {
        int64_t left = until - clock_mono_ns();
        int ready = poll(&p, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
        if (ready >= 0 || errno != EINTR)
            return ready > 0;
    }
}

static enum err reading_failed(struct err_info *err)
{
    bool folder = errno == EISDIR;
    err_set(err, ERR_CONFIG, "%s", strerror(errno));
    err_next(err, folder ? "name the file in it" : "");
    return ERR_CONFIG;
}

/* A writer that is there is waited for, as long as it takes: it may be asking somebody for a passphrase. */
static enum err read_whole(int fd, bool written, struct buffer *text, struct err_info *err)
{
    for (;;) {
        uint8_t *room = buffer_reserve(text, 64 * KIB);
        ssize_t n = room ? read(fd, room, 64 * KIB) : 0;
        if (!room)
            return err_set(err, ERR_CONFIG, "the file is larger than 4 MiB");
        if (n == 0)
            return written ? ERR_OK
                           : err_set(err, ERR_CONFIG, "nobody writes to this pipe; 10 s were waited");
        written = true;
        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
        else if (n < 0 && errno != EINTR)
            return reading_failed(err);
        else if (n > 0)
            text->len += (size_t)n;
    }
}

static enum err read_file(const char *path, struct buffer *text, struct err_info *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        enum err e = err_set(err, ERR_CONFIG, "%s", strerror(errno));
        if (errno == ENOENT)
            err_next(err, "`signalbox init` writes one");
        return e;
    }
    enum err e = ERR_OK;
    bool known = fstat(fd, &st) == 0;
    if (known && S_ISDIR(st.st_mode))
        e = err_set(err, ERR_CONFIG, "this is a directory");
    else
        e = read_whole(fd, !known || !S_ISFIFO(st.st_mode) || wait_writer(fd), text, err);
    close(fd);
    return e;
}

static enum err load_text(struct config *c, struct bytes text, const struct registry *registry,
                          struct config_faults *faults, struct err_info *err)
{
    const struct config_node *root;
    struct config_node at = {0};
    enum err e = config_yaml_parse(text, c->arena, &root, &at.line, &at.column, err);
    if (e) {
        config_fault(faults, &at, "%s", err->text);
        return e;
    }
    if (!root)
        return ERR_OK;
    config_check_tree(root, faults);
    e = config_read_tree(c, root, registry, faults);
    return e ? err_set(err, e, "the configuration needs too much memory") : ERR_OK;
}

static enum err load_file(struct config *c, const char *path, const struct registry *registry,
                          struct config_faults *faults, struct err_info *err)
{
    struct buffer text;
    buffer_init(&text, LIMIT_CONFIG + 64 * KIB);
    enum err e = read_file(path, &text, err);
    if (e)
        config_fault(faults, NULL, "%s%s%s", err->text, err->next[0] ? "; " : "", err->next);
    else
        e = load_text(c, buffer_view(&text), registry, faults, err);
    buffer_free(&text);
    unsigned wrong = faults->count - faults->warnings;
    if (wrong) {
        e = err_set(err, ERR_CONFIG, "%u fault%s in the configuration", wrong, wrong == 1 ? "" : "s");
        err_where(err, "%s", path);
    }
    return e;
}

static enum err load(struct config *c, const char *path, const struct registry *registry,
                     struct config_faults *faults, struct err_info *err)
{
    struct err_info unused = {.code = ERR_OK};
    char found[4096];
    bool given = path != NULL;
    err = err ? err : &unused;
    enum err e = config_init(c, err);
    if (e)
        return e;
    if (!path) {
        if (!config_path(found, sizeof found, &given) || (!given && access(found, F_OK) != 0))
            return ERR_OK;
        path = found;
    }
    c->file = arena_strdup(c->arena, path);
    c->named = path != found;
    if (!c->file)
        return err_set(err, ERR_NOMEM, "no memory for a configuration");
    e = load_file(c, c->file, registry, faults, err);
    config_faults_report(faults, c->file);
    return e;
}

enum err config_load(struct config *c, const char *path, const struct registry *registry,
                     config_report *report, void *context, struct err_info *err)
{
    struct config_faults faults = {.report = report, .context = context};
    return load(c, path, registry, &faults, err);
}

enum err config_check(struct config *c, const char *path, const struct registry *registry,
                      config_report *report, void *context, struct err_info *err)
{
    struct config_faults faults = {.report = report, .context = context, .thorough = true};
    return load(c, path, registry, &faults, err);
}
