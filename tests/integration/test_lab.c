/* The lab itself: its variables are there, and the fault proxy spoils what it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/lab.h"

static void servers_answer(void **state)
{
    char command[256], out[256];
    (void)state;
    snprintf(command, sizeof command, "curl -s -m 5 %s/health", lab_need("SB_HTTP"));
    assert_int_equal(lab_shell(command, out, sizeof out), 0);
    assert_non_null(strstr(out, "\"UP\""));
}

static void kafka_answers(void **state)
{
    char command[256], out[4096];
    (void)state;
    snprintf(command, sizeof command, "kcat -b %s -L -m 10", lab_need("SB_KAFKA"));
    assert_int_equal(lab_shell(command, out, sizeof out), 0);
    assert_non_null(strstr(out, "1 brokers"));
}

static void rabbit_answers(void **state)
{
    char command[256], out[4096];
    (void)state;
    snprintf(command, sizeof command, "curl -s -m 10 -u %s:%s %s/api/whoami", lab_need("SB_RABBIT_USER"),
             lab_need("SB_RABBIT_PASSWORD"), lab_need("SB_RABBIT_MGMT"));
    assert_int_equal(lab_shell(command, out, sizeof out), 0);
    assert_non_null(strstr(out, "administrator"));
}

static void proxy_spoils(void **state)
{
    struct lab_chaos chaos;
    char command[256];
    (void)state;
    assert_true(lab_chaos_start(&chaos, strstr(lab_need("SB_HTTP"), "127.")));
    snprintf(command, sizeof command, "curl -s -o /dev/null -m 2 http://%s/health", chaos.address);
    assert_int_equal(lab_shell(command, NULL, 0), 0);
    assert_true(lab_chaos(&chaos, "refuse"));
    assert_int_not_equal(lab_shell(command, NULL, 0), 0);
    assert_true(lab_chaos(&chaos, "accept"));
    assert_true(lab_chaos(&chaos, "stall"));
    assert_int_equal(lab_shell(command, NULL, 0), 28);
    assert_true(lab_chaos(&chaos, "resume"));
    assert_int_equal(lab_shell(command, NULL, 0), 0);
    assert_false(lab_chaos(&chaos, "nonsense"));
    lab_chaos_stop(&chaos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_answer),
        cmocka_unit_test(kafka_answers),
        cmocka_unit_test(rabbit_answers),
        cmocka_unit_test(proxy_spoils),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
