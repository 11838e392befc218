/* Duplicates are found exactly: against a plain count, with hashes that collide, with more than memory holds. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "operations/dedupe.h"
#include "registry.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *folder; /* of what is spilled */

struct look {
    struct dedupe_rule *rule;
    struct dedupe *d;
    struct message m; /* the next one */
};

static void begin(struct look *l, const char *rule, struct dedupe_job job)
{
    struct err_info err = {.code = ERR_OK};
    l->rule = dedupe_rule_new(rule, registry.decoders, &err);
    assert_non_null(l->rule);
    job.rule = l->rule;
    l->d = dedupe_new(&job, &err);
    if (!l->d)
        fail_msg("%s", err.text);
    l->m = (struct message){.origin = origin_intern("k", "orders", CHANNEL_TOPIC), .time_ns = TIME_NONE};
}

static void add(struct look *l)
{
    struct err_info err = {.code = ERR_OK};
    struct dedupe_message fed = {.m = &l->m, .shown = &l->m};
    if (dedupe_add(l->d, &fed, &err))
        fail_msg("%s", err.text);
}

static void add_key(struct look *l, const char *key)
{
    l->m.key = bytes_of_text(key);
    add(l);
}

static const struct dedupe_totals *end(struct look *l)
{
    struct err_info err = {.code = ERR_OK};
    enum err e;
    while (!(e = dedupe_step(l->d, 7, &err)))
        ;
    if (e != ERR_END)
        fail_msg("%s", err.text);
    assert_true(dedupe_done(l->d) == 1);
    return dedupe_totals(l->d);
}

static void done(struct look *l)
{
    dedupe_free(&l->d);
    dedupe_rule_free(&l->rule);
}

static const struct dedupe_group *group(const struct look *l, size_t i, const char *value)
{
    assert_true(i < dedupe_group_count(l->d));
    const struct dedupe_group *g = dedupe_group(l->d, i);
    if (!bytes_equal_text(g->value, value))
        fail_msg("group %zu is %.*s, not %s", i, (int)g->value.len, (const char *)g->value.data, value);
    return g;
}

static uint64_t all_the_same(struct bytes value)
{
    (void)value;
    return 42;
}

static uint64_t four_of_them(struct bytes value)
{
    return value.len ? value.data[value.len - 1] % 4 : 0;
}

/* ---- groups ---- */

static void groups_come_in_order(void **state)
{
    (void)state;
    struct look l;
    begin(&l, "key", (struct dedupe_job){.groups = 10});
    static const char *const keys[] = {"b", "once", "a", "b", "", "a", "c", "b", "c", "", "only"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        add_key(&l, keys[i]);
    l.m.key = BYTES_NULL;
    add(&l);
    add(&l);
    const struct dedupe_totals *t = end(&l);
    assert_int_equal(t->messages, 13);
    assert_int_equal(t->without, 2);
    assert_int_equal(t->unique, 6);
    assert_int_equal(t->groups, 4);
    assert_int_equal(t->extras, 5);
    assert_int_equal(t->most, 3);
    assert_int_equal(dedupe_group_count(l.d), 4);
    assert_int_equal(group(&l, 0, "b")->copies, 3);
    assert_int_equal(group(&l, 1, "a")->copies, 2);
    assert_int_equal(group(&l, 2, "")->kept.number, 5);
    const struct dedupe_group *g = group(&l, 3, "c");
    assert_int_equal(g->listed_count, 2);
    assert_int_equal(g->listed[0].number, 7);
    assert_int_equal(g->listed[1].number, 9);
    assert_true(g->first_ns == TIME_NONE);
    done(&l);
}

static void only_the_biggest_are_held(void **state)
{
    (void)state;
    struct look l;
    char key[16];
    begin(&l, "key", (struct dedupe_job){.groups = 3, .hash = four_of_them});
    for (int copies = 1; copies <= 70; copies++)
        for (int i = 0; i < copies; i++) {
            snprintf(key, sizeof key, "k%d", copies);
            add_key(&l, key);
        }
    const struct dedupe_totals *t = end(&l);
    assert_int_equal(t->unique, 70);
    assert_int_equal(t->groups, 69);
    assert_int_equal(t->most, 70);
    assert_int_equal(dedupe_group_count(l.d), 3);
    const struct dedupe_group *g = group(&l, 0, "k70");
    group(&l, 1, "k69");
    group(&l, 2, "k68");
    assert_int_equal(g->listed_count, DEDUPE_COPIES);
    assert_int_equal(g->listed[0].number, 69 * 70 / 2 + 1);
    assert_int_equal(g->listed[DEDUPE_COPIES - 1].number, 70 * 71 / 2); /* the last one, too */
    done(&l);
}

static void times_and_bodies_of_a_group(void **state)
{
    (void)state;
    struct look l;
    static const char *const bodies[] = {"same", "same", "x", "y", "", NULL};
    static const char *const keys[] = {"s", "s", "d", "d", "n", "n"};
    begin(&l, "key", (struct dedupe_job){.groups = 10});
    for (int i = 0; i < 6; i++) {
        l.m.payload = bytes_of_text(bodies[i]);
        l.m.time_ns = i == 2 ? TIME_NONE : 100 - i;
        add_key(&l, keys[i]);
    }
    const struct dedupe_totals *t = end(&l);
    assert_int_equal(t->differ, 2); /* empty and null differ */
    assert_int_equal(t->first_ns, 95);
    assert_int_equal(t->last_ns, 100);
    const struct dedupe_group *g = group(&l, 0, "n"); /* the earliest */
    assert_true(g->bodies_differ);
    g = group(&l, 1, "d");
    assert_true(g->bodies_differ);
    assert_int_equal(g->first_ns, 97);
    assert_int_equal(g->last_ns, 97);
    g = group(&l, 2, "s");
    assert_false(g->bodies_differ);
    assert_int_equal(g->last_ns - g->first_ns, 1);
    done(&l);
}

static uint64_t kept_number(enum dedupe_keep keep, const int32_t *partitions, const int64_t *times)
{
    struct look l;
    begin(&l, "key", (struct dedupe_job){.groups = 1, .keep = keep});
    for (int i = 0; i < 3; i++) {
        l.m.time_ns = times[i];
        if (partitions)
            l.m.position = (struct position){POSITION_PARTITION, partitions[i], 10 + i};
        add_key(&l, "k");
    }
    end(&l);
    uint64_t number = dedupe_group(l.d, 0)->kept.number;
    done(&l);
    return number;
}

static void the_first_or_the_last_is_kept(void **state)
{
    (void)state;
    static const int64_t times[] = {200, 300, 100};
    static const int32_t one[] = {4, 4, 4}, several[] = {4, 5, 6};
    assert_int_equal(kept_number(DEDUPE_KEEP_FIRST, NULL, times), 1); /* a queue's own order */
    assert_int_equal(kept_number(DEDUPE_KEEP_LAST, NULL, times), 3);
    assert_int_equal(kept_number(DEDUPE_KEEP_FIRST, one, times), 1); /* a partition's own order */
    assert_int_equal(kept_number(DEDUPE_KEEP_LAST, one, times), 3);
    assert_int_equal(kept_number(DEDUPE_KEEP_FIRST, several, times), 3); /* else time */
    assert_int_equal(kept_number(DEDUPE_KEEP_LAST, several, times), 2);
}

static void what_may_not_be_shown_is_not(void **state)
{
    (void)state;
    struct look l;
    struct message shown;
    struct err_info err;
    begin(&l, "key", (struct dedupe_job){.groups = 10});
    for (int i = 0; i < 4; i++) {
        l.m.key = bytes_of_text(i < 2 ? "secret-1" : "secret-2");
        shown = l.m;
        shown.key = BYTES_LITERAL("[redacted]");
        struct dedupe_message fed = {.m = &l.m, .shown = i < 3 ? &shown : &l.m};
        assert_int_equal(dedupe_add(l.d, &fed, &err), ERR_OK);
    }
    assert_int_equal(end(&l)->groups, 2); /* although all look the same */
    assert_true(group(&l, 0, "")->hidden);
    assert_true(group(&l, 1, "")->hidden);
    done(&l);
}

static void what_is_not_whole_is_not_judged(void **state)
{
    (void)state;
    struct look l;
    begin(&l, "body", (struct dedupe_job){.groups = 10});
    l.m.payload = BYTES_LITERAL("cut");
    l.m.flags = MESSAGE_TRUNCATED;
    add(&l);
    add(&l);
    l.m.flags = MESSAGE_REDACTED;
    add(&l);
    add(&l);
    const struct dedupe_totals *t = end(&l);
    assert_int_equal(t->unknown, 4);
    assert_int_equal(t->groups, 0);
    done(&l);
}

/* ---- exactness ---- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *state >> 33;
}

/* Keys that share all but one byte, of lengths around that which is still sorted whole. */
static struct bytes make_value(uint8_t *into, unsigned kind)
{
    static const size_t lengths[] = {
        0, 1, 8, 9, 100, DEDUPE_INLINE - 1, DEDUPE_INLINE, DEDUPE_INLINE + 1, 65536, 65537, 131073};
    size_t len = lengths[kind % 11];
    memset(into, 'x', len);
    if (len)
        into[kind / 11 % 2 ? 0 : len - 1] = (uint8_t)(kind / 22);
    return bytes_of(into, len);
}

/* Every kind so often as it was added, and never with another one. */
static void count_kinds(uint64_t (*hash)(struct bytes), size_t memory, int rounds, unsigned kinds)
{
    static uint8_t value[140000];
    uint64_t counts[400] = {0}, random = 11, groups = 0, unique = 0, extras = 0;
    struct look l;
    assert_true(kinds <= 400);
    begin(&l, "body", (struct dedupe_job){.groups = DEDUPE_GROUPS, .hash = hash, .memory = memory});
    for (int i = 0; i < rounds; i++) {
        unsigned kind = (unsigned)(next_random(&random) % kinds);
        if (kind % 11 == 0)
            kind = 0; /* the empty one is one */
        l.m.payload = make_value(value, kind);
        l.m.payload.data = l.m.payload.data ? l.m.payload.data : value;
        counts[kind]++;
        add(&l);
    }
    const struct dedupe_totals *t = end(&l);
    for (unsigned kind = 0; kind < kinds; kind++) {
        /* Length 1 has one place for its byte. */
        if (kind % 11 == 1 && kind / 11 % 2)
            counts[kind - 11] += counts[kind], counts[kind] = 0;
    }
    for (unsigned kind = 0; kind < kinds; kind++) {
        unique += counts[kind] > 0;
        groups += counts[kind] > 1;
        extras += counts[kind] > 1 ? counts[kind] - 1 : 0;
    }
    assert_int_equal(t->unique, unique);
    assert_int_equal(t->groups, groups);
    assert_int_equal(t->extras, extras);
    assert_int_equal(t->differ, 0);
    for (size_t i = 0; i < dedupe_group_count(l.d); i++)
        assert_int_equal(dedupe_group(l.d, i)->value.len, dedupe_group(l.d, i)->value_len > DEDUPE_INLINE
                                                              ? DEDUPE_INLINE
                                                              : dedupe_group(l.d, i)->value_len);
    done(&l);
}

static void no_hash_decides(void **state)
{
    (void)state;
    count_kinds(NULL, 0, 600, 220);
    count_kinds(all_the_same, 0, 600, 220);
    count_kinds(four_of_them, 0, 600, 220);
}

static size_t files_in(const char *path)
{
    DIR *d = opendir(path);
    size_t n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* Numbers: of 120,000 messages each third stands there twice, in a memory that holds some thousand. */
static void more_than_memory_holds(void **state)
{
    (void)state;
    enum { MESSAGES = 120000 };
    uint64_t (*hashes[])(struct bytes) = {NULL, four_of_them};
    for (int h = 0; h < 2; h++) {
        struct look l;
        char key[24];
        begin(&l, "key", (struct dedupe_job){.groups = 50, .hash = hashes[h], .memory = 2 * MIB});
        for (int i = 0; i < MESSAGES; i++) {
            snprintf(key, sizeof key, "key-%d", i % 3 == 2 ? i - 1 : i);
            add_key(&l, key);
        }
        assert_int_equal(files_in(folder), 0); /* nothing is left, whenever it is killed */
        const struct dedupe_totals *t = end(&l);
        assert_int_equal(t->unique, MESSAGES / 3 * 2);
        assert_int_equal(t->groups, MESSAGES / 3);
        assert_int_equal(t->extras, MESSAGES / 3);
        for (size_t i = 0; i < 50; i++) {
            snprintf(key, sizeof key, "key-%zu", i * 3 + 1);
            assert_int_equal(group(&l, i, key)->kept.number, i * 3 + 2);
        }
        done(&l);
    }
}

static void a_full_disk_is_said(void **state)
{
    (void)state;
    struct rlimit before, small = {8192, 8192};
    struct err_info err = {.code = ERR_OK};
    struct look l;
    char key[24];
    enum err e = ERR_OK;
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    begin(&l, "key", (struct dedupe_job){.memory = 2 * MIB});
    setrlimit(RLIMIT_FSIZE, &small);
    for (int i = 0; i < 100000 && !e; i++) {
        struct dedupe_message fed = {.m = &l.m, .shown = &l.m};
        snprintf(key, sizeof key, "%d", i);
        l.m.key = bytes_of_text(key);
        e = dedupe_add(l.d, &fed, &err);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(e, ERR_IO);
    if (!strstr(err.text, folder) || !strstr(err.next, "TMPDIR"))
        fail_msg("%s %s", err.text, err.next);
    done(&l);
}

static void nowhere_to_spill_is_said(void **state)
{
    (void)state;
    struct look l;
    struct err_info err = {.code = ERR_OK};
    static uint8_t large[1000];
    begin(&l, "body", (struct dedupe_job){.groups = 1});
    l.m.payload = bytes_of(large, sizeof large);
    setenv("TMPDIR", "/nonexistent", 1);
    struct dedupe_message fed = {.m = &l.m, .shown = &l.m};
    assert_int_equal(dedupe_add(l.d, &fed, &err), ERR_IO);
    setenv("TMPDIR", folder, 1);
    done(&l);
}

/* ---- the extras ---- */

static void extras_of_partitions(void **state)
{
    (void)state;
    struct dedupe_extras *e = dedupe_extras_new(false);
    struct look l;
    static const char *const keys[] = {"a", "b", "a", "b", "c", "a"};
    begin(&l, "key", (struct dedupe_job){.extras = e});
    for (int i = 0; i < 6; i++) {
        l.m.position = (struct position){POSITION_PARTITION, 1, 100 + i};
        add_key(&l, keys[i]);
    }
    end(&l);
    assert_int_equal(dedupe_extras_count(e), 3);
    for (int i = 0; i < 6; i++)
        assert_int_equal(dedupe_extras_judge(e, (struct position){POSITION_PARTITION, 1, 100 + i}, NULL),
                         i == 2 || i == 3 || i == 5 ? EXTRA_IS : EXTRA_NOT);
    done(&l);
    dedupe_extras_free(&e);
}

static enum extra judge(struct dedupe_extras *e, const struct message *m)
{
    uint8_t identity[IDENTITY_SIZE];
    assert_int_equal(identity_of(m, NULL, identity, NULL), ERR_OK);
    return dedupe_extras_judge(e, m->position, identity);
}

static void extras_of_a_queue(void **state)
{
    (void)state;
    struct dedupe_extras *e = dedupe_extras_new(false);
    struct look l;
    static const char *const keys[] = {"a", "b", "a", "a", "c", "a"}, *const bodies[] = {"1", "1", "2",
                                                                                         "1", "1", "2"};
    begin(&l, "key", (struct dedupe_job){.extras = e, .differing = true});
    for (int i = 0; i < 6; i++) {
        l.m.payload = bytes_of_text(bodies[i]);
        add_key(&l, keys[i]);
    }
    end(&l);
    assert_int_equal(dedupe_extras_count(e), 3);
    for (int i = 0; i < 6; i++) {
        l.m.key = bytes_of_text(keys[i]);
        l.m.payload = bytes_of_text(bodies[i]);
        assert_int_equal(judge(e, &l.m), i == 2 || i == 3 || i == 5 ? EXTRA_IS : EXTRA_NOT);
    }
    assert_int_equal(judge(e, &l.m), EXTRA_NOT); /* one more, which came later */
    done(&l);
    dedupe_extras_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_come_in_order),
        cmocka_unit_test(only_the_biggest_are_held),
        cmocka_unit_test(times_and_bodies_of_a_group),
        cmocka_unit_test(the_first_or_the_last_is_kept),
        cmocka_unit_test(what_may_not_be_shown_is_not),
        cmocka_unit_test(what_is_not_whole_is_not_judged),
        cmocka_unit_test(no_hash_decides),
        cmocka_unit_test(more_than_memory_holds),
        cmocka_unit_test(a_full_disk_is_said),
        cmocka_unit_test(nowhere_to_spill_is_said),
        cmocka_unit_test(extras_of_partitions),
        cmocka_unit_test(extras_of_a_queue),
    };
    static char path[300];
    const char *given = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/dedupe-XXXXXX", given && *given ? given : "/tmp");
    folder = mkdtemp(path);
    if (!folder)
        return 1;
    setenv("TMPDIR", folder, 1);
    signal(SIGXFSZ, SIG_IGN);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
