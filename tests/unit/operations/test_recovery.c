#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "operations/recovery.h"

/* Letters are identities; a row's state by its letter in `states`: a arrived, i intended, f failed. Returns what became of each found
 * message: r removed, s sent, d in doubt, . not known. */
static const char *match(const char *rows, const char *states, const char *found)
{
    static char said[32];
    struct remembered list[16] = {0};
    struct item items[16] = {0}, *pointers[16];
    struct recovery r = {.rows = list, .count = strlen(rows), .cap = 16};
    size_t count = strlen(found);
    for (size_t i = 0; i < r.count; i++) {
        list[i].sequence = i + 1;
        memset(list[i].identity, rows[i], IDENTITY_SIZE);
        list[i].removable = states[i] == 'a';
        list[i].state = states[i] == 'a'   ? DELIVERY_ARRIVED
                        : states[i] == 'i' ? DELIVERY_INTENDED
                                           : DELIVERY_FAILED;
    }
    for (size_t i = 0; i < count; i++) {
        memset(items[i].identity, found[i], IDENTITY_SIZE);
        items[i].state = DELIVERY_INTENDED;
        pointers[i] = &items[i];
    }
    recovery_match(&r, pointers, count);
    for (size_t i = 0; i < count; i++) {
        said[i] = !items[i].journaled                   ? '.'
                  : items[i].state == DELIVERY_IN_DOUBT ? 'd'
                  : items[i].remove                     ? 'r'
                                                        : 's';
        free(items[i].reason);
    }
    free(r.known);
    said[count] = '\0';
    return said;
}

static void what_came_back_tells_what_was_removed(void **state)
{
    (void)state;
    assert_string_equal(match("abcde", "aaaii", "abcde"), "rrrss");
    assert_string_equal(match("abcde", "aaaii", "cdexy"), "rss..");
    assert_string_equal(match("abcde", "aaaii", "dexyz"), "ss...");
    assert_string_equal(match("abc", "aaa", "xyz"), "...");
    assert_string_equal(match("abc", "aaa", ""), "");
    assert_string_equal(match("de", "ii", "dex"), "ss.");
}

static void what_failed_stands_among_it(void **state)
{
    (void)state;
    assert_string_equal(match("fabgc", "faafi", "fbgcx"), "srss.");
    assert_string_equal(match("fabgc", "faafi", "fgcx"), "sss.");
}

/* Others have taken some, or the order is another one: nothing is removed for its looks. */
static void another_order_leaves_doubts(void **state)
{
    (void)state;
    assert_string_equal(match("abcde", "aaaii", "xcde"), ".dss");
    assert_string_equal(match("abcde", "aaaii", "ced"), "dss");
    assert_string_equal(match("abcde", "aaaii", "cd"), "ds");
}

/* A quorum queue gives back block by block what several channels held: its last ones alone would fit. */
static void what_would_be_gone_and_is_there_is_not_taken_for_gone(void **state)
{
    (void)state;
    assert_string_equal(match("abcde", "aaaaa", "deabc"), "ddddd");
    assert_string_equal(match("abcde", "aaaaa", "dexc"), "dd.d");
    assert_string_equal(match("abcde", "aaaii", "cdea"), "dssd");
    assert_string_equal(match("abcde", "aaaii", "cdex"), "rss.");
}

static void twins_are_told_apart_by_their_neighbours(void **state)
{
    (void)state;
    assert_string_equal(match("abac", "aaai", "acxy"), "rs..");
    assert_string_equal(match("abac", "aaai", "abac"), "rrrs");
    assert_string_equal(match("abac", "aaii", "acz"),
                        "ss."); /* one that was not sent must not pass for its twin that was */
}

static void twins_in_a_row_are_in_doubt(void **state)
{
    (void)state;
    assert_string_equal(match("aaaaa", "aaaii", "aaaa"), "ssdd");
    assert_string_equal(match("aaab", "aaai", "ab"), "rs");
    assert_string_equal(match("aa", "aa", "a"), "d"); /* one of them, or a third that nobody has seen */
    assert_string_equal(match("a", "a", "a"), "r");
}

static void what_the_destination_has_was_sent(void **state)
{
    (void)state;
    struct remembered rows[3] = {{.sequence = 3, .state = DELIVERY_ARRIVED},
                                 {.sequence = 5, .state = DELIVERY_INTENDED},
                                 {.sequence = 9, .state = DELIVERY_INTENDED}};
    struct recovery r = {.rows = rows, .count = 3, .cap = 3};
    assert_true(recovery_asks(&r));
    recovery_arrived(&r, 4);
    recovery_arrived(&r, 9);
    recovery_arrived(&r, 90);
    assert_int_equal(rows[1].state, DELIVERY_INTENDED);
    assert_int_equal(rows[2].state, DELIVERY_ARRIVED);
    recovery_doubt(&r, 0);
    assert_true(rows[1].doubtful);
    assert_false(rows[2].doubtful);
    recovery_arrived(&r, 5);
    assert_false(recovery_asks(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_back_tells_what_was_removed),
        cmocka_unit_test(what_failed_stands_among_it),
        cmocka_unit_test(another_order_leaves_doubts),
        cmocka_unit_test(what_would_be_gone_and_is_there_is_not_taken_for_gone),
        cmocka_unit_test(twins_are_told_apart_by_their_neighbours),
        cmocka_unit_test(twins_in_a_row_are_in_doubt),
        cmocka_unit_test(what_the_destination_has_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
