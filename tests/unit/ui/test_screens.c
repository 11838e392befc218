/* Golden screens: fixed data, scripted keys, a clock that stands still. Each screen is compared with
 * tests/golden/NAME-WxH.txt; UPDATE_GOLDEN=1 writes them anew (then look at the difference before committing it). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_hub.h"

#include "decoders/hex.h"
#include "decoders/json.h"
#include "decoders/text.h"
#include "decoders/unwrap.h"
#include "ui/screen.h"

#include "base/limits.h"
#include "base/log.h"

#include <time.h>
#include <unistd.h>

static const struct decoder_ops *const decoders[] = {&json_decoder, &unwrap_decoder, &text_decoder,
                                                     &hex_decoder, NULL};

struct stage {
    struct config config;
    struct arena arena;
    struct hub *hub;
    struct screen *screen;
};

/* ---- setting up ---- */

static void set_up(struct stage *s, int w, int h, bool filled)
{
    struct err_info err;
    clock_fake(FAKE_NOW);
    *s = (struct stage){.hub = NULL};
    s->hub = fake_hub_new(&s->config, &s->arena, decoders);
    if (filled)
        fake_hub_fill(s->hub);
    s->screen = screen_new(s->hub, false, &err);
    assert_non_null(s->screen);
    assert_true(screen_resize(s->screen, w, h));
}

static void tear_down(struct stage *s)
{
    screen_free(&s->screen);
    hub_stop(&s->hub);
}

static void type(struct stage *s, const char *text)
{
    for (; *text; text++)
        screen_key(s->screen, (unsigned char)*text);
}

static void open_tail(struct stage *s)
{
    struct address addresses[] = {
        {.endpoint = &s->config.endpoints[0], .channel = {CHANNEL_TOPIC, "orders"}},
        {.endpoint = &s->config.endpoints[0], .channel = {CHANNEL_TOPIC, "payments"}},
    };
    screen_tail(s->screen, addresses, 2, NULL);
}

static const char order[] =
    "{\"id\":88412,\"customer\":{\"id\":1207,\"name\":\"Zo\xC3\xAB Nguy\xE1\xBB\x85n\"},"
    "\"lines\":[{\"sku\":\"A-77\",\"qty\":2,\"price\":9.95},{\"sku\":\"A-78\",\"qty\":1}],"
    "\"status\":\"NEW\",\"big\":12345678901234567890}";

static void fill_tail(struct stage *s, unsigned count)
{
    char text[256], key[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text, "{\"paymentId\":\"p-%u\",\"orderId\":%u,\"state\":\"%s\"}", 1033 + i,
                 88412 + i, i % 5 == 3 ? "REFUSED" : "AUTHORIZED");
        snprintf(key, sizeof key, "p-%u", 1033 + i);
        fake_message(s->hub, i, i % 3 ? "payments" : "orders", key, bytes_of_text(text),
                     i % 11 == 5 ? MESSAGE_REDELIVERED : 0);
    }
    fake_gap(s->hub, count, "connection lost: kafka-1:9092: connection lost. Next: trying again");
    fake_message(s->hub, count, "orders", NULL, bytes_of("\x00\x01\xff\x1b[2Jevil", 11), 0);
    fake_message(s->hub, count + 1, "orders", "o-88412", bytes_of(order, sizeof order - 1), 0);
    fake_message(s->hub, count + 2, "orders", "", BYTES_NULL, 0);
    s->hub->tail.rate = 812;
    s->hub->tail.byte_rate = 4.1 * 1024 * 1024;
    for (unsigned i = 0; i < 60; i++)
        s->hub->tail.per_second[i] = (uint16_t)(400 + i * 7 % 90 * 5);
    screen_event(s->screen, HUB_TAIL);
}

/* ---- comparing ---- */

static char *read_golden(const char *path)
{
    FILE *f = fopen(path, "r");
    static char text[64 * 1024];
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    return f ? text : NULL;
}

static void golden(struct stage *s, const char *name)
{
    char path[256];
    struct buffer now;
    int64_t deadline = clock_mono_ns() + 1;
    while (screen_work(s->screen, deadline))
        ;
    screen_draw(s->screen);
    const struct canvas *c = screen_canvas(s->screen);
    buffer_init(&now, 1 * MIB);
    canvas_dump(c, false, &now);
    snprintf(path, sizeof path, "%s/tests/golden/%s-%dx%d.txt", getenv("SB_ROOT") ? getenv("SB_ROOT") : ".",
             name, c->w, c->h);
    if (getenv("UPDATE_GOLDEN")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fwrite(buffer_cstr(&now), 1, now.len, f);
        fclose(f);
    } else {
        const char *expected = read_golden(path);
        if (!expected || strcmp(expected, buffer_cstr(&now)) != 0)
            fail_msg("%s is not the screen:\n%s", path, buffer_cstr(&now));
    }
    buffer_free(&now);
}

/* Each case runs at the sizes that people have: the smallest, a window, a whole screen. */
static const int sizes[][2] = {{80, 24}, {120, 40}, {200, 60}};
#define AT_ALL_SIZES(s, filled)                                                               \
 for (int size = 0; size < 3 && (set_up(&(s), sizes[size][0], sizes[size][1], filled), true); \
      size++, tear_down(&(s)))

/* ---- the cases ---- */

static void dashboard(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        golden(&s, "dashboard");
        type(&s, "jjjj");
        golden(&s, "dashboard-probe");
        type(&s, "\t");
        golden(&s, "dashboard-broker");
        type(&s, " jG");
        golden(&s, "dashboard-folded");
    }
}

/* More than fits: each pane says what part of it is shown, and scrolls by itself. */
static void dashboard_overflowing(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        char name[32];
        for (int i = 0; i < 4; i++)
            fake_attention(s.hub, SEVERITY_WARN, "DLQ", "orders.dlq", "rabbit-1", 60 + i, "one of many");
        for (int i = 0; i < 60; i++) {
            snprintf(name, sizeof name, "queue-%02d", i);
            fake_channel(s.hub->endpoints[1].channels, name, CHANNEL_QUEUE, "classic queue", i);
        }
        type(&s, "G ");
        screen_key(s.screen, UIKEY_UP);
        type(&s, "l");
        golden(&s, "dashboard-overflowing");
        type(&s, "G");
        golden(&s, "dashboard-overflowing-end");
    }
}

static void dashboard_empty(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, false)
    {
        golden(&s, "dashboard-empty");
        type(&s, "jkG\r tb\t2");
        golden(&s, "dashboard-no-tail");
    }
}

/* Names from outside are hostile as payloads are; production shows; the filter is said and can be cleared. */
static void dashboard_filtered(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        s.config.endpoints[1].endpoint.production = true;
        fake_channel(s.hub->endpoints[1].channels, "evil\x1b[2J\xE2\x80\xAEqueue", CHANNEL_QUEUE,
                     "\x9b"
                     "31m",
                     7);
        golden(&s, "dashboard-production");
        type(&s, "/orders");
        golden(&s, "dashboard-filtering");
        type(&s, "\r");
        golden(&s, "dashboard-filtered");
        type(&s, "/zzz\r");
        golden(&s, "dashboard-filtered-away");
        screen_key(s.screen, UIKEY_ESCAPE);
        type(&s, "/");
        screen_key(s.screen, UIKEY_ESCAPE);
        golden(&s, "dashboard-production");
    }
}

static void browse_asks_before_it_marks(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        type(&s, "Gk");
        type(&s, "b");
        golden(&s, "browse-asks");
        type(&s, "b"); /* the key that asked is no answer */
        assert_null(hub_tail(s.hub));
        type(&s, "by");
        assert_non_null(hub_tail(s.hub));
        assert_string_equal(s.hub->tail.channels[0].address.channel.name, "orders.dlq");
        assert_int_equal(s.hub->asked.limit, 1000);
    }
}

/* t on a row that needs attention means its channel, also when its broker is folded and a filter hides it. */
static void attention_leads_to_its_channel(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    type(&s, "Gkkkk ");      /* folds rabbit-1 */
    type(&s, "/kafka\rgjj"); /* hides it, and goes to orders.dlq */
    type(&s, "t");
    assert_non_null(hub_tail(s.hub));
    assert_string_equal(s.hub->tail.channels[0].address.channel.name, "orders.dlq");
    tear_down(&s);
}

static void tail(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        golden(&s, "tail-waiting");
        fill_tail(&s, 60);
        golden(&s, "tail-live");
        type(&s, "kkkk");
        fill_tail(&s, 5);
        golden(&s, "tail-paused");
        type(&s, "f\\REFUSED");
        golden(&s, "tail-filtering");
        type(&s, "\r");
        golden(&s, "tail-filtered");
        screen_key(s.screen, UIKEY_ESCAPE);
        type(&s, "\\totl=3");
        golden(&s, "tail-filter-fault");
    }
}

static bool foot_says(struct stage *s, const char *text)
{
    struct buffer dump;
    buffer_init(&dump, 1 << 20);
    screen_draw(s->screen);
    canvas_dump(screen_canvas(s->screen), false, &dump);
    buffer_byte(&dump, 0);
    bool said = strstr((const char *)dump.data, text);
    buffer_free(&dump);
    return said;
}

/* A tail whose connection is lost doesn't call itself live. */
static void tail_lost(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    fill_tail(&s, 2);
    assert_true(foot_says(&s, " LIVE   "));
    s.hub->tail.channels[1].status.state = SESSION_BACKOFF;
    assert_true(foot_says(&s, " LIVE, 1 of 2 LOST   "));
    s.hub->tail.channels[0].status.state = SESSION_CONNECTING;
    s.hub->tail.channels[0].status.generation = 2;
    assert_true(foot_says(&s, " LOST, trying again   "));
    tear_down(&s);
}

/* A browse that ended says why; what a tap misses and what was lost stay in sight. */
static void tail_remarks(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        err_set(&s.hub->tail.channels[0].status.err, ERR_NOTFOUND, "no topic `orders`");
        err_where(&s.hub->tail.channels[0].status.err, "kafka-a");
        err_next(&s.hub->tail.channels[0].status.err, "did you mean `orders.v2`?");
        s.hub->tail.channels[0].status.state = SESSION_ENDED;
        s.hub->tail.channels[1].status.state = SESSION_CONNECTING;
        golden(&s, "tail-refused");
        err_next(&s.hub->tail.channels[0].status.err,
                 "is the name right? `signalbox ls kafka-a` shows what is there; a remedy is never cut off");
        golden(&s, "tail-refused-long");
        fill_tail(&s, 2);
        s.hub->tail.dropped = 17;
        for (int i = 0; i < 2; i++) {
            s.hub->tail.channels[i].status.state = SESSION_ENDED;
            s.hub->tail.channels[i].status.err.code = ERR_END;
        }
        snprintf(s.hub->tail.channels[1].status.progress.stopped, 160, "the end as it stood at 12:04:30Z");
        golden(&s, "tail-ended");
        s.hub->notice_serial = 1;
        snprintf(s.hub->notice, sizeof s.hub->notice, "orders: misses what comes by the default exchange");
        screen_event(s.screen, HUB_NOTICE);
        golden(&s, "tail-notice");
        screen_say(
            s.screen, SEVERITY_WARN,
            "orders.eu is tapped where it is bound; what comes by the default exchange is not seen, "
            "and this sentence is so long that it needs several rows on any terminal that people have");
        golden(&s, "tail-notice-long");
    }
}

static void tail_find(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fill_tail(&s, 60);
        type(&s, "/p-10");
        golden(&s, "tail-finding");
        type(&s, "40\r");
        golden(&s, "tail-found");
        type(&s, "n");
        golden(&s, "tail-not-found");
    }
}

static void inspector(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fill_tail(&s, 3);
        type(&s, "k\r");
        golden(&s, "inspector");
        type(&s, "jjjj");
        golden(&s, "inspector-field");
        type(&s, "\tjl");
        golden(&s, "inspector-hex");
        type(&s, "\t");
        golden(&s, "inspector-value");
        type(&s, "\t\t");
        golden(&s, "inspector-why");
        type(&s, "\tg h");
        golden(&s, "inspector-folded");
        type(&s, "[");
        golden(&s, "inspector-binary");
        type(&s, "]]");
        golden(&s, "inspector-null");
    }
}

/* A RabbitMQ message has no key and no position of its own: none is invented; the default exchange has a name. */
static void inspector_amqp(void **state)
{
    struct stage s;
    struct header properties[] = {
        {.name = BYTES_LITERAL("exchange"), .value = {.type = VALUE_STRING, .bytes = BYTES_LITERAL("")}},
        {.name = BYTES_LITERAL("routing_key"),
         .value = {.type = VALUE_STRING, .bytes = BYTES_LITERAL("orders")}}};
    struct message m = {.origin = origin_intern("rabbit-1", "orders.dlq", CHANNEL_QUEUE),
                        .time_ns = TIME_NONE,
                        .received_ns = FAKE_NOW,
                        .payload = BYTES_LITERAL("{\"a\":1,\"a\":2}"),
                        .properties = {properties, 2}};
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        store_add(s.hub->store, message_seal(&m, NULL));
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\r");
        golden(&s, "inspector-amqp");
    }
}

/* An unwrapped layer has bytes of its own: the cursor in the tree changes between them. */
static void inspector_layers(void **state)
{
    static const char wrapped[] = "eyJiYXNlNjQiOnRydWUsInNheXMiOiJoZWxsbyJ9";
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fake_message(s.hub, 0, "orders", "k", bytes_of_text(wrapped), 0);
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\r");
        golden(&s, "inspector-layers");
        type(&s, "G");
        golden(&s, "inspector-layers-last");
        fake_message(s.hub, 1, "orders", "k", bytes_of_text("{\"id\":1,\"list\":[1,2,oops"), 0);
        type(&s, "]");
        golden(&s, "inspector-broken");
        type(&s, "v");
        golden(&s, "inspector-not-it");
    }
}

/* A megabyte is decoded beside: the screen does not wait, and shows the bytes meanwhile. */
static void a_large_payload_is_decoded_beside(void **state)
{
    struct stage s;
    (void)state;
    struct buffer large;
    buffer_init(&large, 2 * MIB);
    buffer_text(&large, "{\"id\":88412,\"text\":\"");
    while (large.len < MIB)
        buffer_text(&large, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    buffer_text(&large, "\"}");
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fake_message(s.hub, 0, "orders", "k", buffer_view(&large), 0);
        screen_event(s.screen, HUB_TAIL);
        type(&s, "\r");
        golden(&s, "inspector-decoding");
        struct timespec deadline;
        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += 20;
        assert_int_equal(sem_timedwait(&s.hub->decoded, &deadline), 0);
        assert_true(screen_event(s.screen, HUB_DECODED));
        golden(&s, "inspector-decoded");
        type(&s, "vvv"); /* each drops the job before it */
    }
    buffer_free(&large);
}

static void log_screen(void **state)
{
    struct stage s;
    static bool written;
    (void)state;
    clock_fake(FAKE_NOW - 300 * NS_PER_S);
    if (!written) {
        written = true;
        log_write(LOG_DEBUG, "kafka-a", "listing topics");
        log_write(LOG_INFO, "kafka-a", "unknown -> up");
        log_write(LOG_WARN, "payments-api", "up -> down: connection refused");
        log_write(LOG_ERROR, "rabbit-2",
                  "\x1b[31m10.9.9.9:5672: connection refused. Next: is the broker running, and is "
                  "the port the one of AMQP (5672), not of the management interface (15672)?");
    }
    AT_ALL_SIZES(s, true)
    {
        type(&s, "3");
        golden(&s, "log");
        type(&s, "vk");
        golden(&s, "log-warn");
    }
}

static void help(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        type(&s, "?");
        golden(&s, "help");
        type(&s, "fold");
        golden(&s, "help-search");
        screen_key(s.screen, UIKEY_ESCAPE);
        assert_string_equal(screen_top(s.screen)->ops->name, "dashboard");
    }
}

static void command_line(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        type(&s, ":t");
        golden(&s, "command");
        screen_key(s.screen, UIKEY_CONTROL('u'));
        type(&s, "fliter x\r");
        golden(&s, "command-unknown");
        type(&s, ":theme mono\r");
        assert_int_equal(screen_take_wants(s.screen), SCREEN_THEME);
        type(&s, ":q\r");
        assert_int_equal(screen_take_wants(s.screen), SCREEN_QUIT);
    }
}

/* The shell's flags work on the `:` line: a line of the one can be typed into the other. */
static void command_line_takes_the_shells_flags(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 120, 40, true);
    type(&s, ":tail --");
    assert_true(foot_says(&s, "--from  --where  --partition  --uncommitted  --firehose  --internal"));
    type(&s, "from ");
    assert_true(foot_says(&s, "--from WHERE: beginning end end-N"));
    type(&s, "end-5 kafka-a/orders --uncommitted --where 'size>1 key=\"a b\"'\r");
    assert_int_equal(s.hub->asked.mode, READ_TAP);
    assert_int_equal(s.hub->asked.start.kind, START_LAST);
    assert_int_equal(s.hub->asked.start.value, 5);
    assert_int_equal(s.hub->asked.flags, READ_UNCOMMITTED);
    assert_true(foot_says(&s, "size>1 key=\"a b\""));
    type(&s, ":browse kafka-a/orders --from=7 -p 2 -n 20\r");
    assert_int_equal(s.hub->asked.mode, READ_BROWSE);
    assert_int_equal(s.hub->asked.start.kind, START_OFFSET);
    assert_int_equal(s.hub->asked.partition, 2);
    assert_int_equal(s.hub->asked.limit, 20);
    tear_down(&s);
}

static void tab_completes_the_command_line(void **state)
{
    static const struct {
        const char *typed, *line, *note;
    } rows[] = {
        {":bro\t", ":browse", "browse ENDPOINT/CHANNEL"},
        {":t\t", ":t", "tail  theme"},
        {":tail k\t", ":tail kafka-a/", "tail ENDPOINT"},
        {":tail rab\t", ":tail rabbit-", "rabbit-1/  rabbit-2/"},
        {":tail kafka-a/o\t", ":tail kafka-a/orders", ""},
        {":browse kafka-a/orders --fr\t", ":browse kafka-a/orders --from", "--from WHERE"},
        {":theme x\t", ":theme x", "theme NAME"},
        {":zzz\t", ":zzz", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage s;
        set_up(&s, 120, 40, true);
        type(&s, rows[i].typed);
        if (!foot_says(&s, rows[i].line) || !foot_says(&s, rows[i].note))
            fail_msg("%s did not become %s (%s)", rows[i].typed, rows[i].line, rows[i].note);
        tear_down(&s);
    }
}

static void command_line_opens_nothing_on_a_wrong_flag(void **state)
{
    static const struct {
        const char *line, *said;
    } wrong[] = {
        {":tail kafka-a/orders --frm 1\r", "unknown flag `--frm`; did you mean `--from`?"},
        {":tail kafka-a/orders --from yesterday\r", "yesterday"},
        {":tail kafka-a/orders --json\r", "`:tail` takes no --json here"},
        {":tail kafka-a/orders --partition\r", "--partition needs a value"},
        {":tail kafka-a/orders -p x\r", "--partition x: write a number"},
        {":tail kafka-a/orders --where 'size>\r", "a quote is not closed"},
        {":tail kafka-a/orders --where sice=1\r", "sice"},
        {":browse kafka-a/orders kafka-a/payments\r", "browse which one?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct stage s;
        set_up(&s, 120, 40, true);
        type(&s, wrong[i].line);
        if (!foot_says(&s, wrong[i].said))
            fail_msg("%s was not answered with %s", wrong[i].line, wrong[i].said);
        assert_null(hub_tail(s.hub));
        tear_down(&s);
    }
}

/* Gap rows come from `signalbox`; so may a channel of an endpoint that somebody calls that. */
static void an_endpoint_named_signalbox_is_no_gap(void **state)
{
    struct stage s;
    struct message m = {.origin = origin_intern("signalbox", "orders", CHANNEL_TOPIC),
                        .time_ns = FAKE_NOW,
                        .payload = BYTES_LITERAL("{}")};
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    store_add(s.hub->store, message_seal(&m, NULL));
    screen_event(s.screen, HUB_TAIL);
    type(&s, "\r");
    assert_string_equal(screen_top(s.screen)->ops->name, "message");
    tear_down(&s);
}

/* The count beside a filter goes on while the line is open. */
static void the_count_of_a_filter_is_live(void **state)
{
    struct stage s;
    struct buffer text;
    (void)state;
    set_up(&s, 80, 24, true);
    open_tail(&s);
    type(&s, "\\REFUSED");
    fill_tail(&s, 50);
    while (screen_work(s.screen, clock_mono_ns() + 1))
        ;
    screen_draw(s.screen);
    buffer_init(&text, 1 * MIB);
    canvas_dump(screen_canvas(s.screen), false, &text);
    assert_non_null(strstr(buffer_cstr(&text), "11 of 54 "));
    buffer_free(&text);
    tear_down(&s);
}

static void small_terminals(void **state)
{
    static const int small[][2] = {{59, 24}, {80, 15}, {40, 12}, {10, 5}, {1, 1}};
    struct stage s;
    (void)state;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        set_up(&s, small[i][0], small[i][1], true);
        golden(&s, "small");
        type(&s, "jjt");
        assert_int_equal(screen_take_wants(s.screen), 0);
        type(&s, "q");
        assert_int_equal(screen_take_wants(s.screen), SCREEN_QUIT);
        tear_down(&s);
    }
}

/* The smallest that is drawn at all: names and what matters stay, columns go. */
static void narrow_terminals_keep_names(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, SCREEN_MIN_WIDTH, SCREEN_MIN_HEIGHT, true);
    golden(&s, "narrow-dashboard");
    open_tail(&s);
    fill_tail(&s, 3);
    golden(&s, "narrow-tail");
    type(&s, "k\r");
    golden(&s, "narrow-inspector");
    type(&s, "?");
    golden(&s, "narrow-help");
    tear_down(&s);
}

/* No size, no view and no key may run into anything. */
static void any_size_draws(void **state)
{
    struct stage s;
    (void)state;
    for (int w = SCREEN_MIN_WIDTH; w <= 200; w += 7)
        for (int h = SCREEN_MIN_HEIGHT; h <= 64; h += 6) {
            set_up(&s, w, h, true);
            screen_draw(s.screen);
            type(&s, "?");
            screen_draw(s.screen);
            screen_key(s.screen, UIKEY_ESCAPE);
            open_tail(&s);
            fill_tail(&s, 3);
            screen_draw(s.screen);
            type(&s, "k\r");
            screen_draw(s.screen);
            type(&s, "v\tGv\tjv3");
            screen_draw(s.screen);
            for (const char *keys = "123?"; *keys; keys++) { /* what is said takes room from each view */
                screen_key(s.screen, *keys);
                screen_say(s.screen, SEVERITY_CRIT, "%400s", "said");
                screen_draw(s.screen);
            }
            tear_down(&s);
        }
}

static void quit_goes_back_first(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    type(&s, "3");
    type(&s, "q");
    assert_int_equal(screen_take_wants(s.screen), 0);
    screen_key(s.screen, UIKEY_ESCAPE); /* never leaves the program */
    assert_int_equal(screen_take_wants(s.screen), 0);
    type(&s, "q");
    assert_int_equal(screen_take_wants(s.screen), SCREEN_QUIT);
    tear_down(&s);
}

static void pastes_run_no_keys(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    screen_key(s.screen, UIKEY_PASTE_BEGIN);
    type(&s, "qqq\r:q\r");
    screen_key(s.screen, UIKEY_PASTE_END);
    assert_int_equal(screen_take_wants(s.screen), 0);
    type(&s, ":");
    screen_key(s.screen, UIKEY_PASTE_BEGIN);
    type(&s, "quit\r"); /* its line end confirms nothing */
    screen_key(s.screen, UIKEY_PASTE_END);
    assert_int_equal(screen_take_wants(s.screen), 0);
    type(&s, "\r");
    assert_int_equal(screen_take_wants(s.screen), SCREEN_QUIT);
    tear_down(&s);
}

/* Silence of what was not asked yet is no good news, and no nought. */
static void dashboard_begins_with_nothing_known(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        s.hub->attention_count = 0;
        for (size_t i = 0; i < hub_endpoint_count(s.hub); i++) {
            struct hub_endpoint *e = &s.hub->endpoints[i];
            availability_free(&e->health);
            fake_samples(&e->health, 0, 0, 0, "", "");
            channel_list_unref(&e->channels);
            e->totals.depth = e->totals.dead = e->totals.lag = COUNT_UNKNOWN;
            e->totals.in_rate = e->totals.out_rate = -1;
        }
        for (size_t i = 0; i < hub_probe_count(s.hub); i++) {
            availability_free(&s.hub->probes[i].health);
            fake_samples(&s.hub->probes[i].health, 0, 0, 0, "", "");
        }
        golden(&s, "dashboard-first");
    }
}

/* Numbers too wide for their column are shortened, never cut. */
static void dashboard_large_counts(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        s.hub->endpoints[0].channels->items[0].depth = s.hub->endpoints[0].totals.depth = 7708412;
        s.hub->endpoints[0].channels->items[0].lag = s.hub->endpoints[0].totals.lag = 123456789;
        s.hub->endpoints[1].totals.dead = 99950;
        golden(&s, "dashboard-large");
    }
}

/* `partition=` is not wrong but not yet meant: the list stands still; Esc takes away one thing at a time; another tail
 * begins without the filter. */
static void a_filter_half_typed_hides_nothing(void **state)
{
    struct stage s;
    (void)state;
    AT_ALL_SIZES(s, true)
    {
        open_tail(&s);
        fill_tail(&s, 60);
        type(&s, "\\REFUSED partition=");
        golden(&s, "tail-filter-half");
        type(&s, "3\r");
        screen_say(s.screen, SEVERITY_INFO, "said");
        screen_key(s.screen, UIKEY_ESCAPE);
        golden(&s, "tail-filter-kept");
        open_tail(&s);
        fill_tail(&s, 3);
        golden(&s, "tail-filter-reset");
    }
}

/* The screen knows when it changes by itself: with the clock, each second; never sooner. */
static void it_says_when_it_changes(void **state)
{
    struct stage s;
    (void)state;
    set_up(&s, 80, 24, true);
    assert_int_equal(screen_draw(s.screen), FAKE_NOW + NS_PER_S);
    clock_fake_advance(NS_PER_S / 2);
    assert_int_equal(screen_draw(s.screen), FAKE_NOW + NS_PER_S);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dashboard),
        cmocka_unit_test(dashboard_overflowing),
        cmocka_unit_test(dashboard_empty),
        cmocka_unit_test(dashboard_filtered),
        cmocka_unit_test(browse_asks_before_it_marks),
        cmocka_unit_test(attention_leads_to_its_channel),
        cmocka_unit_test(tail),
        cmocka_unit_test(tail_lost),
        cmocka_unit_test(tail_remarks),
        cmocka_unit_test(tail_find),
        cmocka_unit_test(inspector),
        cmocka_unit_test(inspector_amqp),
        cmocka_unit_test(inspector_layers),
        cmocka_unit_test(a_large_payload_is_decoded_beside),
        cmocka_unit_test(log_screen),
        cmocka_unit_test(help),
        cmocka_unit_test(command_line),
        cmocka_unit_test(command_line_takes_the_shells_flags),
        cmocka_unit_test(tab_completes_the_command_line),
        cmocka_unit_test(command_line_opens_nothing_on_a_wrong_flag),
        cmocka_unit_test(an_endpoint_named_signalbox_is_no_gap),
        cmocka_unit_test(the_count_of_a_filter_is_live),
        cmocka_unit_test(small_terminals),
        cmocka_unit_test(narrow_terminals_keep_names),
        cmocka_unit_test(any_size_draws),
        cmocka_unit_test(quit_goes_back_first),
        cmocka_unit_test(pastes_run_no_keys),
        cmocka_unit_test(dashboard_begins_with_nothing_known),
        cmocka_unit_test(dashboard_large_counts),
        cmocka_unit_test(a_filter_half_typed_hides_nothing),
        cmocka_unit_test(it_says_when_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
