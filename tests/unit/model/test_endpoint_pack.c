/* An endpoint that goes to a guard as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/endpoint.h"

#include <string.h>

static void it_comes_back_as_it_was(void **state)
{
    (void)state;
    const struct endpoint e = {.text = "rabbitmqs://guest@[::1]:5671,b:5672",
                               .vhost = "/a b",
                               .username = "us=er",
                               .password = "100% secret\n=&?",
                               .management = "https://m:15671",
                               .tls = {.on = true, .ca = "/etc/a ca.pem"}};
    struct endpoint back;
    struct buffer text;
    struct arena arena;
    struct err_info err = {0};
    buffer_init(&text, 4096);
    arena_init(&arena, 65536);
    endpoint_pack(&e, &text);
    if (endpoint_unpack(&back, buffer_view(&text), &arena, &err))
        fail_msg("%s", err.text);
    assert_string_equal(back.text, e.text);
    assert_int_equal(back.url.host_count, 2);
    assert_string_equal(back.url.hosts[0].host, "::1");
    assert_string_equal(back.vhost, e.vhost);
    assert_string_equal(back.username, e.username);
    assert_string_equal(back.password, e.password);
    assert_string_equal(back.management, e.management);
    assert_string_equal(back.tls.ca, e.tls.ca);
    assert_null(back.tls.cert);
    assert_true(back.tls.on);
    assert_false(back.tls.insecure);
    for (size_t len = 0; len < text.len; len++) /* what is cut off is none, and is never read beyond */
        assert_int_equal(endpoint_unpack(&back, bytes_of(text.data, len), &arena, &err), ERR_FORMAT);
    arena_free(&arena);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_comes_back_as_it_was)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
