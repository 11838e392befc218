/* Any text as a filter: no crash, and a fault has its place inside the text. What compiles is run. */
#include "fuzz.h"

#include "base/clock.h"
#include "engine/filter.h"
#include "registry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct err_info err = {0};
    size_t caret = 0;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct filter *f =
        filter_new(text, size % 2 ? FILTER_MESSAGES : FILTER_LIST, registry.decoders, &caret, &err);
    struct message m = {.origin = origin_intern("e", "c", CHANNEL_TOPIC),
                        .payload = BYTES_LITERAL("{\"a\":[1,\"x\\u00e9\"]}")};
    struct filter_row row = {.name = "a", .depth = 1, .lag = -1, .p95_ms = -1, .age_ns = -1};
    if (f && size % 2)
        (void)filter_message(f, &m, 0);
    else if (f)
        (void)filter_row(f, &row);
    else if (caret > strlen(text) || !err.text[0])
        abort();
    filter_free(&f);
    free(text);
    return 0;
}
