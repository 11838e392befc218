/* What a row shows of what is wrapped. */
#include "unwrap_rig.h"

#include "base/text.h"
#include "engine/decode.h"
#include "registry.h"

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

static const char *format_in_row(struct bytes in)
{
    struct message m = {.payload = in};
    buffer_clear(&text);
    return decode_summary(registry.decoders, &m, 60, &text);
}

/* Its format, too; what stands behind the base64 is seen at the end. The inspector and the shell read it all. */
static void a_row_has_its_format_from_both_ends(void **state)
{
    (void)state;
    struct message m = {.payload = base64(items(MIB))};
    assert_string_equal(format_in_row(m.payload), "unwrap");
    assert_true(text_starts(buffer_cstr(&text), "base64: {\"items\":[{\"id\":"));
    memset(b64.data + 300 * KIB, '!', 1000);
    assert_string_equal(format_in_row(m.payload), "unwrap");
    assert_string_equal(decode_format(registry.decoders, &m), "text");
    base64(items(MIB));
    buffer_text(&b64, "\nand words\n");
    assert_string_equal(format_in_row(buffer_view(&b64)), "text");
    assert_null(format_in_row(BYTES_NULL));
    assert_string_equal(format_in_row(BYTES_LITERAL("")), "text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_shows_what_is_innermost),
        TEST(a_row_of_what_is_damaged_shows_its_bytes),
        TEST(a_row_does_not_look_further),
        TEST(a_row_has_its_format_from_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
