/* What a service answers to a probe, and what is expected of it: the input is, NUL between them, the expected text, the
 * name (a header, a JSON pointer), the headers and the body. No crash, and a reason that can be shown for whatever isn't
 * met. The headers are read as a certificate's date, too. */
#include "fuzz.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "net/certificate.h"
#include "probes/rest_expect.h"

#include <stdlib.h>

/* Up to the next NUL, as a string of its own; *in moves behind it. */
static char *next_text(struct bytes *in)
{
    const void *end = memchr(in->data, 0, in->len);
    size_t len = end ? (size_t)((const uint8_t *)end - in->data) : in->len;
    char *text = fuzz_text(in->data, in->len);
    *in = bytes_slice(*in, len + 1, in->len);
    return text;
}

static void judge(const struct http_response *answer, enum assertion_kind kind, const char *name,
                  const char *text)
{
    const struct assertion x = {kind, name, text};
    char reason[200] = "";
    bool met = rest_expect_met(&x, 1, answer, reason, sizeof reason);
    if (met != (reason[0] == '\0') || memchr(reason, 0, sizeof reason) == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct http_response answer = {.status = 200};
    char *text = next_text(&in), *name = next_text(&in), *headers = next_text(&in);
    buffer_init(&answer.headers, LIMIT_HEADERS);
    buffer_init(&answer.body, LIMIT_PROBE_BODY);
    buffer_text(&answer.headers, headers);
    buffer_bytes(&answer.body, in);
    for (int kind = ASSERT_STATUS; kind <= ASSERT_JSON; kind++)
        judge(&answer, (enum assertion_kind)kind, name, text);
    certificate_time(headers);
    http_response_free(&answer);
    free(text);
    free(name);
    free(headers);
    return 0;
}
