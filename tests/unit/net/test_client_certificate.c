/* What OpenSSL's words for a server's alert mean, in the spellings of its versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "net/client_certificate.h"

static void an_alert_is_read(void **state)
{
    static const char *const expired[] = {
        "Receive failed: error:0A000415:SSL routines::sslv3 alert certificate expired: SSL alert number 45",
        "OpenSSL SSL_read: OpenSSL/3.5.0: error:0A000415:SSL routines::ssl/tls alert certificate expired"};
    struct client_certificate_said said;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(client_certificate_alert(expired[i], true, &said));
        assert_string_equal(said.text, "the server refuses the client certificate: it has expired");
    }
    assert_true(client_certificate_alert("tlsv13 alert certificate required", false, &said));
    assert_string_equal(said.text, "the server demands a client certificate");
    assert_non_null(strstr(said.next, "tls: {cert: FILE, key: FILE}"));
}

static void what_is_about_the_server_is_none(void **state)
{
    static const char *const others[] = {"", "certificate verify failed", "wrong version number",
                                         "sslv3 alert handshake failure", "tlsv1 alert protocol version"};
    struct client_certificate_said said;
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(client_certificate_alert(others[i], false, &said));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_is_read),
        cmocka_unit_test(what_is_about_the_server_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
