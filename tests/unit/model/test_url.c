#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "model/endpoint.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct url parsed(const char *text)
{
    struct url u;
    struct err_info err = {0};
    if (url_parse(&u, text, &arena, &err))
        fail_msg("%s: %s", text, err.text);
    return u;
}

static void hosts_ports_and_path(void **state)
{
    (void)state;
    struct url u = parsed("kafka://kafka-1:9092,kafka-2/orders.dlt?registry=http%3A%2F%2Fr%3A1&x");
    assert_string_equal(u.scheme, "kafka");
    assert_int_equal(u.host_count, 2);
    assert_string_equal(u.hosts[0].host, "kafka-1");
    assert_int_equal(u.hosts[0].port, 9092);
    assert_int_equal(u.hosts[1].port, 0);
    assert_string_equal(u.path, "orders.dlt");
    assert_string_equal(url_query(&u, "registry"), "http://r:1");
    assert_string_equal(url_query(&u, "x"), "");
    assert_null(url_query(&u, "y"));
}

static void users_and_vhosts(void **state)
{
    (void)state;
    struct url u = parsed("rabbitmq://ops%40corp@h:5672/%2f/orders%2Fnew");
    assert_string_equal(u.user, "ops@corp");
    assert_string_equal(u.path, "%2f/orders%2Fnew");
    const char *decoded;
    assert_true(url_decode(bytes_of_text("orders%2Fnew"), &arena, &decoded));
    assert_string_equal(decoded, "orders/new");
}

static void addresses_without_a_host(void **state)
{
    (void)state;
    struct url u = parsed("memory:/queue:orders");
    assert_int_equal(u.host_count, 0);
    assert_string_equal(u.path, "queue:orders");
    u = parsed("tcp://[::1]:80");
    assert_string_equal(u.hosts[0].host, "::1");
    assert_int_equal(u.hosts[0].port, 80);
}

static void a_host_has_no_spaces_and_a_url_no_control_characters(void **state)
{
    (void)state;
    struct url u;
    struct err_info err;
    assert_int_equal(url_parse(&u, "kafka://h x:1/t", &arena, &err), ERR_USAGE);
    assert_non_null(strstr(err.text, "a space stands in the name of the host"));
    assert_int_equal(url_parse(&u, "kafka://h:1/t\033[31m", &arena, &err), ERR_USAGE);
    assert_non_null(strstr(err.text, "a control character"));
    assert_int_equal(url_parse(&u, "kafka://me:s3cret@h\a", &arena, &err), ERR_USAGE);
    assert_null(strstr(err.where, "s3cret"));
    assert_string_equal(parsed("rabbitmq://h/v/my queue").path, "v/my queue");
}

static void a_password_is_refused_and_not_repeated(void **state)
{
    (void)state;
    struct url u;
    struct err_info err;
    assert_int_equal(url_parse(&u, "rabbitmq://me:s3cret@h/v", &arena, &err), ERR_USAGE);
    char line[700];
    assert_null(strstr(err_format(&err, line, sizeof line), "s3cret"));
    assert_non_null(strstr(line, "SIGNALBOX_PASSWORD"));
}

static void wrong_addresses_say_what(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "orders",
                                        "://x",
                                        "kafka://h:0",
                                        "kafka://h:99999",
                                        "kafka://h:",
                                        "kafka://[::1",
                                        "kafka://::1:9",
                                        "kafka://h:9x",
                                        "kafka://,h",
                                        "rabbitmq://a%zz@h/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct url u;
        struct err_info err = {0};
        assert_int_equal(url_parse(&u, wrong[i], &arena, &err), ERR_USAGE);
        assert_true(err.text[0] && err.next[0]);
    }
    const char *decoded;
    assert_false(url_decode(bytes_of_text("%0"), &arena, &decoded));
    assert_false(url_decode(bytes_of_text("a%00b"), &arena, &decoded));
}

static void a_channel_is_encoded_and_comes_back(void **state)
{
    (void)state;
    static const char name[] = "a b%c?d/e:\xc3\xbc\n";
    const char *decoded;
    struct buffer b;
    buffer_init(&b, 4096);
    url_encode(&b, name);
    assert_string_equal(buffer_cstr(&b), "a%20b%25c%3Fd/e:\xc3\xbc%0A");
    assert_true(url_decode(buffer_view(&b), &arena, &decoded));
    assert_string_equal(decoded, name);
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hosts_ports_and_path, setup, teardown),
        cmocka_unit_test_setup_teardown(users_and_vhosts, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_without_a_host, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_has_no_spaces_and_a_url_no_control_characters, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_password_is_refused_and_not_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_addresses_say_what, setup, teardown),
        cmocka_unit_test_setup_teardown(a_channel_is_encoded_and_comes_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
