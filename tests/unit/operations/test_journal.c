#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/state.h"
#include "base/text.h"
#include "engine/db.h"
#include "operations/journal.h"

static char home[64];
static struct journal *journal;

static int setup(void **state)
{
    (void)state;
    struct err_info err = {.code = ERR_OK};
    snprintf(home, sizeof home, "/tmp/signalbox-journal-XXXXXX");
    if (!mkdtemp(home) || setenv("XDG_STATE_HOME", home, 1))
        return -1;
    journal = journal_open(&err);
    return journal ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    journal_close(&journal);
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

static void open_again(void)
{
    journal_close(&journal);
    journal = journal_open(NULL);
    assert_non_null(journal);
}

static struct journal_operation create(const char *id)
{
    struct journal_operation o = {.kind = OPERATION_MOVE,
                                  .state = OPERATION_RUNNING,
                                  .from = "r/orders",
                                  .who = "ana",
                                  .plan = BYTES_LITERAL("{}"),
                                  .created_ns = 17,
                                  .counts = {.planned = 3}};
    snprintf(o.id, sizeof o.id, "%s", id);
    assert_int_equal(journal_create(journal, &o, NULL), ERR_OK);
    return o;
}

static void put(int64_t number, uint64_t sequence, enum delivery state)
{
    struct journal_message m = {.sequence = sequence,
                                .state = state,
                                .identity = {1, 2, 3},
                                .from = {POSITION_PARTITION, 2, (int64_t)sequence * 10},
                                .size = 7,
                                .label = BYTES_LITERAL("o-1"),
                                .destination = "queue:orders"};
    assert_int_equal(journal_put(journal, number, &m, NULL), ERR_OK);
}

static void an_operation_comes_back_whole(void **state)
{
    (void)state;
    struct arena arena;
    struct journal_operation o = create("abc1"), found;
    arena_init(&arena, MIB);
    o.state = OPERATION_PARTIAL;
    o.ended_ns = 18;
    o.note = "5 failed in a row";
    o.counts = (struct operation_counts){3, 1, 0, 2, 0};
    assert_int_equal(journal_update(journal, &o, NULL), ERR_OK);
    open_again();
    assert_int_equal(journal_find(journal, "abc", &arena, &found, NULL), ERR_OK);
    assert_int_equal(found.number, o.number);
    assert_int_equal(found.kind, OPERATION_MOVE);
    assert_int_equal(found.state, OPERATION_PARTIAL);
    assert_string_equal(found.from, "r/orders");
    assert_null(found.to);
    assert_string_equal(found.who, "ana");
    assert_true(bytes_equal_text(found.plan, "{}"));
    assert_string_equal(found.note, "5 failed in a row");
    assert_int_equal(found.created_ns, 17);
    assert_int_equal(found.ended_ns, 18);
    assert_int_equal(found.counts.failed, 2);
    arena_free(&arena);
}

static void an_id_is_found_by_its_beginning(void **state)
{
    (void)state;
    struct arena arena;
    struct journal_operation found;
    struct err_info err = {.code = ERR_OK};
    arena_init(&arena, MIB);
    create("abc");
    create("abcd");
    create("xyz");
    assert_int_equal(journal_find(journal, "x", &arena, &found, &err), ERR_OK);
    assert_int_equal(journal_find(journal, "abc", &arena, &found, &err), ERR_OK); /* the whole of one */
    assert_string_equal(found.id, "abc");
    assert_int_equal(journal_find(journal, "ab", &arena, &found, &err), ERR_USAGE);
    assert_int_equal(journal_find(journal, "q", &arena, &found, &err), ERR_NOTFOUND);
    assert_int_equal(journal_find(journal, "", &arena, &found, &err), ERR_NOTFOUND);
    arena_free(&arena);
}

static bool take_id(void *context, const struct journal_operation *o)
{
    size_t used = strlen(context);
    snprintf((char *)context + used, 64 - used, "%s", o->id);
    return o->id[0] != 'b';
}

static void operations_come_newest_first(void **state)
{
    (void)state;
    char ids[64] = "";
    create("a");
    create("b");
    create("c");
    assert_int_equal(journal_operations(journal, take_id, ids, NULL), ERR_OK);
    assert_string_equal(ids, "cb");
    ids[0] = '\0'; /* a visit that was broken off leaves nothing behind */
    assert_int_equal(journal_operations(journal, take_id, ids, NULL), ERR_OK);
    assert_string_equal(ids, "cb");
}

static void what_was_not_synced_is_gone(void **state)
{
    (void)state;
    struct journal_totals totals;
    struct journal_operation o = create("a");
    put(o.number, 1, DELIVERY_INTENDED);
    put(o.number, 2, DELIVERY_INTENDED);
    assert_int_equal(journal_sync(journal, NULL), ERR_OK);
    assert_int_equal(journal_mark(journal, o.number, 1, DELIVERY_DONE, (struct position){0}, NULL, NULL),
                     ERR_OK);
    put(o.number, 3, DELIVERY_INTENDED);
    open_again();
    assert_int_equal(journal_count(journal, o.number, &totals, NULL), ERR_OK);
    assert_int_equal(totals.of[DELIVERY_INTENDED], 2);
    assert_int_equal(totals.of[DELIVERY_DONE], 0);
    assert_int_equal(totals.last, 2);
}

struct seen {
    size_t count;
    struct journal_message last;
    char reason[40];
};

static bool see(void *context, const struct journal_message *m)
{
    struct seen *seen = context;
    seen->count++;
    seen->last = *m;
    snprintf(seen->reason, sizeof seen->reason, "%s", m->reason ? m->reason : "");
    assert_string_equal(m->destination, "queue:orders");
    assert_true(bytes_equal_text(m->label, "o-1"));
    assert_int_equal(m->size, 7);
    return true;
}

static void a_message_keeps_where_it_came_from_and_went(void **state)
{
    (void)state;
    struct seen seen = {.count = 0};
    struct journal_operation o = create("a");
    put(o.number, 1, DELIVERY_INTENDED);
    put(o.number, 2, DELIVERY_INTENDED);
    put(o.number, 3, DELIVERY_INTENDED);
    assert_int_equal(journal_mark(journal, o.number, 1, DELIVERY_ARRIVED,
                                  (struct position){.kind = POSITION_OFFSET, .offset = 99}, NULL, NULL),
                     ERR_OK);
    assert_int_equal(
        journal_mark(journal, o.number, 2, DELIVERY_FAILED, (struct position){0}, "unroutable", NULL),
        ERR_OK);
    assert_int_equal(journal_mark_range(journal, o.number, 1, 3, DELIVERY_ARRIVED, DELIVERY_DONE, NULL),
                     ERR_OK);
    assert_int_equal(journal_forget(journal, o.number, 3, NULL), ERR_OK);
    assert_int_equal(journal_sync(journal, NULL), ERR_OK);
    assert_int_equal(journal_messages(journal, o.number, 1U << DELIVERY_DONE, see, &seen, NULL), ERR_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.last.sequence, 1);
    assert_int_equal(seen.last.from.kind, POSITION_PARTITION);
    assert_int_equal(seen.last.from.partition, 2);
    assert_int_equal(seen.last.from.offset, 10);
    assert_int_equal(seen.last.arrived.kind, POSITION_OFFSET);
    assert_int_equal(seen.last.arrived.offset, 99);
    assert_int_equal(seen.last.identity[2], 3);
    assert_int_equal(journal_messages(journal, o.number, ~0U, see, &seen, NULL), ERR_OK);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.last.sequence, 2);
    assert_string_equal(seen.reason, "unroutable");
    assert_int_equal(seen.last.arrived.kind, POSITION_NONE);
}

static bool one_event(void *context, const struct journal_event *e)
{
    snprintf(context, 64, "%s %s %s", e->who, e->what, e->text);
    return false;
}

/* Its row says nothing of that before its end. */
static void what_was_interrupted_is_counted_by_its_messages(void **state)
{
    (void)state;
    struct journal_operation o = create("a");
    for (uint64_t i = 1; i <= 5; i++)
        put(o.number, i, i < 4 ? DELIVERY_DONE : i == 4 ? DELIVERY_SKIPPED : DELIVERY_INTENDED);
    assert_int_equal(journal_recount(journal, &o, NULL), ERR_OK);
    assert_int_equal(o.counts.done, 3);
    assert_int_equal(o.counts.skipped, 1);
    assert_int_equal(o.counts.planned, 3);
    o.ended_ns = 9;
    o.counts.done = 17;
    assert_int_equal(journal_recount(journal, &o, NULL), ERR_OK);
    assert_int_equal(o.counts.done, 17);
}

static void unlocking_is_noted(void **state)
{
    (void)state;
    char text[64] = "";
    struct journal_event e = {1, "ana", "bastion", "unlock", "prod for 15 min"};
    assert_int_equal(journal_note(journal, &e, NULL), ERR_OK);
    e.at_ns = 2;
    e.who = "bob";
    assert_int_equal(journal_note(journal, &e, NULL), ERR_OK);
    open_again();
    assert_int_equal(journal_events(journal, one_event, text, NULL), ERR_OK);
    assert_string_equal(text, "bob unlock prod for 15 min");
}

static void two_may_write(void **state)
{
    (void)state;
    struct journal *other = journal_open(NULL);
    struct journal_totals totals;
    struct journal_operation o = create("a");
    put(o.number, 1, DELIVERY_INTENDED);
    assert_int_equal(journal_count(other, o.number, &totals, NULL), ERR_OK); /* a reader waits for nobody */
    assert_int_equal(totals.last, 0);
    assert_int_equal(journal_sync(journal, NULL), ERR_OK);
    struct journal_operation mine = {.kind = OPERATION_COPY, .id = "b"};
    assert_int_equal(journal_create(other, &mine, NULL), ERR_OK);
    assert_true(mine.number > o.number);
    journal_close(&other);
}

static void run_sql(struct db *db, const char *sql)
{
    struct db_statement *s = db_prepare(db, sql, NULL);
    assert_non_null(s);
    assert_int_equal(db_run(s, NULL), ERR_OK);
    db_finish(&s);
}

static bool one_message(void *context, const struct journal_message *m)
{
    struct journal_message *into = context;
    *into = *m;
    into->label = into->taken_off = into->content = BYTES_NULL;
    assert_true(bytes_equal_text(m->label, "o-1"));
    assert_null(m->taken_off.data);
    return true;
}

/* As it was before it kept the headers that are taken off. */
static void an_older_file_is_brought_up_to_date(void **state)
{
    (void)state;
    static const char *const no_steps[] = {"SELECT 1", "SELECT 1", NULL};
    char path[STATE_PATH_SIZE];
    struct journal_operation o = create("a");
    struct journal_message m = {.sequence = 0};
    put(o.number, 1, DELIVERY_DONE);
    assert_int_equal(journal_sync(journal, NULL), ERR_OK);
    journal_close(&journal);
    assert_true(state_path("journal.db", path, sizeof path));
    struct db *db = db_open(path, no_steps, NULL);
    assert_non_null(db);
    run_sql(db, "ALTER TABLE message DROP COLUMN taken_off");
    run_sql(db, "ALTER TABLE message DROP COLUMN content");
    run_sql(db, "ALTER TABLE operation DROP COLUMN verified");
    run_sql(db, "PRAGMA user_version=1");
    db_close(&db);
    open_again();
    assert_int_equal(journal_messages(journal, o.number, ~0U, one_message, &m, NULL), ERR_OK);
    assert_int_equal(m.sequence, 1);
    put(o.number, 2, DELIVERY_DONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_operation_comes_back_whole),
        TEST(an_id_is_found_by_its_beginning),
        TEST(operations_come_newest_first),
        TEST(what_was_not_synced_is_gone),
        TEST(a_message_keeps_where_it_came_from_and_went),
        TEST(what_was_interrupted_is_counted_by_its_messages),
        TEST(unlocking_is_noted),
        TEST(two_may_write),
        TEST(an_older_file_is_brought_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
