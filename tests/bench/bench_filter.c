/* What one core filters: the path of `search` between the driver and the output, on JSON messages of 870 bytes. */
#include "base/clock.h"
#include "engine/filter.h"
#include "registry.h"

#include <inttypes.h>
#include <stdio.h>

enum { MESSAGES = 400000, SIZE = 870 };

/* An order with padding before what is looked for, so that nothing is found early. */
static struct bytes make_payload(char *into, int total)
{
    int n = snprintf(into, SIZE + 1, "{\"tenant\":\"acme\",\"lines\":[");
    while (n < SIZE - 160)
        n += snprintf(into + n, (size_t)(SIZE + 1 - n),
                      "{\"sku\":\"A-%04d\",\"quantity\":3,\"price\":19.95},", n);
    n += snprintf(into + n, (size_t)(SIZE + 1 - n),
                  "{\"sku\":\"Z-02\"}],\"order\":{\"id\":88412,\"total\":%d},\"note\":\"", total);
    while (n < SIZE - 2)
        into[n++] = 'x';
    into[n++] = '"';
    into[n++] = '}';
    return bytes_of(into, (size_t)n);
}

static void bench(const char *text, const struct message *messages, int kinds)
{
    struct err_info err;
    struct filter *f = filter_new(text, FILTER_MESSAGES, registry.decoders, NULL, &err);
    int hits = 0;
    if (!f) {
        printf("  %s: %s\n", text, err.text);
        return;
    }
    int64_t start = clock_mono_ns();
    for (int i = 0; i < MESSAGES; i++)
        hits += filter_message(f, &messages[i % kinds], 0) == FILTER_YES;
    double s = (double)(clock_mono_ns() - start) / NS_PER_S;
    printf("  filter: %8.0f messages of %d bytes a second, %6d hits: %s\n", MESSAGES / s, SIZE, hits, text);
    filter_free(&f);
}

int main(void)
{
    enum { KINDS = 4 };
    static char payloads[KINDS][SIZE + 1];
    static const char *const filters[] = {"nowhere",
                                          "acme",
                                          "'NOWHERE'",
                                          "/Z-[0-9]{3}/",
                                          "body.order.total>102",
                                          "body.lines[*].sku=Z-02",
                                          "body.missing.total=1",
                                          "body.absent=1"};
    struct message messages[KINDS];
    for (int i = 0; i < KINDS; i++)
        messages[i] = (struct message){.origin = origin_intern("k", "orders", CHANNEL_TOPIC),
                                       .time_ns = TIME_NONE,
                                       .payload = make_payload(payloads[i], 100 + i)};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        bench(filters[i], messages, KINDS);
    return 0;
}
