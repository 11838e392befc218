/* Why a message died, as brokers and frameworks say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/death.h"

#define TEXT(name, text)                              \
 {                                                    \
  BYTES_LITERAL(name),                                \
  {                                                   \
   .type = VALUE_STRING, .bytes = BYTES_LITERAL(text) \
  }                                                   \
 }

static void rabbitmq_tells_each_queue(void **state)
{
    (void)state;
    char text[200], small[20];
    struct header newest[] = {{BYTES_LITERAL("count"), {.type = VALUE_INT64, .i = 3}},
                              TEXT("reason", "rejected"),
                              TEXT("queue", "orders")};
    struct header oldest[] = {{BYTES_LITERAL("count"), {.type = VALUE_INT64, .i = 1}},
                              TEXT("reason", "expired"),
                              TEXT("queue", "orders.retry")};
    struct header entries[] = {{BYTES_NULL, {.type = VALUE_TABLE, .list = {newest, 3}}},
                               {BYTES_NULL, {.type = VALUE_TABLE, .list = {oldest, 3}}}};
    struct header all[] = {TEXT("x-first-death-reason", "expired"),
                           {BYTES_LITERAL("x-death"), {.type = VALUE_ARRAY, .list = {entries, 2}}}};
    assert_string_equal(death_tell((struct headers){all, 2}, text, sizeof text),
                        "rejected from orders, 3 times; expired from orders.retry");
    assert_string_equal(death_tell((struct headers){all, 2}, small, sizeof small), "rejected from order");
    all[1].value.type = VALUE_BOOL; /* what only looks like it */
    assert_string_equal(death_tell((struct headers){all, 2}, text, sizeof text), "expired");
}

static void others_leave_a_sentence(void **state)
{
    (void)state;
    char text[200];
    struct header spring[] = {TEXT("kafka_dlt-exception-fqcn", "java.lang.X"),
                              TEXT("kafka_dlt-exception-message", "field total missing")};
    assert_string_equal(death_tell((struct headers){spring, 2}, text, sizeof text), "field total missing");
    assert_string_equal(death_tell((struct headers){spring, 0}, text, sizeof text), "");
    assert_string_equal(death_tell((struct headers){NULL, 0}, text, sizeof text), "");
}

static void the_last_death_has_a_reason_and_a_time(void **state)
{
    (void)state;
    struct header newest[] = {TEXT("reason", "rejected"),
                              {BYTES_LITERAL("time"), {.type = VALUE_TIMESTAMP, .u = 1800000000}}};
    struct header entries[] = {{BYTES_NULL, {.type = VALUE_TABLE, .list = {newest, 2}}}};
    struct header all[] = {{BYTES_LITERAL("x-death"), {.type = VALUE_ARRAY, .list = {entries, 1}}},
                           TEXT("x-first-death-reason", "expired"),
                           TEXT("x-exception-message", "no total\nat x")};
    struct header spring[] = {TEXT("kafka_dlt-exception-fqcn",
                                   "org.springframework.kafka.listener.ListenerExecutionFailedException"),
                              TEXT("kafka_dlt-exception-cause-fqcn", "org.acme.Orders$Refused")};
    struct death_why why;
    death_why((struct headers){all, 3}, &why);
    assert_true(bytes_equal_text(why.reason, "rejected"));
    assert_true(bytes_equal_text(why.detail, "no total"));
    assert_true(death_time((struct headers){all, 3}) == INT64_C(1800000000000000000));
    death_why((struct headers){all + 1, 1}, &why);
    assert_true(bytes_equal_text(why.reason, "expired"));
    assert_int_equal(why.detail.len, 0);
    assert_true(death_time((struct headers){all + 1, 1}) == TIME_NONE);
    death_why((struct headers){spring, 2}, &why);
    assert_true(bytes_equal_text(why.reason, "Refused"));
    newest[1].value.u = UINT64_MAX; /* no time that we know */
    assert_true(death_time((struct headers){all, 3}) == TIME_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rabbitmq_tells_each_queue),
        cmocka_unit_test(others_leave_a_sentence),
        cmocka_unit_test(the_last_death_has_a_reason_and_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
