/* One rule, and what becomes of a payload under it. */
#ifndef TESTS_UNIT_ENGINE_REDACT_RIG_H
#define TESTS_UNIT_ENGINE_REDACT_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "engine/redact.h"
#include "registry.h"

#include <string.h>

static struct redaction *rules;
static struct redactor *redactor;

static void hide(enum redact_kind kind, const char *text)
{
    struct err_info err;
    struct redact_rule rule = {kind, text};
    rules = redaction_new(&rule, 1, registry.decoders, &err);
    assert_non_null(rules);
    redactor = redactor_new(rules);
}

static int teardown(void **state)
{
    (void)state;
    redactor_free(&redactor);
    redaction_free(&rules);
    return 0;
}

static void expect(const char *payload, const char *hidden)
{
    struct message m = {.payload = bytes_of_text(payload)};
    const struct message *out = redactor_apply(redactor, &m);
    assert_int_equal(out->payload.len, strlen(hidden));
    assert_memory_equal(out->payload.data, hidden, out->payload.len);
    assert_int_equal(out->flags, strcmp(payload, hidden) ? MESSAGE_REDACTED : 0);
}

#define UNREAD "[redacted: cannot be read to its end, so that its fields cannot be told apart]"

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

#endif
