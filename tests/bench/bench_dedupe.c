/* Duplicates among 10,000,000 keys, exact, against `sort | uniq -d` on the same keys in the same run; each in a process of its own, with
 * its peak memory. The keys are a UUID's length; one in twenty stands there twice, some many times. */
#include "base/clock.h"
#include "operations/dedupe.h"
#include "registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t messages = 10000000;

static uint64_t mix(uint64_t n)
{
    n = (n ^ n >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    n = (n ^ n >> 27) * UINT64_C(0x94D049BB133111EB);
    return n ^ n >> 31;
}

enum { KEY = 36 };

/* As a UUID is written. */
static void make_key(uint64_t i, char key[KEY])
{
    uint64_t n = i % 20 == 7 ? i - 1 : i % 100000 == 3 ? 3 : i, bits = mix(n);
    for (int at = 0, digit = 0; at < KEY; at++) {
        bool dash = at == 8 || at == 13 || at == 18 || at == 23;
        key[at] = dash ? '-' : "0123456789abcdef"[bits >> 4 * (digit % 16) & 15];
        digit += !dash;
        if (digit == 16 && !dash)
            bits = mix(~n);
    }
}

static void dedupe(void)
{
    struct err_info err = {.code = ERR_OK};
    struct dedupe_rule *rule = dedupe_rule_new("key", registry.decoders, &err);
    struct dedupe_job job = {.rule = rule, .groups = 20};
    struct dedupe *d = dedupe_new(&job, &err);
    struct message m = {.origin = origin_intern("k", "orders", CHANNEL_TOPIC),
                        .payload = BYTES_LITERAL("{\"total\":100}")};
    char key[KEY];
    enum err e = d ? ERR_OK : err.code;
    for (uint64_t i = 0; i < messages && !e; i++) {
        make_key(i, key);
        m.key = bytes_of(key, KEY);
        m.position = (struct position){POSITION_PARTITION, (int32_t)(i % 4), (int64_t)i / 4};
        m.time_ns = (int64_t)i * NS_PER_MS;
        struct dedupe_message fed = {.m = &m, .shown = &m};
        e = dedupe_add(d, &fed, &err);
    }
    while (!e)
        e = dedupe_step(d, 100000, &err);
    if (e != ERR_END) {
        fprintf(stderr, "dedupe: %s\n", err.text);
        exit(1);
    }
    const struct dedupe_totals *t = dedupe_totals(d);
    printf("%" PRIu64 " groups, %" PRIu64 " extras, at most %" PRIu64 " copies", t->groups, t->extras,
           t->most);
    fflush(stdout);
}

static void write_keys(const char *path)
{
    FILE *f = fopen(path, "w");
    char key[KEY];
    for (uint64_t i = 0; f && i < messages; i++) {
        make_key(i, key);
        fprintf(f, "%.*s\n", KEY, key);
    }
    if (!f || fclose(f)) {
        perror(path);
        exit(1);
    }
}

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

/* Seconds; the child's own peak, or that of its largest child. */
static double measure(const char *name, const char *command)
{
    struct rusage usage;
    int status = 0;
    int64_t start = clock_mono_ns();
    printf("  dedupe: %-34s ", name);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (command)
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        else
            dedupe();
        _exit(command ? 127 : 0);
    }
    wait4(pid, &status, 0, &usage);
    double s = (double)(clock_mono_ns() - start) / NS_PER_S;
    printf("%s%6.2f s (%.1f s of processors), peak %.0f MiB\n", command ? "" : ", ", s,
           seconds(&usage.ru_utime) + seconds(&usage.ru_stime), (double)usage.ru_maxrss / 1024);
    if (status)
        exit(1);
    return s;
}

int main(void)
{
    const char *folder = getenv("TMPDIR");
    char path[512], command[1200];
    snprintf(path, sizeof path, "%s/bench-keys-%d", folder && *folder ? folder : "/tmp", (int)getpid());
    if (!folder || !*folder)
        setenv("TMPDIR", "/tmp", 1); /* both on the same disk */
    double ours = measure("10,000,000 keys by signalbox:", NULL);
    write_keys(path);
    snprintf(command, sizeof command,
             "LC_ALL=C sort -S 256M %s | uniq -d | wc -l | sed 's/$/ groups, /' | tr -d '\\n'", path);
    double peer = measure("the same by sort -S 256M | uniq -d:", command);
    unlink(path);
    printf("  dedupe: ratio %.2f\n", peer / ours);
    return 0;
}
