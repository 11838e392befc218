/* The archive's reader behind its sum: the input is the part between header and end, the sum is made to fit. The last byte counts as
 * the number of messages, too. What can be read is written again, and then reads the same. */
#include "fuzz.h"

#include "base/limits.h"
#include "engine/archive.h"
#include "tests/support/equal.h"

#include <stdlib.h>

static const struct archive_header header = {.endpoint = "k", .channel = "c"};

static void require(int truth)
{
    if (!truth)
        abort();
}

static void check_same(const struct message *a, const struct message *b)
{
    require(bytes_equal(a->id, b->id) && bytes_equal(a->key, b->key) && bytes_equal(a->payload, b->payload));
    require(!a->key.data == !b->key.data && !a->payload.data == !b->payload.data);
    require(headers_equal(a->headers, b->headers) && headers_equal(a->properties, b->properties));
    require(a->time_ns == b->time_ns && a->received_ns == b->received_ns && a->flags == b->flags);
    require(a->position.kind == b->position.kind && a->position.partition == b->position.partition &&
            a->position.offset == b->position.offset);
}

/* Both from the first message on. */
static void compare(struct archive *a, struct bytes written)
{
    struct archive b;
    struct err_info err;
    struct message m, n;
    enum err e = archive_open(&b, written, &err);
    require(e == ERR_OK);
    archive_rewind(a);
    while (!(e = archive_next(a, &m, &err))) {
        require(archive_next(&b, &n, &err) == ERR_OK);
        check_same(&m, &n);
    }
    require(e == ERR_END && archive_next(&b, &n, &err) == ERR_END);
    archive_close(&b);
}

static void read_all(struct bytes in)
{
    struct archive a;
    struct archive_writer w = {.sha = NULL};
    struct err_info err;
    struct message m;
    struct buffer out;
    enum err e = archive_open(&a, in, &err);
    buffer_init(&out, 64 * MIB);
    require(e || archive_begin(&w, &out, &header, &err) == ERR_OK);
    while (!e && !(e = archive_next(&a, &m, &err)))
        archive_message(&w, &out, &m);
    archive_end(&w, &out);
    if (e == ERR_END)
        compare(&a, buffer_view(&out));
    else
        require(err.text[0] != '\0');
    buffer_free(&out);
    archive_close(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct archive_writer w;
    struct err_info err;
    struct buffer out;
    buffer_init(&out, 64 * MIB);
    if (archive_begin(&w, &out, &header, &err))
        abort();
    sha256_add(w.sha, bytes_of(data, size));
    buffer_append(&out, data, size);
    w.count = size ? data[size - 1] : 0;
    archive_end(&w, &out);
    read_all(buffer_view(&out));
    buffer_free(&out);
    read_all(bytes_of(data, size));
    return 0;
}
