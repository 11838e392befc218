#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "engine/filter.h"
#include "registry.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

static int64_t now;

static const struct header death_entry[] = {
    {BYTES_LITERAL("reason"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("rejected")}}};
static const struct header deaths[] = {{BYTES_NULL, {.type = VALUE_TABLE, .list = {death_entry, 1}}}};
static const struct header headers[] = {
    {BYTES_LITERAL("x-tenant"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("acme")}},
    {BYTES_LITERAL("x-tenant"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("globex")}},
    {BYTES_LITERAL("retries"), {.type = VALUE_INT32, .i = 7}},
    {BYTES_LITERAL("x-death"), {.type = VALUE_ARRAY, .list = {deaths, 1}}},
    {BYTES_LITERAL("ratio"), {.type = VALUE_DOUBLE, .f = 0.1}},
};
static const struct header properties[] = {
    {BYTES_LITERAL("content_type"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("application/json")}}};

static struct message order(void)
{
    return (struct message){
        .origin = origin_intern("k", "orders", CHANNEL_TOPIC),
        .position = {POSITION_PARTITION, 3, 10482},
        .time_ns = now - 10 * 60 * NS_PER_S,
        .key = BYTES_LITERAL("o-88412"),
        .payload = BYTES_LITERAL(
            "{\"order\":{\"total\":100.50,\"id\":9007199254740993,\"lines\":[{\"sku\":\"A-77\"},{\"sku\":\"B-02\"}]},"
            "\"name\":\"Zo\\u00eb\",\"state\":\"NEW\",\"gone\":null,\"k.z\":[{\"a b\":5}]}"),
        .headers = {headers, 5},
        .properties = {properties, 1},
        .flags = MESSAGE_REDELIVERED,
    };
}

static bool matches(const char *text)
{
    struct err_info err = {0};
    struct message m = order();
    struct filter *f = filter_new(text, FILTER_MESSAGES, registry.decoders, NULL, &err);
    if (!f)
        fail_msg("%s: %s: %s", text, err.where, err.text);
    bool hit = filter_message(f, &m, now) == FILTER_YES;
    filter_free(&f);
    return hit;
}

static int setup(void **state)
{
    (void)state;
    now = clock_wall_ns();
    return 0;
}

static void these_match(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "",
        "  ",
        "o-88412",
        "acme",
        "zoë",
        "Zoë",
        "new",
        "NEW",
        "'NEW'",
        "/a-7[0-9]/",
        "!test",
        "channel=orders",
        "src=orders",
        "src=k/orders",
        "src~k/ord",
        "endpoint=k",
        "flags=redelivered",
        "flags!=uncommitted",
        "partition=3",
        "off>10000",
        "offset=10482",
        "position=3/10482",
        "key=o-88412",
        "key~o-88",
        "age<15m",
        "age>5m",
        "size<10k",
        "size>0.1k",
        "format=json",
        "fmt=json",
        "headers.x-tenant=acme",
        "hdr.x-tenant=globex",
        "headers.retries>6",
        "headers.retries=7.0",
        "headers.ratio=0.1",
        "headers.none!=x",
        "!headers.none=x",
        "properties.content_type~json",
        "body.order.total>100",
        "body.order.total=100.5",
        "body.order.total<=100.50",
        "body.order.id=9007199254740993",
        "body.order.id>9007199254740992",
        "body.order.lines[*].sku=B-02",
        "body.order.lines[1].sku=B-02",
        "body.name=Zoë",
        "body.state=NEW",
        "body.missing!=1",
        "body.missing!~1",
        "body.\"k.z\"[0].\"a b\"=5",
        "body.gone=null",
        "dlq.reason=rejected",
        "redelivered=true",
        "redelivered=yes",
        "dup=false",
        "body~/\"total\":1/",
        "time>-1h",
        "time~/T.*Z$/",
        "time~20",
        "test|acme",
        "(test|acme) key~o-",
        "headers.x-tenant=acme body.order.total>100 age<15m !test",
        "!(test nothing)",
        "'o-88412'",
        "body.state~/^N.W$/",
        "endpoint=k",
        "body.order.lines~A-77",
        "body.order.id == 9007199254740993",
        "body.order.total > 100 acme",
        "key =o-88412",
        "key= o-88412",
        "key != x",
        "partition == 3 | nothing",
    };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!matches(yes[i]))
            fail_msg("%s does not match", yes[i]);
}

static void these_do_not(void **state)
{
    (void)state;
    static const char *const no[] = {
        "nothing",
        "'new'",
        "New",
        "/xyz/",
        "!acme",
        "channel=payments",
        "src=q/orders",
        "src~k",
        "flags=uncommitted",
        "partition!=3",
        "off<10000",
        "key=O-88412",
        "age>15m",
        "size>10k",
        "format=text",
        "headers.x-tenant=none",
        "headers.none=x",
        "headers.none>1",
        "headers.retries<6",
        "body.order.total>100.50",
        "body.order.id=9007199254740992",
        "body.order.lines[2].sku=B-02",
        "body.missing=1",
        "body.missing<1",
        "body.state=new",
        "dlq.reason=expired",
        "redelivered=false",
        "time<-1h",
        "test|nothing",
        "acme test",
        "headers.x-tenant!=acme",
        "http://acme",
        "orders:x",
        "acme <orders>",
        "body.order.id == 1",
    };
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (matches(no[i]))
            fail_msg("%s matches", no[i]);
}

static void faults_have_a_caret_and_a_word(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t caret;
        const char *says;
    } faults[] = {
        {"totl>100", 0, "unknown field `totl`"},
        {"acme kye=1", 5, "did you mean `key`?"},
        {"bdoy.big=1", 0, "did you mean `body.big`?"},
        {"header.x-t=1", 0, "did you mean `headers.x-t`?"},
        {"headers=1", 0, "did you mean `headers.NAME`?"},
        {"body.=1", 0, "did you mean `body.PATH`?"},
        {"(a", 0, "not closed"},
        {"a)", 1, "closes nothing"},
        {"a |", 3, "a term is wanted"},
        {"| a", 0, "a term is wanted"},
        {"/[/", 0, "regular expression"},
        {"'abc", 0, "not closed"},
        {"size>abc", 5, "a size"},
        {"age<soon", 4, "a duration"},
        {"time>yesterday", 5, "a time"},
        {"key=", 4, "a value is wanted"},
        {"body.a[x]=1", 5, "path"},
        {"size>/a/", 5, "no order"},
        {"size~abc", 5, "a size"},
        {"size=/1/", 5, "a size"},
        {"age!~/m/", 5, "a duration"},
        {"xpath('/a')", 0, "xpath"},
        {"nosuch == 3", 0, "unknown field `nosuch`"},
        {"acme kye = 1", 5, "did you mean `key`?"},
        {"key = ", 6, "a value is wanted"},
        {"body.n >=", 9, "a value is wanted"},
        {"nosuch >", 0, "unknown field `nosuch`"},
        {"partition=x", 10, "a number"},
        {"redelivered=maybe", 12, "true or false"},
        {"depth>1", 0, "unknown field"},
        {"!", 1, "a term is wanted behind !"},
        {"a ! b", 3, "a term is wanted behind !"},
        {"(a !)", 4, "a term is wanted behind !"},
        {"format=jsn", 7, "no format is called `jsn`. Next: did you mean `json`?"},
        {"fmt!=protobuf", 5, "there are json unwrap text hex null"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        size_t caret = 99;
        struct err_info err = {0};
        char line[800];
        struct filter *f = filter_new(faults[i].text, FILTER_MESSAGES, registry.decoders, &caret, &err);
        if (f && faults[i].says[0])
            fail_msg("%s was taken", faults[i].text);
        if (!f && (caret != faults[i].caret || !strstr(err_format(&err, line, sizeof line), faults[i].says)))
            fail_msg("%s: caret %zu, %s", faults[i].text, caret, line);
        filter_free(&f);
    }
}

static void what_may_not_be_meant_is_remarked_upon(void **state)
{
    (void)state;
    static const struct {
        const char *text, *remark;
    } cases[] = {
        {"body.total>abc", "`abc` is no number: > compares as text"},
        {"(size>1 key<=o-1)", "`o-1` is no number: <= compares as text"},
        {"body.total>500off>550 off<700", "`500off>550` is no number: > compares as text"},
        {"body.total>'abc'", ""},
        {"body.day>2026-01-01", ""},
        {"body.total>12.5", ""},
        {"body.total=abc", ""},
        {"key=\"k1\"", "the \" of `\"k1\"` is looked for as it stands; single quotes hold a text together"},
        {"\"k 1\"", "the \" of `\"k` is looked for as it stands; single quotes hold a text together"},
        {"'\"k1\"' a\"b", ""},
        {"key=k1 or key=k2", "`or` is looked for as a word; write | for or"},
        {"x AND key=k1", "`AND` is looked for as a word; terms side by side must all match"},
        {"(not key=k1)", "`not` is looked for as a word; write ! before the term, without a space"},
        {"or", ""},
        {"a 'or' b", ""},
        {"a | or", ""},
        {"body.", "`body.` without a test is looked for as text; write body.PATH=VALUE"},
        {"a headers.x", "`headers.` without a test is looked for as text; write headers.NAME=VALUE"},
        {"body", ""},
        {"format=json format~js", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err_info err = {0};
        struct filter *f = filter_new(cases[i].text, FILTER_MESSAGES, registry.decoders, NULL, &err);
        assert_non_null(f);
        assert_string_equal(filter_remark(f), cases[i].remark);
        filter_free(&f);
    }
}

static void lists_have_fields_of_their_own(void **state)
{
    (void)state;
    static const struct filter_row row = {.name = "orders.created",
                                          .kind = "queue",
                                          .state = "running",
                                          .shown = "SLOW",
                                          .depth = 18402,
                                          .lag = -1,
                                          .p95_ms = 240,
                                          .age_ns = 5 * NS_PER_S};
    static const struct {
        const char *text;
        bool hit;
    } cases[] = {{"orders", true},         {"orders !test p95>200ms", true},
                 {"depth>10k", true},      {"depth>20000", false},
                 {"lag>0", false},         {"lag!=0", true},
                 {"name~/^orders/", true}, {"state=running age<10s", true},
                 {"kind=topic", false},    {"kind=QUEUE state=Running", true},
                 {"state=slow", true},     {"state!=slow", false},
                 {"SLOW", true},           {"state='Running'", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err_info err = {0};
        struct filter *f = filter_new(cases[i].text, FILTER_LIST, registry.decoders, NULL, &err);
        if (!f || filter_row(f, &row) != cases[i].hit)
            fail_msg("%s: %s", cases[i].text, f ? "wrong" : err.text);
        filter_free(&f);
    }
}

/* What is left out because a number is not known, and what would not match whatever it were. */
static void an_unknown_number_that_decides_is_named(void **state)
{
    (void)state;
    static const struct filter_row row = {.name = "orders",
                                          .kind = "queue",
                                          .state = "running",
                                          .tag = "",
                                          .depth = COUNT_UNKNOWN,
                                          .lag = 7,
                                          .p95_ms = -1,
                                          .age_ns = ROW_HAS_NONE};
    static const struct {
        const char *text, *unknown;
    } cases[] = {{"depth>10", "depth"},
                 {"depth=0", "depth"},
                 {"orders depth<10", "depth"},
                 {"kind=topic depth>10", NULL},
                 {"lag>10", NULL},
                 {"lag>10 depth>10", NULL},
                 {"lag>10 | p95>1s", "p95"},
                 {"lag>5 p95>1s", "p95"},
                 {"age>10s", NULL},
                 {"!(lag>5 | depth>10)", NULL},
                 {"!(lag>5 depth!=10)", "depth"},
                 {"invoices", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err_info err = {0};
        struct filter *f = filter_new(cases[i].text, FILTER_LIST, registry.decoders, NULL, &err);
        assert_non_null(f);
        assert_false(filter_row(f, &row));
        const char *unknown = filter_row_unknown(f, &row);
        if (!unknown != !cases[i].unknown || (unknown && strcmp(unknown, cases[i].unknown) != 0))
            fail_msg("%s: %s", cases[i].text, unknown ? unknown : "none");
        filter_free(&f);
    }
}

static bool matches_payload(const char *text, struct bytes payload)
{
    struct err_info err = {0};
    struct filter *f = filter_new(text, FILTER_MESSAGES, registry.decoders, NULL, &err);
    struct message m = {.payload = payload};
    assert_non_null(f);
    bool answer = filter_message(f, &m, 0) == FILTER_YES;
    filter_free(&f);
    return answer;
}

/* Nothing is there that could be text: filters and lists call it null. */
static void a_null_payload_has_no_format(void **state)
{
    (void)state;
    assert_true(matches_payload("format=null", BYTES_NULL));
    assert_true(matches_payload("fmt!=text", BYTES_NULL));
    assert_false(matches_payload("format=text", BYTES_NULL));
    assert_false(matches_payload("format=null", BYTES_LITERAL("")));
    assert_true(matches_payload("format=TEXT", BYTES_LITERAL("")));
}

static void what_a_channel_never_has_is_not_unknown(void **state)
{
    (void)state;
    struct channel c = {.name = "orders", .state = "", .depth = COUNT_UNKNOWN, .lag = COUNT_UNKNOWN};
    static const struct {
        enum channel_kind kind;
        const char *text, *unknown;
    } cases[] = {{CHANNEL_TOPIC, "depth>0", "depth"},
                 {CHANNEL_TOPIC, "lag>0", "lag"},
                 {CHANNEL_QUEUE, "depth>0", "depth"},
                 {CHANNEL_QUEUE, "lag>0", NULL},
                 {CHANNEL_EXCHANGE, "depth>0", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct filter *f = filter_new(cases[i].text, FILTER_LIST, registry.decoders, NULL, NULL);
        c.kind = cases[i].kind;
        struct filter_row row = filter_row_of(&c);
        const char *unknown = filter_row_unknown(f, &row);
        assert_true(!unknown == !cases[i].unknown && (!unknown || !strcmp(unknown, cases[i].unknown)));
        filter_free(&f);
    }
}

static void a_kind_that_no_channel_has_is_remarked_upon(void **state)
{
    (void)state;
    static const struct {
        const char *text, *remark;
    } cases[] = {{"kind=topc", "no channel is a `topc`; did you mean `topic`?"},
                 {"kind!=xyzzy", "no channel is a `xyzzy`"},
                 {"kind=Queue kind~to body.", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct filter *f = filter_new(cases[i].text, FILTER_LIST, registry.decoders, NULL, NULL);
        assert_non_null(f);
        assert_string_equal(filter_remark(f), cases[i].remark);
        filter_free(&f);
    }
}

static void wrapped_bodies_are_looked_into(void **state)
{
    (void)state;
    struct message m = order();
    m.payload = BYTES_LITERAL("eyJvcmRlciI6eyJ0b3RhbCI6N319");
    struct filter *f = filter_new("body.order.total=7", FILTER_MESSAGES, registry.decoders, NULL, NULL);
    assert_int_equal(filter_message(f, &m, now), FILTER_YES);
    filter_free(&f);
}

static enum filter_answer answer(const char *text, struct bytes payload)
{
    struct filter *f = filter_new(text, FILTER_MESSAGES, registry.decoders, NULL, NULL);
    struct message m = {.payload = payload};
    assert_non_null(f);
    enum filter_answer a = filter_message(f, &m, 0);
    filter_free(&f);
    return a;
}

/* {"a":[0,0,...],"end":"GZ-END"} */
static void put_numbers(struct buffer *b, size_t len)
{
    buffer_text(b, "{\"a\":[0");
    while (b->len < len)
        buffer_text(b, ",1234567");
    buffer_text(b, "],\"end\":\"GZ-END\"}");
}

static void put_gzip(struct buffer *to, struct bytes in)
{
    z_stream z = {
        .next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.len, .avail_out = (uInt)in.len};
    deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    z.next_out = buffer_reserve(to, in.len);
    deflate(&z, Z_FINISH);
    to->len += z.total_out;
    deflateEnd(&z);
}

/* Beyond the fields of any tree; as plain JSON has it. */
static void wrapped_bodies_are_read_to_their_end(void **state)
{
    (void)state;
    struct buffer json, gz, b64;
    buffer_init(&json, 8 * MIB);
    buffer_init(&gz, 8 * MIB);
    buffer_init(&b64, 8 * MIB);
    put_numbers(&json, 3 * MIB);
    put_gzip(&gz, buffer_view(&json));
    buffer_base64(&b64, buffer_view(&gz));
    const struct bytes payloads[] = {buffer_view(&json), buffer_view(&gz), buffer_view(&b64)};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        assert_int_equal(answer("body.end=GZ-END", payloads[i]), FILTER_YES);
        assert_int_equal(answer("body.end~gz", payloads[i]), FILTER_YES);
        assert_int_equal(answer("body.end!=GZ-END", payloads[i]), FILTER_NO);
        assert_int_equal(answer("!(body.end=GZ-END)", payloads[i]), FILTER_NO);
        assert_int_equal(answer("body.other=1", payloads[i]), FILTER_NO);
        assert_int_equal(answer("body.a[300000]=1234567", payloads[i]), FILTER_YES);
    }
    buffer_free(&json);
    buffer_free(&gz);
    buffer_free(&b64);
}

/* Neither a test nor its opposite is true of what nobody sees; what stands before it decides all the same. */
static void what_cannot_be_seen_is_not_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum filter_answer answer;
    } cases[] = {{"body.end=GZ-END", FILTER_UNKNOWN},      {"body.end!=GZ-END", FILTER_UNKNOWN},
                 {"!(body.end=GZ-END)", FILTER_UNKNOWN},   {"body.end=GZ-END | size>1", FILTER_YES},
                 {"size>1 | body.end=GZ-END", FILTER_YES}, {"body.end=GZ-END | size=1", FILTER_UNKNOWN},
                 {"body.end=GZ-END size=1", FILTER_NO},    {"size>1 body.end=GZ-END", FILTER_UNKNOWN},
                 {"body.a[1]=1234567", FILTER_YES},        {"body.a[1]!=1234567", FILTER_NO}};
    struct buffer json, large, cut;
    buffer_init(&json, 32 * MIB);
    buffer_init(&large, 32 * MIB);
    buffer_init(&cut, 8 * MIB);
    put_numbers(&json, LIMIT_UNWRAP_FIND + 1);
    put_gzip(&large, buffer_view(&json));
    buffer_clear(&json);
    put_numbers(&json, MIB);
    put_gzip(&cut, buffer_view(&json));
    cut.len -= 40;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (answer(cases[i].text, buffer_view(&large)) != cases[i].answer ||
            answer(cases[i].text, buffer_view(&cut)) != cases[i].answer)
            fail_msg("%s", cases[i].text);
    char text[120];
    assert_string_equal(filter_unknown_text(text, sizeof text, 3),
                        "3 could not be judged (damaged, or too much to unpack: 24.0 MiB at most)");
    buffer_free(&json);
    buffer_free(&large);
    buffer_free(&cut);
}

/* Of what is cut, 123 may be the beginning of 12345. */
static void half_a_number_is_none(void **state)
{
    (void)state;
    struct buffer stored;
    buffer_init(&stored, 1000);
    /* one stored block (RFC 1951 section 3.2.4) that ends too early */
    buffer_append(&stored, "\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x20\0\xdf\xff{\"n\":123", 15 + 8);
    assert_int_equal(answer("body.n=123", buffer_view(&stored)), FILTER_UNKNOWN);
    buffer_text(&stored, "45 ");
    assert_int_equal(answer("body.n=12345", buffer_view(&stored)), FILTER_YES);
    buffer_free(&stored);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(these_match),
        TEST(these_do_not),
        TEST(faults_have_a_caret_and_a_word),
        TEST(what_may_not_be_meant_is_remarked_upon),
        TEST(lists_have_fields_of_their_own),
        TEST(an_unknown_number_that_decides_is_named),
        TEST(what_a_channel_never_has_is_not_unknown),
        TEST(a_null_payload_has_no_format),
        TEST(a_kind_that_no_channel_has_is_remarked_upon),
        TEST(wrapped_bodies_are_looked_into),
        TEST(wrapped_bodies_are_read_to_their_end),
        TEST(what_cannot_be_seen_is_not_judged),
        TEST(half_a_number_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
