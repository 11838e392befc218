/* What a row shows of what is wrapped. */
#include "unwrap_rig.h"

#include "base/text.h"

static struct bytes squeeze(struct bytes in, int window_log, struct buffer *to)
{
    size_t most = ZSTD_compressBound(in.len);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    buffer_clear(to);
    uint8_t *p = buffer_reserve(to, most);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    to->len = ZSTD_compress2(context, p, most, in.data, in.len);
    ZSTD_freeCCtx(context);
    return buffer_view(to);
}

static void check_row(struct bytes in, const char *begin)
{
    struct buffer line;
    buffer_init(&line, 64 * KIB);
    unwrap_decoder.gist(in, &line);
    if (!text_starts(buffer_cstr(&line), begin))
        fail_msg("%.60s, not %s", buffer_cstr(&line), begin);
    buffer_free(&line);
}

/* A row takes the beginning off; zstd has none before its first block is whole. */
static void a_row_shows_what_is_innermost(void **state)
{
    (void)state;
    struct bytes in = items(400 * KIB), zstd;
    struct buffer other;
    buffer_init(&other, 64 * MIB);
    zstd = squeeze(in, 21, &other);
    assert_true(zstd.len > 64 * KIB);
    check_row(base64(zstd), "base64: {\"items\":[{\"id\":");
    check_row(base64(zip(zstd)), "base64: {\"items\":[{\"id\":");
    base64(zstd);
    buffer_clear(&other);
    buffer_base64(&other, buffer_view(&b64));
    check_row(buffer_view(&other), "base64: {\"items\":[{\"id\":");
    check_row(base64(zip(in)), "base64: {\"items\":[{\"id\":");
    check_row(zip(base64(in)), "gzip: {\"items\":[{\"id\":");
    check_row(squeeze(items(9 * MIB), 24, &other), "zstd: {\"items\":[{\"id\":"); /* a window of 9 MiB */
    check_row(BYTES_LITERAL("hello there!"), "hello there!");
    buffer_free(&other);
}

static void a_row_of_what_is_damaged_shows_its_bytes(void **state)
{
    (void)state;
    struct bytes in = BYTES_LITERAL("\x1F\x8B\x08garbage, garbage, garbage");
    check_row(in, "gzip: ␟\\x8b␈garbage, garbage");
    check_row(base64(in), "base64: ␟\\x8b␈garbage, garbage");
    check_row(BAD_ZSTD, "zstd: (\\xb5/");
}

/* A row is drawn again and again: what stands behind its beginning is not read. */
static void a_row_does_not_look_further(void **state)
{
    (void)state;
    base64(items(MIB));
    memset(b64.data + 300 * KIB, '!', 1000);
    check_row(buffer_view(&b64), "base64: {\"items\":[{\"id\":");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_shows_what_is_innermost),
        TEST(a_row_of_what_is_damaged_shows_its_bytes),
        TEST(a_row_does_not_look_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
