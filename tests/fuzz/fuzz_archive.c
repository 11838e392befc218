/* The archive's reader behind its sum: the input is the part between header and end, the sum is made to fit. */
#include "fuzz.h"

#include "base/limits.h"
#include "engine/archive.h"

#include <stdlib.h>

static void read_all(struct bytes in)
{
    struct archive a;
    struct err_info err;
    struct message m;
    if (!archive_open(&a, in, &err))
        while (!archive_next(&a, &m, &err))
            ;
    archive_close(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct archive_writer w;
    struct err_info err;
    struct buffer out;
    const struct archive_header header = {.endpoint = "k", .channel = "c"};
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
