/* The JSON reader over any bytes: tokens stand inside the text and in order, skipping agrees with walking, what was read reads
 * the same once it was written again, and cJSON reads the same, before and after. */
#include "fuzz.h"

#include "base/json.h"
#include "base/limits.h"
#include "tests/support/witness.h"

#include <stdlib.h>

#define DEPTH 60 /* the writer's is 64 */

static void require(int truth)
{
    if (!truth)
        abort();
}

static void check_number(struct bytes number)
{
    int64_t i;
    uint64_t u;
    double d;
    require(json_compare(number, number) == 0);
    require(json_to_double(number, &d));
    if (json_to_int64(number, &i) && i >= 0)
        require(json_to_uint64(number, &u) && u == (uint64_t)i);
}

static struct bytes plain(const struct json_reader *r, struct buffer *text)
{
    buffer_clear(text);
    require(json_unescape(r->raw, text));
    require(json_raw_equal(r->raw, r->escaped, buffer_view(text)));
    return text->len ? buffer_view(text) : BYTES_LITERAL("");
}

static void put_event(struct json_writer *w, const struct json_reader *r, enum json_event e,
                      struct buffer *text)
{
    switch (e) {
    case JSON_OBJECT: json_object(w); break;
    case JSON_OBJECT_END: json_object_end(w); break;
    case JSON_ARRAY: json_array(w); break;
    case JSON_ARRAY_END: json_array_end(w); break;
    case JSON_NAME: json_name_bytes(w, plain(r, text)); break;
    case JSON_STRING: json_string(w, plain(r, text)); break;
    case JSON_NUMBER: check_number(r->raw); /* fall through */
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL: json_raw(w, r->raw); break;
    case JSON_ERROR:
    case JSON_END: break;
    }
}

/* Walks all of it, writing it anew. */
static enum json_event rewrite(struct bytes in, struct buffer *out, size_t *error_at)
{
    struct json_reader r;
    struct json_writer w;
    struct buffer text;
    enum json_event e;
    size_t behind = 0;
    buffer_init(&text, in.len + 16);
    json_write(&w, out);
    json_read(&r, in, DEPTH);
    while ((e = json_next(&r)) != JSON_ERROR && e != JSON_END) {
        require(r.start >= behind && r.start < r.at && r.at <= in.len);
        behind = r.at;
        put_event(&w, &r, e, &text);
    }
    require((e == JSON_ERROR) == (r.error != NULL) && r.at <= in.len && (e == JSON_ERROR || r.depth == 0));
    require(json_next(&r) == e);
    *error_at = r.at;
    buffer_free(&text);
    return e;
}

static void skip_agrees(struct bytes in, enum json_event walked, size_t error_at)
{
    struct json_reader r;
    json_read(&r, in, DEPTH);
    enum json_event e = json_next(&r);
    if (e == JSON_OBJECT || e == JSON_ARRAY)
        e = json_skip(&r);
    if (e != JSON_ERROR)
        e = json_next(&r);
    require(e == walked && r.at == error_at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct buffer once, twice;
    size_t at;
    buffer_init(&once, 64 * MIB);
    buffer_init(&twice, 64 * MIB);
    enum json_event e = rewrite(in, &once, &at);
    skip_agrees(in, e, at);
    if (e == JSON_END) {
        require(rewrite(buffer_view(&once), &twice, &at) == JSON_END);
        require(bytes_equal(buffer_view(&once), buffer_view(&twice)));
        require(!witness_objects(in) && !witness_objects(buffer_view(&once)));
    }
    buffer_free(&once);
    buffer_free(&twice);
    return 0;
}
