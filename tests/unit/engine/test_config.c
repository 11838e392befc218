/* The configuration: values, every fault with its place, secrets; addresses. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/limits.h"
#include "brokers/memory/memory.h"
#include "engine/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A driver that is only asked for its words. */
static const char *const vhost_schemes[] = {"vh", "vhs", NULL};
static const struct broker_ops vhost_broker = {
    .name = "vh", .title = "VH", .schemes = vhost_schemes, .default_port = 1, .max_channels = 1};
static const char *const path_schemes[] = {"kafka", "kafkas", NULL};
static const struct broker_ops path_broker = {
    .name = "kafka", .title = "K", .schemes = path_schemes, .default_port = 9092, .path_is_channel = true};
static const struct broker_ops *const brokers[] = {&memory_broker, &vhost_broker, &path_broker, NULL};
static const char *const rest_schemes[] = {"http", "https", NULL};
static const struct probe_ops rest = {.name = "rest", .schemes = rest_schemes};
static const char *const tcp_schemes[] = {"tcp", NULL};
static const struct probe_ops tcp = {.name = "tcp", .schemes = tcp_schemes, .needs_port = true};
static const struct probe_ops *const probes[] = {&rest, &tcp, NULL};
static const struct decoder_ops json = {.name = "json"};
static const struct decoder_ops *const decoders[] = {&json, NULL};
static const struct registry registry = {.brokers = brokers, .decoders = decoders, .probes = probes};

struct faults {
    unsigned count;
    struct config_fault items[1100];
};

static void on_fault(void *context, const char *file, const struct config_fault *fault)
{
    struct faults *f = context;
    (void)file;
    if (f->count < sizeof f->items / sizeof *f->items)
        f->items[f->count++] = *fault;
}

static char path[128];

static void write_file(const char *text, mode_t mode)
{
    snprintf(path, sizeof path, "%s/sb-config-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    fchmod(fd, mode);
    close(fd);
}

static enum err load(struct config *c, const char *text, struct faults *faults)
{
    struct err_info err;
    *faults = (struct faults){0};
    write_file(text, 0600);
    enum err e = config_load(c, path, &registry, on_fault, faults, &err);
    unlink(path);
    return e;
}

static void test_values(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    const char *text =
        "endpoints:\n"
        "  k:\n"
        "    url: \"kafkas://a:9092,b\"\n"
        "    production: true\n"
        "    username: ops\n"
        "    tls: {ca: /ca.pem}\n"
        "    options: {sasl.mechanisms: PLAIN, fetch.max.bytes: 5}\n"
        "    channels:\n"
        "      \"orders.*\": {decode: json, dead_letters: orders.dlt}\n"
        "probes:\n"
        "  p: {url: \"http://h/x?y=1\", every: 250ms, expect: {status: 200-204, json: {/status: UP}}, needs: [k]}\n"
        "limits: {store: 8MiB}\n"
        "ui: {theme: mono}\n";
    assert_int_equal(load(&c, text, &f), ERR_OK);
    assert_int_equal(f.count, 0);
    const struct endpoint *e = &c.endpoints[0].endpoint;
    assert_string_equal(e->name, "k");
    assert_true(e->production && e->tls.on && !e->write && !e->by_url);
    assert_string_equal(e->tls.ca, "/ca.pem");
    assert_int_equal(e->url.host_count, 2);
    assert_string_equal(endpoint_option(e, "fetch.max.bytes"), "5");
    const struct origin *o = endpoint_origin(e, "orders.eu", CHANNEL_TOPIC);
    assert_string_equal(o->decode, "json");
    assert_ptr_equal(o, endpoint_origin(e, "orders.eu", CHANNEL_TOPIC));
    assert_null(endpoint_origin(e, "orders", CHANNEL_TOPIC)->decode);
    struct channel_list *l = channel_list_new();
    (void)channel_list_add(l, "orders.dlt", CHANNEL_TOPIC);
    (void)channel_list_add(l, "orders.eu", CHANNEL_TOPIC);
    endpoint_mark_dead_letters(e, l);
    assert_true(l->items[0].dead_letters && !l->items[1].dead_letters);
    channel_list_free(&l);
    assert_int_equal(c.probes[0].every_ns, 250 * NS_PER_MS);
    assert_int_equal(c.probes[0].timeout_ns, 5 * NS_PER_S);
    assert_int_equal(c.probes[0].expect_count, 2);
    assert_string_equal(c.probes[0].expect[1].name, "/status");
    assert_string_equal(c.probes[0].needs[0], "k");
    assert_int_equal(c.store_bytes, 8 * MIB);
    assert_string_equal(c.theme, "mono");
    config_free(&c);
}

static void expect_fault(const struct faults *f, unsigned i, unsigned line, unsigned column,
                         const char *words)
{
    assert_true(i < f->count);
    if (f->items[i].line != line || f->items[i].column != column || !strstr(f->items[i].text, words))
        fail_msg("fault %u is %u:%u %s", i, f->items[i].line, f->items[i].column, f->items[i].text);
}

static void test_all_faults_at_once(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    const char *text = "endpoints:\n"
                       "  k: {url: kafkx://a:9092,b:9092, wrte: true}\n"
                       "  r:\n"
                       "    url: \"memory:\"\n"
                       "    production: yes\n"
                       "    production: true\n"
                       "    channels: {a: {decode: jsn}, b: {decode: protobuf}}\n"
                       "  n: {write: true}\n"
                       "probes:\n"
                       "  p: {url: \"http://x/\", every: 5x, needs: [kk]}\n"
                       "limts: {}\n";
    assert_int_equal(load(&c, text, &f), ERR_CONFIG);
    expect_fault(&f, 0, 2, 12, "did you mean `kafka`?");
    expect_fault(&f, 1, 2, 27, "needs quotes");
    expect_fault(&f, 2, 2, 35, "did you mean `write`?");
    expect_fault(&f, 3, 5, 17, "true or false");
    expect_fault(&f, 4, 6, 5, "stands twice");
    expect_fault(&f, 5, 7, 28, "did you mean `json`?");
    expect_fault(&f, 6, 7, 46, "no decoder `protobuf`; it has json");
    expect_fault(&f, 7, 8, 3, "has no url");
    expect_fault(&f, 8, 10, 32, "write a duration");
    expect_fault(&f, 9, 10, 44, "did you mean `k`?");
    expect_fault(&f, 10, 11, 1, "did you mean `limits`?");
    assert_int_equal(f.count, 11);
    config_free(&c);
}

/* What is well formed and can never work. */
static void test_what_can_never_work(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    const char *text = "endpoints:\n"
                       "  k: {url: \"kafka://a :9092\"}\n"
                       "  \"\\e[31mred\\a\": {url: \"memory:\"}\n"
                       "  \"l\\u202Er\": {url: \"memory:\"}\n"
                       "  m: {url: \"memory:/\\e[2J\"}\n"
                       "  both: {url: \"memory:\"}\n"
                       "probes:\n"
                       "  b: {url: \"http://x/\", expect: {body: \"/((/\"}}\n"
                       "  j: {url: \"http://x/\", expect: {json: {/a~9: x, b: y}, status: 99}}\n"
                       "  t: {url: \"tcp://x\"}\n"
                       "  s: {url: \"http://x y\"}\n"
                       "  both: {url: \"http://x/\"}\n";
    assert_int_equal(load(&c, text, &f), ERR_CONFIG);
    expect_fault(&f, 0, 2, 12, "has a space in it");
    expect_fault(&f, 1, 3, 3, "no slash, colon, white space or control character");
    assert_null(strpbrk(f.items[1].text, "\a\033"));
    expect_fault(&f, 2, 4, 3, "no slash");
    assert_null(strstr(f.items[2].text, "\xE2\x80\xAE"));
    expect_fault(&f, 3, 5, 12, "a control character stands in the URL");
    expect_fault(&f, 4, 8, 40, "expect.body: this is no regular expression");
    expect_fault(&f, 5, 9, 41, "`/a~9` cannot be looked up: ~ in a JSON Pointer is followed by 0 or 1");
    expect_fault(&f, 6, 9, 50, "`b` is no JSON pointer; it begins with a slash");
    expect_fault(&f, 7, 9, 65, "`99` is no HTTP status; write 200");
    expect_fault(&f, 8, 10, 12, "the URL names no port; write tcp://HOST:PORT");
    expect_fault(&f, 9, 11, 12, "has a space in it");
    expect_fault(&f, 10, 12, 3, "`both` is the name of an endpoint already");
    assert_int_equal(f.count, 11);
    config_free(&c);
}

static void test_needs_in_a_circle(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    const char *text = "probes:\n"
                       "  a: {url: \"http://x/\", needs: [b, z]}\n"
                       "  b: {url: \"http://x/\", needs: [c, z]}\n"
                       "  c: {url: \"http://x/\", needs: [z, a]}\n"
                       "  z: {url: \"http://x/\"}\n"
                       "  s: {url: \"http://x/\", needs: [s, a]}\n";
    assert_int_equal(load(&c, text, &f), ERR_CONFIG);
    expect_fault(&f, 0, 4, 36, "needs go round in a circle: `a` needs `b` needs `c` needs `a`");
    expect_fault(&f, 1, 6, 33, "`s` needs itself");
    assert_int_equal(f.count, 2);
    config_free(&c);
}

/* The longest way there can be. */
static void test_a_long_circle(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    static char text[64 * 1000];
    size_t n = (size_t)snprintf(text, sizeof text, "probes:\n");
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  p%d: {url: \"http://x/\", needs: [p%d]}\n", i,
                              (i + 1) % 1000);
    assert_int_equal(load(&c, text, &f), ERR_CONFIG);
    expect_fault(&f, 0, 1001, 36, "`p0` needs `p1` needs ");
    assert_non_null(strstr(f.items[0].text, "... needs `p0`"));
    assert_int_equal(f.count, 1);
    config_free(&c);
}

static void test_urls_with_commas(void **state)
{
    (void)state;
    static const char *const urls[] = {"kafka://a:1,b:2", "kafka://a:1,b:2/x", "kafka://a:1,b:2?ca=f"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct config c;
        struct faults f;
        char text[200];
        snprintf(text, sizeof text, "endpoints: {k: {url: %s}}\n", urls[i]);
        assert_int_equal(load(&c, text, &f), ERR_CONFIG);
        assert_int_equal(f.count, 1);
        expect_fault(&f, 0, 1, 34, "needs quotes");
        config_free(&c);
    }
}

/* All of them, up to a bound; the rest is counted. */
static void test_many_faults(void **state)
{
    (void)state;
    struct config c;
    static struct faults f;
    static char text[64 * KIB];
    size_t n = 0;
    for (int i = 0; i < 1010; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "key%d: 1\n", i);
    assert_int_equal(load(&c, text, &f), ERR_CONFIG);
    assert_int_equal(f.count, 1001);
    assert_int_equal(f.items[999].more, 0);
    assert_int_equal(f.items[999].line, 1000);
    assert_int_equal(f.items[1000].line, 0);
    assert_int_equal(f.items[1000].more, 10);
    assert_string_equal(f.items[1000].text, "and 10 more faults");
    config_free(&c);
}

/* Only `config check` minds a file that is not there: it may come before it is needed. */
static void test_named_files(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    struct err_info err;
    const char *text =
        "endpoints:\n"
        "  k: {url: \"kafkas://h\", tls: {ca: /nonexistent/ca.pem, cert: /dev/null, key: none}}\n";
    assert_int_equal(load(&c, text, &f), ERR_OK);
    config_free(&c);
    write_file(text, 0600);
    assert_int_equal(config_check(&c, path, &registry, on_fault, &f, &err), ERR_CONFIG);
    unlink(path);
    expect_fault(&f, 0, 2, 36, "tls.ca: /nonexistent/ca.pem: No such file or directory");
    expect_fault(&f, 1, 2, 79, "/none: No such file");
    assert_int_equal(f.count, 2);
    config_free(&c);
}

static void test_odd_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"", ERR_OK},
        {"# nothing\n", ERR_OK},
        {"endpoints:\nprobes: ~\n", ERR_OK},
        {"- a\n", ERR_CONFIG},
        {"endpoints: [\n", ERR_CONFIG},
        {"endpoints: {}\n---\nprobes: {}\n", ERR_CONFIG},
        {"endpoints: &a\n  x: *a\n", ERR_CONFIG},
        {"a: &a [*a]\n", ERR_CONFIG},
        {"\xff\xfe\xff", ERR_CONFIG},
        {"? [a]\n: b\n", ERR_CONFIG},
        {"endpoints: {k: {url: \"memory:\", options: {sasl.password: x}}}", ERR_CONFIG},
        {"endpoints: {k: {url: \"memory:/x\"}}", ERR_CONFIG},
        {"endpoints: {k: {url: \"kafka://u:secret@h\"}}", ERR_CONFIG},
        {"probes: {p: {url: \"http://h\", needs: [p]}}", ERR_CONFIG},
        {"endpoints: {k: &k {url: \"memory:\"}, l: *k}", ERR_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config c;
        struct faults f;
        if (load(&c, cases[i].text, &f) != cases[i].err)
            fail_msg("case %zu: %s", i, f.count ? f.items[0].text : "no fault");
        assert_true(cases[i].err == ERR_OK || f.count > 0);
        for (unsigned j = 0; j < f.count; j++)
            assert_null(strstr(f.items[j].text, "secret@"));
        config_free(&c);
    }
}

/* A rule that hides nothing because it is faulty refuses the file. */
static void test_faulty_redact_is_refused(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    assert_int_equal(load(&c, "redact: [{header: authorization}]\n", &f), ERR_OK);
    assert_non_null(c.redaction);
    config_free(&c);
    assert_int_equal(load(&c, "redact:\n  - {regex: \"4[0-9\"}\n", &f), ERR_CONFIG);
    expect_fault(&f, 0, 2, 13, "no regular expression");
    config_free(&c);
    assert_int_equal(load(&c, "redact: [{header: a, field: b}]\n", &f), ERR_CONFIG);
    expect_fault(&f, 0, 1, 10, "one of field");
    config_free(&c);
    assert_int_equal(
        load(&c, "redact:\n  - {header: a, field: b}\n  - {regex: \"(\"}\n  - {regex: \")\"}\n", &f),
        ERR_CONFIG);
    assert_int_equal(f.count, 3);
    expect_fault(&f, 2, 4, 13, "no regular expression");
    config_free(&c);
    assert_int_equal(load(&c, "redact: []\n", &f), ERR_OK);
    config_free(&c);
}

/* Nine levels of nine aliases are bounded by the table's depth, and by a count. */
static void test_aliases_are_bounded(void **state)
{
    (void)state;
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof text, "x: &a0 [1]\n");
    for (int i = 1; i < 10; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "x%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
                              i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    snprintf(text + n, sizeof text - n, "redact: *a9\nschemas: *a9\n");
    struct config c;
    struct faults f;
    assert_int_equal(load(&c, text, &f), ERR_CONFIG);
    config_free(&c);
}

/* What is too much is said with its place, and nobody blames aliases that are not there. */
static void test_many_values(void **state)
{
    (void)state;
    enum { MANY = 20000, ROOM = MANY * 48 };
    struct config c;
    struct faults f;
    char *text = malloc(ROOM);
    size_t n = (size_t)snprintf(text, ROOM, "\nendpoints:\n");
    for (int i = 0; i < MANY; i++)
        n += (size_t)snprintf(text + n, ROOM - n, "  e%d: {url: \"memory:\", write: true}\n", i);
    assert_int_equal(load(&c, text, &f), ERR_CONFIG);
    assert_int_equal(f.count, 1);
    expect_fault(&f, 0, 3, 3, "more than 1000 endpoints");
    config_free(&c);
    n = (size_t)snprintf(text, ROOM, "endpoints:\n  e: &e {url: \"memory:\", options: &o {");
    for (int i = 0; i < 900; i++)
        n += (size_t)snprintf(text + n, ROOM - n, "k%d: 1,", i);
    n += (size_t)snprintf(text + n, ROOM - n, "}}\n");
    for (int i = 0; i < 900; i++)
        n += (size_t)snprintf(text + n, ROOM - n, "  e%d: *e\n", i);
    assert_int_equal(load(&c, text, &f), ERR_CONFIG);
    assert_int_equal(f.count, 1);
    expect_fault(&f, 0, 2, 35, "too many values");
    config_free(&c);
    free(text);
}

/* A body that is not there must not make its endpoint vanish. */
static void test_nothing_behind_a_name(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    assert_int_equal(load(&c,
                          "endpoints:\n  prod-kafka:\n  other: {url: \"memory:\"}\n  i: ~\n  n: {}\n"
                          "probes:\n  p:\n",
                          &f),
                     ERR_CONFIG);
    assert_int_equal(f.count, 4);
    expect_fault(&f, 0, 2, 3, "`prod-kafka` has no url");
    expect_fault(&f, 1, 4, 3, "`i` has no url");
    expect_fault(&f, 2, 5, 3, "`n` has no url");
    expect_fault(&f, 3, 7, 3, "`p` has no url");
    config_free(&c);
    assert_int_equal(load(&c, "endpoints: {e: {url: \"memory:\", channels: , options: ~}}\nprobes:\n", &f),
                     ERR_OK);
    config_free(&c);
}

/* Checker and reader do not say the same twice. */
static void test_faults_are_said_once(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    assert_int_equal(load(&c, "redact: [3, {field: {}}, {header: \"\"}]\n", &f), ERR_CONFIG);
    assert_int_equal(f.count, 3);
    config_free(&c);
    assert_int_equal(load(&c, "redact: [{field: a, header: b}, ~]\n", &f), ERR_CONFIG);
    assert_int_equal(f.count, 2);
    expect_fault(&f, 0, 1, 10, "one of field");
    config_free(&c);
    assert_int_equal(
        load(&c, "probes: {p: {url: \"http://h/\", expect: {json: {\"\": 1}, headers: {\"\": 1}}}}\n", &f),
        ERR_CONFIG);
    assert_int_equal(f.count, 2);
    expect_fault(&f, 0, 1, 48, "a key is empty");
    config_free(&c);
}

/* The library would take minutes for what its loader then refuses. */
static void test_depth_is_bounded(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    static char text[LIMIT_CONFIG - 1];
    memset(text, '[', sizeof text - 1);
    memcpy(text, "a: ", 3);
    assert_int_equal(load(&c, text, &f), ERR_CONFIG);
    expect_fault(&f, 0, 1, 67, "more than 64 levels deep");
    config_free(&c);
}

static void test_missing_file(void **state)
{
    (void)state;
    struct config c;
    struct faults f = {0};
    struct err_info err;
    assert_int_equal(config_load(&c, "/nonexistent/x.yaml", &registry, on_fault, &f, &err), ERR_CONFIG);
    assert_int_equal(f.count, 1);
    assert_true(c.named);
    config_free(&c);
    write_file("ui: {theme: mono}", 0600); /* that of the environment every command finds of itself */
    setenv("SIGNALBOX_CONFIG", path, 1);
    assert_int_equal(config_load(&c, NULL, &registry, on_fault, &f, &err), ERR_OK);
    assert_string_equal(c.file, path);
    assert_false(c.named);
    unlink(path);
    unsetenv("SIGNALBOX_CONFIG");
    config_free(&c);
}

static struct config one_endpoint(const char *line)
{
    struct config c;
    struct faults f;
    char text[512];
    snprintf(text, sizeof text, "endpoints: {k: {url: \"memory:\", %s}}", line);
    assert_int_equal(load(&c, text, &f), ERR_OK);
    return c;
}

static void test_secrets(void **state)
{
    (void)state;
    struct err_info err;
    struct config c = one_endpoint("password_env: SB_TEST_PASSWORD");
    unsetenv("SB_TEST_PASSWORD");
    assert_int_equal(config_secret(&c, &c.endpoints[0], &err), ERR_CONFIG);
    setenv("SB_TEST_PASSWORD", "s3", 1);
    assert_int_equal(config_secret(&c, &c.endpoints[0], &err), ERR_OK);
    assert_string_equal(c.endpoints[0].endpoint.password, "s3");
    config_free(&c);

    c = one_endpoint("password_command: \"printf 'a b\\\\nrest'\"");
    assert_int_equal(config_secret(&c, &c.endpoints[0], &err), ERR_OK);
    assert_string_equal(c.endpoints[0].endpoint.password, "a b");
    config_free(&c);

    c = one_endpoint("password_command: \"exit 3\"");
    assert_int_equal(config_secret(&c, &c.endpoints[0], &err), ERR_CONFIG);
    assert_non_null(strstr(err.text, "exit code 3"));
    config_free(&c);
}

static void test_everybody_has_their_own_password(void **state)
{
    (void)state;
    static const char text[] = "endpoints:\n"
                               "  a: {url: \"memory:\"}\n"
                               "  b: {url: \"vh://h\", password_command: echo of-b}\n"
                               "probes:\n"
                               "  p: {url: http://h/}\n"
                               "  q: {url: http://h/, password_command: echo of-q}\n";
    struct config c;
    struct faults f;
    struct secret secret = {0};
    struct err_info err;
    const struct probe_target *target;
    struct config_password *password;
    assert_int_equal(load(&c, text, &f), ERR_OK);
    assert_int_equal(config_prepare(&c, &c.endpoints[1].endpoint, &secret, &err), ERR_OK);
    assert_string_equal(secret.text, "of-b");
    assert_null(c.endpoints[1].endpoint.password); /* which sessions read while others fetch it anew */
    assert_int_equal(config_prepare(&c, &c.endpoints[0].endpoint, &secret, &err), ERR_OK);
    assert_null(secret.text);
    assert_int_equal(config_target(&c, "q", brokers, probes, &target, &password, &err), ERR_OK);
    assert_ptr_equal(target, &c.probes[1]);
    assert_ptr_equal(password, config_probe_password(&c, 1));
    assert_int_equal(secret_get(password, "q", &c.leaving, &secret, &err), ERR_OK);
    assert_string_equal(secret.text, "of-q");
    assert_int_equal(config_target(&c, "b", brokers, probes, &target, &password, &err), ERR_OK);
    assert_ptr_equal(password, &c.endpoints[1].password);
    assert_int_equal(config_target(&c, "http://h/", brokers, probes, &target, &password, &err), ERR_OK);
    assert_null(password);
    secret_clear(&secret);
    config_free(&c);
}

static void test_secret_file_must_be_private(void **state)
{
    (void)state;
    char line[256], file[128];
    struct err_info err;
    write_file("hunter2\nremark\n", 0644);
    snprintf(file, sizeof file, "%s", path);
    snprintf(line, sizeof line, "password_file: %s", file);
    struct config c = one_endpoint(line);
    assert_int_equal(config_secret(&c, &c.endpoints[0], &err), ERR_CONFIG);
    assert_non_null(strstr(err.next, "chmod 600"));
    chmod(file, 0600);
    assert_int_equal(config_secret(&c, &c.endpoints[0], &err), ERR_OK);
    assert_string_equal(c.endpoints[0].endpoint.password, "hunter2");
    unlink(file);
    config_free(&c);
}

static void test_addresses(void **state)
{
    (void)state;
    struct config c = one_endpoint("write: true");
    struct address a, b;
    struct err_info err;
    assert_int_equal(config_address(&c, "k/queue:a/b", brokers, &a, &err), ERR_OK);
    assert_ptr_equal(a.endpoint, &c.endpoints[0]);
    assert_int_equal(a.channel.kind, CHANNEL_QUEUE);
    assert_string_equal(a.channel.name, "a/b");
    assert_int_equal(config_address(&c, "k", brokers, &a, &err), ERR_OK);
    assert_null(a.channel.name);
    assert_int_equal(config_address(&c, "kk/x", brokers, &a, &err), ERR_USAGE);
    assert_non_null(strstr(err.next, "`k`"));

    assert_int_equal(config_address(&c, "vh://me@h:5/%2f/a%20b?ca=/x", brokers, &a, &err), ERR_OK);
    assert_string_equal(a.endpoint->endpoint.vhost, "/");
    assert_string_equal(a.channel.name, "a b");
    assert_string_equal(a.endpoint->endpoint.name, "vh://me@h:5/%2f");
    assert_string_equal(a.endpoint->endpoint.text, "vh://me@h:5/%2f?ca=/x");
    assert_string_equal(a.endpoint->endpoint.username, "me");
    assert_string_equal(a.endpoint->endpoint.tls.ca, "/x");
    assert_int_equal(config_address(&c, "vh://h/%2f/queue:queue%3Ax", brokers, &a, &err), ERR_OK);
    assert_int_equal(a.channel.kind, CHANNEL_QUEUE);
    assert_string_equal(a.channel.name, "queue:x");
    assert_int_equal(config_address(&c, "vh://h/%2f/queue%3Ax", brokers, &a, &err), ERR_OK);
    assert_int_equal(a.channel.kind, CHANNEL_ANY); /* the encoding protects the colon */
    assert_string_equal(a.channel.name, "queue:x");
    assert_int_equal(config_address(&c, "vh://h/%2f/queue:", brokers, &a, &err), ERR_USAGE);
    assert_int_equal(config_address(&c, "vh://me@h:5/%2f/a%20b?ca=/x", brokers, &a, &err), ERR_OK);
    assert_int_equal(config_address(&c, "vh://me@h:5/%2f/other?ca=/x", brokers, &b, &err), ERR_OK);
    assert_ptr_equal(a.endpoint, b.endpoint);
    assert_int_equal(config_address(&c, "vh://h/v", brokers, &b, &err), ERR_OK);
    assert_string_equal(b.endpoint->endpoint.vhost, "v");
    assert_null(b.channel.name);

    assert_int_equal(config_address(&c, "kafkas://h:1,i:2/topic:t", brokers, &a, &err), ERR_OK);
    assert_string_equal(a.endpoint->endpoint.name, "kafkas://h:1,i:2");
    assert_int_equal(a.channel.kind, CHANNEL_TOPIC);
    assert_true(a.endpoint->endpoint.tls.on && a.endpoint->endpoint.by_url);
    assert_int_equal(config_address(&c, "kafak://h/t", brokers, &a, &err), ERR_USAGE);
    assert_non_null(strstr(err.next, "kafka"));
    assert_int_equal(config_address(&c, "kafka:///t", brokers, &a, &err), ERR_USAGE);
    assert_int_equal(config_address(&c, "kafka://h/t?sa=1", brokers, &a, &err), ERR_USAGE);
    assert_int_equal(config_address(&c, "kafka://u:p@h/t", brokers, &a, &err), ERR_USAGE);
    config_free(&c);
}

/* A name that is none says what there is; a probe is as good a name for `probe` as an endpoint. */
static void test_unknown_names(void **state)
{
    (void)state;
    struct config c;
    struct faults f;
    struct address a;
    const struct probe_target *t;
    struct config_password *password;
    struct err_info err;
    assert_int_equal(load(&c,
                          "endpoints: {kafka: {url: \"memory:\"}, rabbit: {url: \"memory:\"}}\n"
                          "probes: {payments: {url: \"http://x/\"}}\n",
                          &f),
                     ERR_OK);
    assert_int_equal(config_target(&c, "paymnts", brokers, probes, &t, &password, &err), ERR_USAGE);
    assert_string_equal(err.text, "no probe or endpoint is called `paymnts`");
    assert_string_equal(err.next, "did you mean `payments`?");
    assert_int_equal(config_target(&c, "wholly-other", brokers, probes, &t, &password, &err), ERR_USAGE);
    assert_string_equal(err.next, "there are `kafka`, `rabbit`, `payments`; or give a URL: http://HOST/PATH");
    assert_int_equal(config_address(&c, "paymnts/x", brokers, &a, &err), ERR_USAGE);
    assert_string_equal(err.next, "there are `kafka`, `rabbit`; or give a URL: kafka://HOST:PORT/TOPIC");
    /* Named though given by URL, as the demo's are; what has its URL alone is not listed. */
    struct config_endpoint *e = config_add_url(&c, "kafka://h", brokers, &err);
    assert_non_null(config_add_url(&c, "kafka://i", brokers, &err));
    e->endpoint.name = "demo-kafka";
    assert_int_equal(config_address(&c, "orders", brokers, &a, &err), ERR_USAGE);
    assert_non_null(strstr(err.next, "there are `kafka`, `rabbit`, `demo-kafka`; or"));
    config_free(&c);
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof text, "probes:\n");
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  probe-%d: {url: \"http://x/\"}\n", i);
    assert_int_equal(load(&c, text, &f), ERR_OK);
    assert_int_equal(config_target(&c, "x", brokers, probes, &t, &password, &err), ERR_USAGE);
    assert_non_null(strstr(err.next, "`probe-0`, "));
    assert_non_null(strstr(err.next, " more; or give a URL: http://HOST/PATH"));
    assert_int_equal(config_target(&c, "tcp://h:1,i", brokers, probes, &t, &password, &err), ERR_USAGE);
    assert_string_equal(err.text, "the URL names no port");
    assert_int_equal(config_target(&c, "tcp://h:1,i:2", brokers, probes, &t, &password, &err), ERR_OK);
    config_free(&c);
}

static void test_endpoints_by_url_are_bounded(void **state)
{
    (void)state;
    struct config c = {0};
    struct err_info err;
    const struct config_endpoint *first = config_add_url(&c, "kafka://h0", brokers, &err);
    char url[64];
    int added = 1;
    for (; added < 1000; added++) {
        snprintf(url, sizeof url, "kafka://h%d", added);
        if (!config_add_url(&c, url, brokers, &err))
            break;
    }
    assert_int_equal(added, 64);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_ptr_equal(config_add_url(&c, "kafka://h0", brokers, &err), first);
    config_free(&c);
}

static void test_start(void **state)
{
    (void)state;
    struct start s;
    struct err_info err;
    int64_t now = 1000 * NS_PER_S;
    assert_int_equal(config_start("", now, &s, &err), ERR_OK);
    assert_int_equal(s.kind, START_DEFAULT);
    assert_int_equal(config_start("end-10", now, &s, &err), ERR_OK);
    assert_true(s.kind == START_LAST && s.value == 10);
    assert_int_equal(config_start("42", now, &s, &err), ERR_OK);
    assert_true(s.kind == START_OFFSET && s.value == 42);
    assert_int_equal(config_start("-15s", now, &s, &err), ERR_OK);
    assert_true(s.kind == START_TIME && s.value == 985 * NS_PER_S);
    assert_int_equal(config_start("beginnig", now, &s, &err), ERR_USAGE);
    assert_non_null(strstr(err.next, "beginning"));
    assert_int_equal(config_start("end-x", now, &s, &err), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_all_faults_at_once),
        cmocka_unit_test(test_what_can_never_work),
        cmocka_unit_test(test_needs_in_a_circle),
        cmocka_unit_test(test_a_long_circle),
        cmocka_unit_test(test_urls_with_commas),
        cmocka_unit_test(test_many_faults),
        cmocka_unit_test(test_named_files),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_odd_files),
        cmocka_unit_test(test_faulty_redact_is_refused),
        cmocka_unit_test(test_aliases_are_bounded),
        cmocka_unit_test(test_many_values),
        cmocka_unit_test(test_nothing_behind_a_name),
        cmocka_unit_test(test_faults_are_said_once),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_everybody_has_their_own_password),
        cmocka_unit_test(test_secret_file_must_be_private),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_endpoints_by_url_are_bounded),
        cmocka_unit_test(test_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
