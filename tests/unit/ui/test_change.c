/* What changes something: the menu, the form with its dry run, the question, jobs and journal; on the memory broker. */
#include "stage.h"

#include "brokers/memory/memory.h"
#include "brokers/memory/memory_server.h"
#include "operations/journal.h"
#include "operations/plan.h"

#include <dirent.h>
#include <poll.h>

static char home[64];

static int setup(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "/tmp/signalbox-change-XXXXXX");
    return mkdtemp(home) && !setenv("XDG_STATE_HOME", home, 1) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    memory_reset();
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

static void publish(const char *queue, int count)
{
    for (int i = 0; i < count; i++) {
        char body[40];
        snprintf(body, sizeof body, "{\"n\":%d}", i);
        struct message m = {.payload = bytes_of_text(body), .time_ns = 5};
        assert_int_equal(memory_publish(queue, &m, NULL, NULL), ERR_OK);
    }
}

/* Of which some tell where they died. */
static void publish_dead(int told, int untold)
{
    struct header header = {BYTES_LITERAL("x-death-queue"),
                            {.type = VALUE_STRING, .bytes = BYTES_LITERAL("parked")}};
    for (int i = 0; i < told + untold; i++) {
        char body[40];
        snprintf(body, sizeof body, "{\"n\":%d}", i);
        struct message m = {
            .payload = bytes_of_text(body), .time_ns = 5, .headers = {&header, i < told ? 1 : 0}};
        assert_int_equal(memory_publish("orders.dlq", &m, NULL, NULL), ERR_OK);
    }
}

static int64_t held(const char *queue)
{
    int64_t ready = 0, leased = 0;
    assert_true(memory_count(queue, &ready, &leased));
    return ready + leased;
}

/* rabbit-1 is the memory broker: its queues are there. */
static void set_up_changes(struct stage *s, int w, int h)
{
    set_up(s, w, h, true);
    s->config.endpoints[1].broker = &memory_broker;
    assert_int_equal(memory_declare("invoices", CHANNEL_QUEUE, "orders.dlq", NULL), ERR_OK);
    assert_int_equal(memory_declare("orders.dlq", CHANNEL_QUEUE, NULL, NULL), ERR_OK);
    assert_int_equal(memory_declare("parked", CHANNEL_QUEUE, NULL, NULL), ERR_OK);
    struct channel *c = &s->hub->endpoints[1].channels->items[2];
    assert_string_equal(c->name, "orders.dlq");
    c->browse_effect = EFFECT_NONE;
    c->why_not[CAN_REMOVE] = c->why_not[CAN_PURGE] = NULL;
}

static void tear_down_changes(struct stage *s)
{
    tear_down(s);
    memory_reset();
}

#define CHANGES_AT_ALL_SIZES(s)                                                               \
 for (int size = 0; size < 3 && (set_up_changes(&(s), sizes[size][0], sizes[size][1]), true); \
      size++, tear_down_changes(&(s)))

/* Threads work in real time, whatever the screen's clock says. */
static void wait_until_says(struct stage *s, const char *text)
{
    for (int i = 0; i < 1000; i++) {
        struct pollfd p = {.fd = screen_fd(s->screen), .events = POLLIN};
        if (screen_says(s, text))
            return;
        poll(&p, 1, 20);
        screen_pump(s->screen);
    }
    struct buffer now;
    buffer_init(&now, 1 * MIB);
    canvas_dump(screen_canvas(s->screen), false, &now);
    fail_msg("never: %s\n%s", text, buffer_cstr(&now));
}

static void enter(struct stage *s, const char *line)
{
    type(s, ":");
    type(s, line);
    type(s, "\r");
}

static void pass(int64_t ns)
{
    clock_fake_advance(ns);
}

/* ---- the menu ---- */

static void the_menu_says_why_not(void **state)
{
    struct stage s;
    (void)state;
    CHANGES_AT_ALL_SIZES(s)
    {
        struct channel *topic = &s.hub->endpoints[0].channels->items[0];
        topic->why_not[CAN_REMOVE] = "Kafka removes no single message, only a prefix of each partition";
        topic->why_not[CAN_PURGE] =
            "the topic is compacted: only a record of its own deletes one, a tombstone for its key";
        type(&s, "/orders !.dlq\rG");
        type(&s, "X");
        wait_until_says(&s, "the journal has no archive of it");
        golden(&s, "change-topic");
        type(&s, "p");
        assert_true(screen_says(&s, "purge: the topic is compacted"));
        assert_string_equal(screen_top(s.screen)->ops->name, "change");
        type(&s, "q");
        type(&s, "/");
        screen_key(s.screen, UIKEY_CONTROL('u'));
        type(&s, "orders.dlq\rGX");
        assert_true(screen_says(&s, "Change  orders.dlq on rabbit-1"));
        assert_true(screen_says(&s, "read-only"));
        golden(&s, "change-queue");
    }
}

/* What ? lists of the menu and of a form runs from there, too. */
static void the_menus_help_lists_its_keys(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 120, 40);
    publish("orders.dlq", 3);
    type(&s, "/orders.dlq\rGX?");
    static const char *const names[] = {"resend", "replay", "move",   "copy",
                                        "delete", "purge",  "dedupe", "restore"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(screen_says(&s, names[i]));
    type(&s, "resend:\r"); /* not to a channel */
    assert_true(screen_says(&s, "This is not done to a channel"));
    type(&s, "?purge:\r");
    wait_until_says(&s, "purge 3 messages");
    assert_false(screen_says(&s, "e edit"));
    type(&s, "?");
    assert_true(screen_says(&s, "go through choices"));
    tear_down_changes(&s);
}

static void the_same_command_names_the_configuration(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 120, 40);
    publish("orders.dlq", 3);
    s.config.file = "/etc/sig nal.yaml";
    s.config.named = true;
    enter(&s, "write");
    enter(&s, "purge rabbit-1/orders.dlq");
    wait_until_says(&s, "purge 3 messages");
    assert_true(
        screen_says(&s, "signalbox purge rabbit-1/orders.dlq --config '/etc/sig nal.yaml' --execute"));
    enter(&s, "dedupe rabbit-1/orders.dlq");
    assert_true(screen_says(&s, "signalbox dedupe rabbit-1/orders.dlq --by id --config '/etc/sig nal.yaml'"));
    enter(&s, "copy rabbit-1/orders.dlq --to rabbit-1/parked");
    wait_until_says(&s, "copy 3 messages");
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "Same as: signalbox copy rabbit-1/orders.dlq --to rabbit-1/parked --config '/etc");
    tear_down_changes(&s);
}

static void chosen_messages_are_named_by_their_positions(void **state)
{
    struct stage s;
    (void)state;
    CHANGES_AT_ALL_SIZES(s)
    {
        open_tail(&s);
        fill_tail(&s, 5);
        type(&s, "pkkkkkkk");
        type(&s, "  ");
        golden(&s, "change-marked");
        type(&s, "X");
        assert_true(screen_says(&s, "2 messages of payments on kafka-a"));
        type(&s, "q X"); /* one of another channel */
        assert_true(screen_says(&s, "of several channels"));
        screen_key(s.screen, UIKEY_ESCAPE);
        screen_key(s.screen, UIKEY_ESCAPE);
        type(&s, "X");
        golden(&s, "change-message");
    }
}

/* What was not looked at yet is not said to be gone. */
static void chosen_messages_are_not_missed_before_a_look(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 120, 40);
    s.config.endpoints[0].broker = &memory_broker;
    struct channel_list *channels = s.hub->endpoints[0].channels;
    for (size_t i = 0; i < channels->count; i++) {
        assert_int_equal(memory_declare(channels->items[i].name, CHANNEL_TOPIC, NULL, NULL), ERR_OK);
        channels->items[i].browse_effect = EFFECT_MARKS;
    }
    open_tail(&s);
    fill_tail(&s, 5);
    type(&s, "pkX");
    assert_true(screen_says(&s, "1 message of"));
    type(&s, "s\r");
    screen_key(s.screen, UIKEY_CONTROL('u'));
    type(&s, "rabbit-1/parked\r");
    wait_until_says(&s, "MARKS");
    assert_true(screen_says(&s, "resend 1 chosen message"));
    assert_false(screen_says(&s, "are there like that"));
    type(&s, "r");
    wait_until_says(&s, "1 is chosen, and 0 are there like that");
    tear_down_changes(&s);
}

/* ---- the form ---- */

static void a_dry_run_comes_by_itself(void **state)
{
    struct stage s;
    (void)state;
    CHANGES_AT_ALL_SIZES(s)
    {
        publish_dead(12, 3);
        type(&s, "/orders.dlq\r");
        type(&s, "GXr");
        wait_until_says(&s, "replay 12 messages");
        golden(&s, "operate-replay");
        type(&s, "j\r"); /* the selection */
        golden(&s, "operate-writing");
        type(&s, "totl=1\r");
        assert_true(screen_says(&s, "unknown field"));
        golden(&s, "operate-faulty");
        type(&s, "\r");
        screen_key(s.screen, UIKEY_CONTROL('u'));
        type(&s, "body.n<5\r");
        wait_until_says(&s, "replay 5 messages");
        assert_true(screen_says(&s, "signalbox replay rabbit-1/orders.dlq --select 'body.n<5'"));
    }
}

/* What a replay would skip is not counted among what it would send. */
static void what_would_be_skipped_is_not_replayed(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 120, 40);
    publish_dead(0, 34);
    enter(&s, "write");
    enter(&s, "replay rabbit-1/orders.dlq");
    wait_until_says(&s, "replay nothing: all would be skipped");
    assert_true(screen_says(&s, "34: they stay where they are"));
    type(&s, "x");
    assert_true(screen_says(&s, "Nothing would be sent: all would be skipped"));
    publish_dead(20, 0);
    type(&s, "r");
    wait_until_says(&s, "replay 20 messages");
    type(&s, "x");
    assert_true(screen_says(&s, "y Replay 20 messages"));
    tear_down_changes(&s);
}

/* The form's own words for reasons have no count: the dry run beside them is a later one. */
static void reasons_are_counted_by_the_dry_run_alone(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 120, 40);
    publish_dead(10, 0);
    enter(&s, "replay rabbit-1/orders.dlq");
    wait_until_says(&s, "replay 10 messages");
    publish_dead(9, 0);
    type(&s, "jj "); /* Reasons: the first one */
    wait_until_says(&s, "replay 19 messages");
    assert_true(screen_says(&s, "Reasons     no reason told"));
    assert_true(screen_says(&s, "19 no reason told"));
    assert_false(screen_says(&s, "10 no reason told"));
    tear_down_changes(&s);
}

static struct header text_header(const char *name, const char *value)
{
    return (struct header){bytes_of_text(name), {.type = VALUE_STRING, .bytes = bytes_of_text(value)}};
}

/* As RabbitMQ writes of them. */
static void publish_deaths(const char *reason, int count)
{
    struct header entry[] = {{BYTES_LITERAL("count"), {.type = VALUE_INT64, .i = 3}},
                             text_header("reason", reason),
                             text_header("queue", "parked"),
                             {BYTES_LITERAL("time"), {.type = VALUE_TIMESTAMP, .u = 1700000000}}};
    struct header death[] = {{.value = {.type = VALUE_TABLE, .list = {entry, 4}}}};
    struct header headers[] = {{BYTES_LITERAL("x-death"), {.type = VALUE_ARRAY, .list = {death, 1}}},
                               text_header("x-first-death-queue", "parked"),
                               text_header("x-tenant", "acme")};
    for (int i = 0; i < count; i++) {
        char id[40];
        snprintf(id, sizeof id, "%s-%d", reason, i);
        struct message m = {
            .id = bytes_of_text(id), .payload = BYTES_LITERAL("{}"), .time_ns = 5, .headers = {headers, 3}};
        assert_int_equal(memory_publish("orders.dlq", &m, NULL, NULL), ERR_OK);
    }
}

/* Which are taken off, and put on, is seen before, and after. */
static void headers_that_change_are_shown(void **state)
{
    struct stage s;
    (void)state;
    CHANGES_AT_ALL_SIZES(s)
    {
        publish_deaths("rejected", 5);
        publish_deaths("expired", 2);
        enter(&s, "write");
        enter(&s, "replay rabbit-1/orders.dlq");
        wait_until_says(&s, "replay 7 messages");
        screen_key(s.screen, UIKEY_PAGE_DOWN);
        screen_key(s.screen, UIKEY_PAGE_DOWN);
        for (int i = 0; i < 3 && !screen_says(&s, "+ x-signalbox-replays: 1"); i++)
            screen_key(s.screen, UIKEY_PAGE_DOWN);
        golden(&s, "operate-headers");
        assert_true(screen_says(&s, "rejected-0, one of 5 rejected"));
        assert_true(screen_says(&s, "- x-death: [{count: 3, reason: rejected, queue: parked,"));
        assert_false(screen_says(&s, "x-tenant"));
        type(&s, "]");
        assert_true(screen_says(&s, "expired-0, one of 2 expired"));
        assert_true(screen_says(&s, "- x-death: [{count: 3, reason: expired"));
        type(&s, "x");
        assert_true(screen_says(&s, "x-death, x-first-death-queue; the journal keeps them"));
        pass(NS_PER_S);
        type(&s, "y");
        wait_until_says(&s, "▶ running");
        type(&s, "++++++++++"); /* the clock stands: without a limit */
        wait_until_says(&s, "● done");
        if (size == 0)
            type(&s, "\r");
        wait_until_says(&s, "- x-death: [{count: 3, reason: rejected, queue: parked,");
        assert_true(screen_says(&s, "+ x-signalbox-replays: 1"));
        assert_true(screen_says(&s, "Message 1  rejected-0"));
        type(&s, "\r");
        assert_false(screen_says(&s, "- x-death"));
    }
}

static void what_looking_marks_is_asked_for(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 80, 24);
    publish("orders.dlq", 3);
    s.hub->endpoints[1].channels->items[2].browse_effect = EFFECT_MARKS;
    enter(&s, "write");
    enter(&s, "move rabbit-1/orders.dlq --to rabbit-1/parked");
    wait_until_says(&s, "move 3 messages"); /* to count marks nothing */
    type(&s, "j\rbody.n>0\r");
    wait_until_says(&s, "MARKS");
    assert_false(screen_says(&s, "selected, 0 B"));
    type(&s, "x");
    assert_true(screen_says(&s, "Look first: r"));
    type(&s, "r");
    wait_until_says(&s, "move 2 messages");
    tear_down_changes(&s);
}

static void a_form_says_what_is_wrong(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 80, 24);
    enter(&s, "move rabbit-1/orders.dlq --to rabbit-1/orders.dlq");
    wait_until_says(&s, "the same channel");
    type(&s, "\r");
    screen_key(s.screen, UIKEY_CONTROL('u'));
    type(&s, "rabit-1/x\r");
    assert_true(screen_says(&s, "no endpoint is called"));
    type(&s, "x");
    assert_true(screen_says(&s, "Something is missing, or wrong"));
    type(&s, "jj"); /* on another field */
    assert_true(screen_says(&s, "no endpoint is called"));
    assert_false(screen_says(&s, "Fill in what is missing"));
    enter(&s, "move rabbit-1/orders.dlq --execute");
    assert_true(screen_says(&s, "--execute is for the shell"));
    enter(&s, "purge rabbit-1/orders.dlq --to x");
    assert_true(screen_says(&s, "takes no --to"));
    enter(&s, "copy rabbit-1/orders.dlq --to rabbit-1/nowhere");
    wait_until_says(&s, "Or turn Create on");
    enter(&s, "write");
    publish("orders.dlq", 1);
    enter(&s, "copy rabbit-1/orders.dlq --to rabbit-1/nowhere --create");
    wait_until_says(&s, "copy 1 message");
    assert_true(screen_says(&s, "would be made"));
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "● done");
    assert_false(screen_says(&s, "would be made"));
    enter(&s, "copy rabbit-1");
    assert_true(screen_says(&s, "a channel is missing"));
    tear_down_changes(&s);
}

/* ---- what is allowed, and the question ---- */

static void nothing_changes_before_it_is_allowed(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 80, 24);
    publish("orders.dlq", 3);
    assert_true(screen_says(&s, " RO "));
    enter(&s, "move rabbit-1/orders.dlq --to rabbit-1/parked");
    wait_until_says(&s, "move 3 messages");
    type(&s, "x");
    assert_true(screen_says(&s, "rabbit-1 is read-only"));
    pass(NS_PER_S);
    type(&s, "y");
    assert_int_equal(held("orders.dlq"), 3);
    enter(&s, "write 2m");
    assert_true(screen_says(&s, "WRITE 2m"));
    pass(61 * NS_PER_S);
    assert_true(screen_says(&s, "WRITE 59s"));
    type(&s, "x");
    assert_true(screen_says(&s, "y Move 3 messages"));
    pass(NS_PER_S);
    type(&s, "n");
    pass(60 * NS_PER_S); /* it closes by itself */
    assert_true(screen_says(&s, " RO "));
    type(&s, "x");
    assert_true(screen_says(&s, "rabbit-1 is read-only"));
    enter(&s, "write 9h");
    assert_true(screen_says(&s, "at most 8h"));
    enter(&s, "write");
    enter(&s, "write off");
    assert_true(screen_says(&s, " RO "));
    tear_down_changes(&s);
}

static void endpoints_are_opened_one_by_one(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 120, 24);
    s.config.endpoints[1].endpoint.production = true;
    const struct endpoint *kafka = &s.config.endpoints[0].endpoint, *prod = &s.config.endpoints[1].endpoint;
    enter(&s, "write kafka-a 2m");
    assert_true(screen_says(&s, "WRITE 2m 1/3"));
    assert_true(screen_may_write(s.screen, kafka));
    assert_false(screen_may_write(s.screen, prod));
    enter(&s, "write 10m"); /* all but production */
    assert_true(screen_says(&s, "Production stays read-only"));
    assert_true(screen_says(&s, "WRITE 10m 2/3"));
    assert_false(screen_may_write(s.screen, prod));
    enter(&s, "write rabbit-1 10m");
    assert_true(screen_says(&s, "Type rabbit-1 to enable"));
    pass(NS_PER_S);
    type(&s, "y\r");
    assert_false(screen_may_write(s.screen, prod));
    screen_key(s.screen, UIKEY_ESCAPE);
    assert_true(screen_says(&s, "rabbit-1 stays read-only"));
    enter(&s, "write rabbit-1 10m");
    pass(NS_PER_S);
    type(&s, "rabbit-1\r");
    assert_true(screen_may_write(s.screen, prod));
    enter(&s, "write kafka-a off");
    assert_false(screen_may_write(s.screen, kafka));
    assert_true(screen_may_write(s.screen, prod));
    enter(&s, "write rabbit-1 soon");
    assert_true(screen_says(&s, "for how long?"));
    enter(&s, "write kafka-b");
    assert_true(screen_says(&s, "an endpoint's name?"));
    enter(&s, "write off");
    assert_true(screen_says(&s, "READ-ONLY"));
    for (size_t i = 0; i < 3; i++)
        s.config.endpoints[i].endpoint.write = true;
    enter(&s, "write");
    assert_true(screen_says(&s, "without a limit: there is nothing to open"));
    assert_true(screen_says(&s, " WRITE "));
    enter(&s, "write kafka-a 2m");
    assert_true(screen_says(&s, "The configuration opens kafka-a"));
    tear_down_changes(&s);
}

static void only_its_own_key_says_yes(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 80, 24);
    publish("orders.dlq", 3);
    enter(&s, "write");
    enter(&s, "move rabbit-1/orders.dlq --to rabbit-1/parked");
    wait_until_says(&s, "move 3 messages");
    type(&s, "xy"); /* too fast: these were meant for what was there before */
    assert_true(screen_says(&s, "y Move 3 messages"));
    golden(&s, "confirm");
    for (const char *key = "x\rX qn"; *key; key++) {
        pass(NS_PER_S);
        screen_key(s.screen, *key);
        assert_true(screen_says(&s, "Nothing was changed"));
        type(&s, "x");
    }
    pass(NS_PER_S);
    screen_key(s.screen, UIKEY_PASTE_BEGIN);
    type(&s, "y\ry\r");
    screen_key(s.screen, UIKEY_PASTE_END);
    assert_true(screen_says(&s, "y Move 3 messages"));
    assert_int_equal(held("parked"), 0);
    type(&s, "y");
    wait_until_says(&s, "● done");
    assert_int_equal(held("parked"), 3);
    assert_int_equal(held("orders.dlq"), 0);
    wait_until_says(&s, "now: 0 ready in rabbit-1/orders.dlq, 3 before");
    wait_until_says(&s, "now: 3 ready in rabbit-1/parked, 0 before");
    wait_until_says(&s, "undo: X u, or signalbox move rabbit-1/parked --to rabbit-1/orders.dlq");
    tear_down_changes(&s);
}

/* From its own view, by the form and its question, as anything else. */
static void what_was_moved_is_moved_back(void **state)
{
    struct stage s;
    (void)state;
    CHANGES_AT_ALL_SIZES(s)
    {
        publish("orders.dlq", 3);
        publish("parked", 2); /* others' */
        enter(&s, "write");
        enter(&s, "move rabbit-1/orders.dlq --to rabbit-1/parked");
        wait_until_says(&s, "move 3 messages");
        type(&s, "x");
        pass(NS_PER_S);
        type(&s, "y");
        wait_until_says(&s, "undo: X u");
        type(&s, "X");
        assert_true(screen_says(&s, "u  undo     take back what it has sent"));
        type(&s, "u"); /* though it may not be listed yet: to look leaves no trace there */
        wait_until_says(&s, "move 3 messages");
        assert_true(screen_says(&s, "rabbit-1/parked"));
        assert_true(screen_says(&s, "headers.x-signalbox-operation~"));
        type(&s, "x");
        pass(NS_PER_S);
        type(&s, "y");
        wait_until_says(&s, "● done");
        assert_int_equal(held("orders.dlq"), 3);
        assert_int_equal(held("parked"), 2);
        enter(&s, "copy rabbit-1/orders.dlq --to rabbit-1/parked");
        wait_until_says(&s, "copy 3 messages");
        type(&s, "x");
        pass(NS_PER_S);
        type(&s, "y");
        wait_until_says(&s, "now: 5 ready in rabbit-1/parked, 2 before"); /* not that of before any more */
        wait_until_says(&s, "undo: X u");
        type(&s, "Xu");
        wait_until_says(&s, "purge 3 messages");
        type(&s, "q");
        enter(&s, "copy rabbit-1/orders.dlq --to rabbit-1/parked --no-mark");
        wait_until_says(&s, "copy 3 messages");
        type(&s, "x");
        pass(NS_PER_S);
        type(&s, "y");
        wait_until_says(&s, "it cannot be undone");
        type(&s, "X");
        assert_true(screen_says(&s, "without marks what was sent"));
    }
}

static void production_asks_for_the_name(void **state)
{
    struct stage s;
    (void)state;
    CHANGES_AT_ALL_SIZES(s)
    {
        publish("orders.dlq", 3);
        s.config.endpoints[1].endpoint.production = true;
        enter(&s, "write rabbit-1");
        pass(NS_PER_S);
        type(&s, "rabbit-1\r");
        enter(&s, "move rabbit-1/orders.dlq --to rabbit-1/parked");
        wait_until_says(&s, "move 3 messages");
        type(&s, "x");
        pass(NS_PER_S);
        type(&s, "y\r");
        assert_int_equal(held("parked"), 0);
        golden(&s, "confirm-production");
        assert_false(screen_says(&s, "severe"));
        assert_true(screen_says(&s, "That is not the name, whole"));
        screen_key(s.screen, UIKEY_ERASE);
        assert_false(screen_says(&s, "That is not the name"));
        screen_key(s.screen, UIKEY_PASTE_BEGIN);
        type(&s, "rabbit-1/orders.dlq");
        screen_key(s.screen, UIKEY_PASTE_END);
        assert_true(screen_says(&s, "Move 3 messages (off until typed)"));
        type(&s, "rabbit-1/orders.dlq\r"); /* and the other end */
        assert_int_equal(held("parked"), 0);
        type(&s, "rabbit-1/parked");
        assert_true(screen_says(&s, "Enter: Move 3 messages"));
        type(&s, "\r");
        wait_until_says(&s, "● done");
        assert_int_equal(held("parked"), 3);
    }
}

static void what_cannot_be_restored_asks_for_the_name(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 80, 24);
    publish("orders.dlq", 3);
    enter(&s, "write");
    enter(&s, "purge rabbit-1/orders.dlq --no-archive");
    wait_until_says(&s, "NOTHING of it");
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y\r");
    assert_int_equal(held("orders.dlq"), 3);
    screen_key(s.screen, UIKEY_CONTROL('u'));
    type(&s, "rabbit-1/orders.dlq\r");
    wait_until_says(&s, "● done");
    assert_int_equal(held("orders.dlq"), 0);
    tear_down_changes(&s);
}

/* ---- what is there more than once ---- */

static void publish_twins(void)
{
    static const char *const ids[] = {"a", "b", "a", "c", "a", "b"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char body[40];
        snprintf(body, sizeof body, "{\"n\":%d}", *ids[i] == 'b' ? (int)i : 1);
        struct message m = {.id = bytes_of_text(ids[i]),
                            .payload = bytes_of_text(body),
                            .time_ns = FAKE_NOW - (int64_t)(600 - i * 17) * NS_PER_S};
        assert_int_equal(memory_publish("orders.dlq", &m, NULL, NULL), ERR_OK);
    }
}

static void duplicates_are_reported(void **state)
{
    struct stage s;
    (void)state;
    CHANGES_AT_ALL_SIZES(s)
    {
        publish_twins();
        type(&s, "/orders.dlq\rGXd");
        wait_until_says(&s, "2 groups");
        golden(&s, "dedupe");
        type(&s, "j");
        golden(&s, "dedupe-second");
        type(&s, "vv");
        wait_until_says(&s, "RULE      body");
        wait_until_says(&s, "1 group ");
        type(&s, "q");
        enter(&s, "dedupe rabbit-1/orders.dlq --by field:m");
        wait_until_says(&s, "no message has a field:m");
        assert_int_equal(held("orders.dlq"), 6);
        enter(&s, "dedupe rabbit-1/orders.dlq --by colour");
        wait_until_says(&s, "`colour` is no rule");
    }
}

static void duplicates_are_removed_and_restored(void **state)
{
    struct stage s;
    (void)state;
    CHANGES_AT_ALL_SIZES(s)
    {
        publish_twins();
        enter(&s, "write");
        type(&s, "/orders.dlq\rGXd");
        wait_until_says(&s, "2 groups");
        type(&s, "x");
        wait_until_says(&s, "remove 2 extras");
        assert_true(screen_says(&s, "1 extra of groups"));
        type(&s, "jjj "); /* groups whose bodies differ, too */
        wait_until_says(&s, "remove 3 extras");
        assert_true(screen_says(&s, "--bodies-differ"));
        type(&s, " ");
        wait_until_says(&s, "remove 2 extras");
        type(&s, "x");
        assert_true(screen_says(&s, "y Remove 2 extras"));
        pass(NS_PER_S);
        type(&s, "y");
        wait_until_says(&s, "● done");
        assert_int_equal(held("orders.dlq"), 4);
        wait_until_says(&s, "archived in");
        type(&s, "X");
        wait_until_says(&s, "bring back");
        type(&s, "u");
        wait_until_says(&s, "restore 2 messages");
        type(&s, "q");
        assert_false(screen_says(&s, "Report")); /* it is old news */
    }
}

static void a_copy_leaves_the_extras_out(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 80, 24);
    publish_twins();
    enter(&s, "write");
    enter(&s, "dedupe rabbit-1/orders.dlq --by id --keep last --bodies-differ --to rabbit-1/parked");
    wait_until_says(&s, "copy 3 messages");
    assert_true(screen_says(&s, "--keep last --bodies-differ"));
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "● done");
    assert_int_equal(held("orders.dlq"), 6);
    assert_int_equal(held("parked"), 3);
    enter(&s, "dedupe rabbit-1/orders.dlq --by id --keep middle");
    assert_true(screen_says(&s, "write first or last"));
    enter(&s, "dedupe rabbit-1/orders.dlq --by colour --keep last");
    assert_true(screen_says(&s, "`colour` is no rule"));
    assert_int_equal(memory_declare("log", CHANNEL_TOPIC, NULL, NULL), ERR_OK);
    enter(&s, "dedupe rabbit-1/log --by id --keep last"); /* a topic removes none */
    wait_until_says(&s, "--to ADDRESS");
    type(&s, "x");
    assert_true(screen_says(&s, "It cannot be done"));
    tear_down_changes(&s);
}

static void a_look_that_marks_is_asked_for(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 80, 24);
    publish_twins();
    s.hub->endpoints[1].channels->items[2].browse_effect = EFFECT_MARKS;
    enter(&s, "dedupe rabbit-1/orders.dlq --by key");
    assert_true(screen_says(&s, "r reads the channel: that MARKS"));
    type(&s, "r");
    wait_until_says(&s, "no message has a key");
    type(&s, "x");
    wait_until_says(&s, "remove the extras");
    assert_true(screen_says(&s, "2 Dry run ●"));
    type(&s, "q");
    enter(&s, "dedupe kafka-a/orders");
    wait_until_says(&s, "nobody is there");
    tear_down_changes(&s);
}

/* ---- what is under way, and what was ---- */

static void a_purge_is_restored_from_the_journal(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 120, 40);
    publish("orders.dlq", 3);
    enter(&s, "write");
    enter(&s, "purge rabbit-1/orders.dlq");
    wait_until_says(&s, "purge 3 messages");
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "● done");
    assert_int_equal(held("orders.dlq"), 0);
    type(&s, "4");
    wait_until_says(&s, "begun");
    type(&s, "X");
    wait_until_says(&s, "bring back what a purge or a dedupe has archived");
    type(&s, "u");
    wait_until_says(&s, "restore 3 messages");
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "● done");
    assert_int_equal(held("orders.dlq"), 3);
    tear_down_changes(&s);
}

/* By its name or its path, as at the command line. */
static void an_archive_is_restored_by_its_name(void **state)
{
    struct stage s;
    char line[200], elsewhere[240];
    (void)state;
    set_up_changes(&s, 120, 40);
    publish("orders.dlq", 3);
    enter(&s, "write");
    enter(&s, "purge rabbit-1/orders.dlq");
    wait_until_says(&s, "purge 3 messages");
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "● done");
    wait_until_says(&s, "archived in");
    snprintf(line, sizeof line, "%s/signalbox/archives", home);
    DIR *folder = opendir(line);
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));)
        if (e->d_name[0] != '.')
            snprintf(line, sizeof line, "restore %.100s", e->d_name);
    closedir(folder);
    enter(&s, line);
    wait_until_says(&s, "restore 3 messages");
    assert_true(screen_says(&s, "rabbit-1/orders.dlq")); /* where they were */
    snprintf(elsewhere, sizeof elsewhere, "%s --to rabbit-1/parked", line);
    enter(&s, elsewhere);
    wait_until_says(&s, "rabbit-1/parked");
    wait_until_says(&s, "restore 3 messages");
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "● done");
    assert_int_equal(held("parked"), 3);
    enter(&s, elsewhere); /* once */
    wait_until_says(&s, "was restored by operation");
    enter(&s, "restore nothing");
    assert_true(screen_says(&s, "no archive of that path or name"));
    enter(&s, "restore /etc/hostname");
    assert_true(screen_says(&s, "this is no signalbox archive"));
    enter(&s, "restore");
    assert_true(screen_says(&s, "restore what? :restore ARCHIVE"));
    tear_down_changes(&s);
}

static void a_job_is_paused_and_cancelled(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 80, 24);
    publish("orders.dlq", 500);
    enter(&s, "write");
    enter(
        &s,
        "move rabbit-1/orders.dlq --to rabbit-1/parked --rate 1/s"); /* the clock stands: it never gets on */
    wait_until_says(&s, "move 500 messages");
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "▶ running");
    wait_until_says(&s, "▶ 1 job");
    type(&s, "p");
    wait_until_says(&s, "■ paused");
    type(&s, "p");
    wait_until_says(&s, "▶ running");
    type(&s, "-");
    assert_true(screen_says(&s, "at most 1 messages a second"));
    type(&s, "11q");
    assert_true(screen_says(&s, "Leave signalbox?"));
    assert_int_equal(screen_take_wants(s.screen), 0);
    pass(NS_PER_S);
    type(&s, "n4");
    wait_until_says(&s, "▶ running");
    screen_key(s.screen, UIKEY_CONTROL('c'));
    assert_true(screen_says(&s, "y cancel it"));
    pass(NS_PER_S);
    screen_key(s.screen, UIKEY_CONTROL('c')); /* which is no yes */
    wait_until_says(&s, "▶ running");
    type(&s, "c");
    assert_true(screen_says(&s, "y cancel it"));
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "■ cancelled");
    assert_int_equal(held("parked") + held("orders.dlq"), 500);
    type(&s, "p");
    assert_true(screen_says(&s, "It is not under way"));
    tear_down_changes(&s);
}

/* A question needs room: where there is none, no key ends what runs. */
static void a_small_terminal_does_not_end_a_job(void **state)
{
    struct stage s;
    (void)state;
    set_up_changes(&s, 80, 24);
    publish("orders.dlq", 5);
    enter(&s, "write");
    enter(&s, "move rabbit-1/orders.dlq --to rabbit-1/parked --rate 1/s");
    wait_until_says(&s, "move 5 messages");
    type(&s, "x");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "▶ running");
    screen_take_wants(s.screen);
    static const int small[][2] = {{40, 10}, {80, 15}};
    for (size_t i = 0; i < 2; i++) {
        assert_true(screen_resize(s.screen, small[i][0], small[i][1]));
        assert_true(screen_says(&s, "A job runs: enlarge to leave"));
        type(&s, "q");
        assert_int_equal(screen_take_wants(s.screen), 0);
    }
    assert_true(screen_resize(s.screen, 80, 24));
    type(&s, "c");
    pass(NS_PER_S);
    type(&s, "y");
    wait_until_says(&s, "■ cancelled");
    assert_true(screen_resize(s.screen, 40, 10));
    wait_until_says(&s, "q quits");
    type(&s, "q");
    assert_int_equal(screen_take_wants(s.screen), SCREEN_QUIT);
    tear_down_changes(&s);
}

static void write_row(struct journal *j, const char *id, enum operation_kind kind, enum operation_state state,
                      const char *to, int64_t ago_s, int64_t took_s, struct operation_counts counts)
{
    struct plan plan = {.kind = kind, .from = "rabbit-1/orders.dlq", .to = to, .limit = -1};
    struct buffer json;
    buffer_init(&json, 1 << 20);
    plan_write(&plan, &json);
    struct journal_operation o = {.kind = kind,
                                  .state = OPERATION_RUNNING,
                                  .from = "rabbit-1/orders.dlq",
                                  .to = to,
                                  .who = "ana",
                                  .host = "bastion-1",
                                  .command = "signalbox replay rabbit-1/orders.dlq --execute",
                                  .plan = buffer_view(&json),
                                  .archive = kind == OPERATION_PURGE ? "/archives/a.sba" : NULL,
                                  .created_ns = FAKE_NOW - ago_s * NS_PER_S,
                                  .counts = counts};
    snprintf(o.id, sizeof o.id, "%s", id);
    assert_int_equal(journal_create(j, &o, NULL), ERR_OK);
    for (uint64_t i = 1; i <= (uint64_t)(counts.done + counts.failed); i++) {
        struct journal_message m = {.sequence = i,
                                    .state = i <= (uint64_t)counts.failed ? DELIVERY_FAILED : DELIVERY_DONE,
                                    .from = {.kind = POSITION_OFFSET, .offset = (int64_t)i},
                                    .size = 49 * i,
                                    .label = BYTES_LITERAL("o-88412"),
                                    .reason = i <= (uint64_t)counts.failed ? "no queue is bound to that key"
                                                                           : NULL};
        assert_int_equal(journal_put(j, o.number, &m, NULL), ERR_OK);
    }
    o.state = state;
    o.note = counts.failed ? "2 messages were not routed" : NULL;
    o.ended_ns = state == OPERATION_RUNNING ? 0 : o.created_ns + took_s * NS_PER_S;
    assert_int_equal(journal_update(j, &o, NULL), ERR_OK);
    buffer_free(&json);
}

static void write_journal(void)
{
    struct journal *j = journal_open(NULL);
    const struct journal_event e = {FAKE_NOW - 100 * NS_PER_S, "ana", "bastion-1", "unlock",
                                    "3 of 3 endpoints, for 10m"};
    assert_non_null(j);
    write_row(j, "aaaa1111aaaa1111", OPERATION_REPLAY, OPERATION_DONE, NULL, 9000, 22,
              (struct operation_counts){415, 412, 3, 0, 0});
    write_row(j, "bbbb2222bbbb2222", OPERATION_PURGE, OPERATION_CANCELLED, NULL, 7000, 9,
              (struct operation_counts){1000, 300, 0, 0, 0});
    write_row(j, "cccc3333cccc3333", OPERATION_MOVE, OPERATION_PARTIAL, "kafka-a/orders", 600, 61,
              (struct operation_counts){20, 16, 1, 2, 1});
    write_row(j, "dddd4444dddd4444", OPERATION_COPY, OPERATION_RUNNING, "kafka-a/orders", 90, 0,
              (struct operation_counts){1096, 417, 0, 0, 0});
    assert_int_equal(journal_note(j, &e, NULL), ERR_OK);
    journal_close(&j);
}

static void jobs_and_audit_log(void **state)
{
    struct stage s;
    (void)state;
    write_journal();
    CHANGES_AT_ALL_SIZES(s)
    {
        type(&s, "4");
        wait_until_says(&s, "interrupted");
        golden(&s, "jobs");
        type(&s, "j\r");
        wait_until_says(&s, "no queue is bound");
        golden(&s, "run");
        type(&s, "qk");
        type(&s, "X");
        golden(&s, "change-operation");
        type(&s, "q\t");
        assert_false(screen_says(&s, "p pause"));
        assert_true(screen_says(&s, "X change")); /* of the line's operation */
        golden(&s, "jobs-audit");
        type(&s, "X");
        assert_true(screen_says(&s, "Change  operation dddd4444dddd4444"));
        type(&s, "qj");
        assert_false(screen_says(&s, "X change")); /* an event */
        type(&s, "k");
        type(&s, "\r");
        wait_until_says(&s, "dddd4444dddd4444");
    }
}

static void no_operation_yet(void **state)
{
    struct stage s;
    (void)state;
    CHANGES_AT_ALL_SIZES(s)
    {
        type(&s, "4");
        wait_until_says(&s, "No operation yet");
        golden(&s, "jobs-empty");
        type(&s, "X");
        assert_true(screen_says(&s, "There is no operation under the cursor"));
    }
}

/* No size may run into anything. */
static void any_size_draws(void **state)
{
    struct stage s;
    (void)state;
    write_journal();
    for (int w = SCREEN_MIN_WIDTH; w <= 140; w += 20)
        for (int h = SCREEN_MIN_HEIGHT; h <= 32; h += 4) {
            set_up_changes(&s, w, h);
            publish_twins();
            enter(&s, "write");
            type(&s, "/orders.dlq\rGX");
            screen_draw(s.screen);
            type(&s, "d");
            wait_until_says(&s, "RESULT");
            enter(&s, "purge rabbit-1/orders.dlq --select 'a b'");
            wait_until_says(&s, "Would");
            type(&s, "x");
            screen_draw(s.screen);
            screen_key(s.screen, UIKEY_DOWN);
            enter(&s, "copy rabbit-1/orders.dlq --to rabbit-1/parked");
            pass(NS_PER_S);
            screen_key(s.screen, UIKEY_ESCAPE);
            type(&s, "4");
            wait_until_says(&s, "interrupted");
            type(&s, "\t\tj\r");
            wait_until_says(&s, "OUTCOME");
            type(&s, "jjG");
            screen_draw(s.screen);
            tear_down_changes(&s);
        }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_menu_says_why_not),
        CASE(the_menus_help_lists_its_keys),
        CASE(the_same_command_names_the_configuration),
        CASE(chosen_messages_are_named_by_their_positions),
        CASE(chosen_messages_are_not_missed_before_a_look),
        CASE(a_dry_run_comes_by_itself),
        CASE(what_would_be_skipped_is_not_replayed),
        CASE(reasons_are_counted_by_the_dry_run_alone),
        CASE(headers_that_change_are_shown),
        CASE(what_looking_marks_is_asked_for),
        CASE(a_form_says_what_is_wrong),
        CASE(nothing_changes_before_it_is_allowed),
        CASE(endpoints_are_opened_one_by_one),
        CASE(only_its_own_key_says_yes),
        CASE(what_was_moved_is_moved_back),
        CASE(production_asks_for_the_name),
        CASE(what_cannot_be_restored_asks_for_the_name),
        CASE(duplicates_are_reported),
        CASE(duplicates_are_removed_and_restored),
        CASE(a_copy_leaves_the_extras_out),
        CASE(a_look_that_marks_is_asked_for),
        CASE(a_purge_is_restored_from_the_journal),
        CASE(an_archive_is_restored_by_its_name),
        CASE(a_job_is_paused_and_cancelled),
        CASE(a_small_terminal_does_not_end_a_job),
        CASE(jobs_and_audit_log),
        CASE(no_operation_yet),
        CASE(any_size_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
