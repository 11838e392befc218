/* The stage of the screen tests: fixed data, scripted keys, a clock that stands still. Each screen is compared with
 * tests/golden/NAME-WxH.txt; UPDATE_GOLDEN=1 writes them anew (then look at the difference before committing it). */
#ifndef TESTS_UNIT_UI_STAGE_H
#define TESTS_UNIT_UI_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_hub.h"

#include "ui/screen.h"

#include "base/limits.h"
#include "base/log.h"
#include "registry.h"

#include <time.h>
#include <unistd.h>

struct stage {
    struct config config;
    struct arena arena;
    struct hub *hub;
    struct screen *screen;
};

/* ---- setting up ---- */

static inline void set_up(struct stage *s, int w, int h, bool filled)
{
    struct err_info err;
    clock_fake(FAKE_NOW);
    *s = (struct stage){.hub = NULL};
    s->hub = fake_hub_new(&s->config, &s->arena, registry.decoders);
    if (filled)
        fake_hub_fill(s->hub);
    s->screen = screen_new(s->hub, false, &err);
    assert_non_null(s->screen);
    assert_true(screen_resize(s->screen, w, h));
}

static inline void tear_down(struct stage *s)
{
    screen_free(&s->screen);
    hub_stop(&s->hub);
}

static inline void type(struct stage *s, const char *text)
{
    for (; *text; text++)
        screen_key(s->screen, (unsigned char)*text);
}

static inline void open_tail(struct stage *s)
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

static inline void fill_tail(struct stage *s, unsigned count)
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

static inline char *read_golden(const char *path)
{
    FILE *f = fopen(path, "r");
    static char text[64 * 1024];
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    return f ? text : NULL;
}

static inline void golden(struct stage *s, const char *name)
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

static inline bool screen_says(struct stage *s, const char *text)
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

/* Each case runs at the sizes that people have: the smallest, a window, a whole screen. */
static const int sizes[][2] = {{80, 24}, {120, 40}, {200, 60}};
#define AT_ALL_SIZES(s, filled)                                                               \
 for (int size = 0; size < 3 && (set_up(&(s), sizes[size][0], sizes[size][1], filled), true); \
      size++, tear_down(&(s)))

#endif
