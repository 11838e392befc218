/* What the tests of wrappings wrap: three buffers, and payloads made in them. */
#ifndef TESTS_UNIT_DECODERS_UNWRAP_RIG_H
#define TESTS_UNIT_DECODERS_UNWRAP_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "decoders/unwrap.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

static struct buffer text, gz, b64;

static int setup(void **state)
{
    (void)state;
    buffer_init(&text, 64 * MIB);
    buffer_init(&gz, 64 * MIB);
    buffer_init(&b64, 64 * MIB);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffer_free(&text);
    buffer_free(&gz);
    buffer_free(&b64);
    return 0;
}

static struct bytes zip(struct bytes in)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.len};
    buffer_clear(&gz);
    deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    z.avail_out = (uInt)deflateBound(&z, in.len);
    z.next_out = buffer_reserve(&gz, z.avail_out);
    deflate(&z, Z_FINISH);
    gz.len = z.total_out;
    deflateEnd(&z);
    return buffer_view(&gz);
}

static struct bytes base64(struct bytes in)
{
    buffer_clear(&b64);
    buffer_base64(&b64, in);
    return buffer_view(&b64);
}

#define BAD_ZSTD BYTES_LITERAL("\x28\xB5\x2F\xFD\x20\x10\x81\x5A\x61 no blocks")

/* {"items":[...],"end":"GZ-END"} of so many bytes or a few more, without much to compress. */
__attribute__((unused)) static struct bytes items(size_t len)
{
    uint32_t random = 1;
    buffer_clear(&text);
    buffer_text(&text, "{\"items\":[");
    while (text.len < len) {
        random = random * 1103515245 + 12345;
        buffer_printf(&text, "%s{\"id\":%u,\"name\":\"", text.len > 10 ? "," : "", random % 99991);
        for (int i = 0; i < 8; i++)
            buffer_printf(&text, "%08x", random >> i);
        buffer_text(&text, "\"}");
    }
    buffer_text(&text, "],\"end\":\"GZ-END\"}");
    return buffer_view(&text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
