/* What views share in drawing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "ui/paint.h"

static void an_address_shows_its_end(void **state)
{
    static const struct {
        const char *name;
        int cells;
        const char *shown;
    } rows[] = {
        {"kafka://10.0.0.7:9092", 21, "kafka://10.0.0.7:9092"},
        {"kafka://10.0.0.7:9092", 20, "10.0.0.7:9092"},
        {"kafka://10.0.0.7:9092", 13, "10.0.0.7:9092"},
        {"kafka://10.0.0.7:9092", 12, "….0.0.7:9092"},
        {"kafka://10.0.0.7:9092/orders", 15, "….7:9092/orders"},
        {"kafka://h/日本語", 5, "…本語"},
        {"kafka://h/日本語", 1, "…"},
        {"orders-kafka-of-the-shop", 10,
         "orders-kafka-of-the-shop"}, /* a name's beginning tells: cut where it is drawn */
    };
    char into[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *shown = paint_name(rows[i].name, rows[i].cells, into, sizeof into);
        assert_string_equal(shown, rows[i].shown);
        if (shown == into)
            assert_true((int)utf8_cells(bytes_of_text(shown)) <= rows[i].cells);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_shows_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
