/* The files of the state directory, which anybody may have written to: the input is the text of a mark and of the record of our
 * last look into a queue. What is written is read back the same; whatever stood there, looking goes on, or is refused. */
#include "fuzz.h"

#include "base/mark.h"
#include "base/state.h"
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char in_memory[] = "/dev/shm/sb-fuzz-state-XXXXXX", on_disk[] = "/tmp/sb-fuzz-state-XXXXXX";
static const char *folder;

static void require(int truth)
{
    if (!truth)
        abort();
}

int fsync(int fd) /* in place of the C library's: nothing here has to outlive the machine */
{
    (void)fd;
    return 0;
}

static void remove_folder(void)
{
    char path[STATE_PATH_SIZE];
    DIR *d = state_path(".", path, sizeof path) ? opendir(path) : NULL;
    for (struct dirent *entry; d && (entry = readdir(d));)
        unlinkat(dirfd(d), entry->d_name, 0);
    if (d)
        closedir(d);
    rmdir(path);
    if (state_path("", path, sizeof path))
        rmdir(path);
    rmdir(folder);
}

static void put_file(const char *name, struct bytes text)
{
    char path[STATE_PATH_SIZE];
    require(state_path(name, path, sizeof path) && state_make_folder(path));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len);
    close(fd);
}

/* ---- any file ---- */

static void file_round_trip(const char *text)
{
    char back[512];
    struct err_info err;
    require(state_write("file", text, &err) == ERR_OK);
    require(state_read("file", back, sizeof back) == (*text != '\0'));
    require(strlen(back) == (strlen(text) < sizeof back ? strlen(text) : sizeof back - 1) || !*text);
    require(!*text || strncmp(text, back, strlen(back)) == 0);
}

/* ---- marks ---- */

struct expected {
    const char *text;
    int count;
};

static void compare(void *context, const char *name, const char *text)
{
    struct expected *e = context;
    require(strcmp(name, "m") == 0 && strncmp(text, e->text, strlen(text)) == 0);
    require(strlen(text) == strlen(e->text) || strlen(text) >= 1000);
    e->count++;
}

/* What was left is found until it is ended, and is never taken for a fresh one. */
static void mark_round_trip(struct bytes raw, const char *text)
{
    struct expected expected = {.text = text};
    struct err_info err;
    bool fresh;
    put_file("m.mark", raw);
    int mark = mark_take("m", &fresh, &err);
    require(mark >= 0 && fresh == (raw.len == 0) && mark_left("m") < 0);
    if (fresh)
        require(mark_write(mark, text, &err) == ERR_OK);
    close(mark); /* its owner died */
    mark_each_left(compare, &expected);
    require(expected.count == (raw.len != 0));
    mark = mark_left("m");
    if (mark >= 0)
        mark_end(mark, "m", true);
    require(mark_left("m") < 0);
}

/* ---- looks ---- */

static bool find_look(char *name, size_t size)
{
    char path[STATE_PATH_SIZE];
    bool found = false;
    DIR *d = state_path(".", path, sizeof path) ? opendir(path) : NULL;
    for (struct dirent *entry; d && (entry = readdir(d));)
        if (strncmp(entry->d_name, "look-", 5) == 0)
            found = snprintf(name, size, "%s", entry->d_name) < (int)size;
    if (d)
        closedir(d);
    return found;
}

static void look(struct broker *b, struct bytes raw, int64_t redelivered, int64_t limit)
{
    static char name[64];
    struct rabbit *rabbit = b->state;
    struct rabbit_channel found = {.redelivered = redelivered};
    struct err_info err;
    rabbit->reader->delivery_limit = -1;
    if (!name[0]) /* what it is called is known once there is one */
        require(rabbit_looks_begin(b, "q", &found, &err) == ERR_OK && find_look(name, sizeof name));
    put_file(name, raw);
    rabbit->reader->delivery_limit = limit;
    (void)rabbit_looks_cut_off(b, "q");
    (void)rabbit_looks_are_up(b, "q", &found);
    if (rabbit_looks_begin(b, "q", &found, &err))
        return;
    require(rabbit_looks_cut_off(b, "q"));
    require(rabbit->reader->looks.bound >= 0 && (limit < 0 || rabbit->reader->looks.bound < limit));
    (void)rabbit_looks_saw(rabbit->reader, 1, true);
    rabbit_looks_end(b, true, true);
    require(!rabbit_looks_cut_off(b, "q"));
}

static void looks(struct bytes raw)
{
    static const int64_t limits[] = {-1, 0, 20, INT64_MAX};
    const struct endpoint endpoint = {.name = "r", .url = {.hosts = {{"h", 1}}, .host_count = 1}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rabbit_reader reader = {.queue = "q"};
        struct rabbit rabbit = {.reader = &reader};
        struct broker b = {.endpoint = &endpoint, .state = &rabbit};
        look(&b, raw, raw.len % 2 ? (int64_t)raw.len : COUNT_UNKNOWN, limits[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready) {
        folder = mkdtemp(in_memory) ? in_memory : mkdtemp(on_disk);
        require(folder && setenv("XDG_STATE_HOME", folder, 1) == 0 && atexit(remove_folder) == 0);
        ready = true;
    }
    char *text = fuzz_text(data, size);
    file_round_trip(text);
    mark_round_trip(bytes_of(data, size), text);
    looks(bytes_of(data, size));
    free(text);
    return 0;
}
