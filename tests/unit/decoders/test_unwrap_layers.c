/* Layers within each other and beside each other: which of them are opened. */
#include "unwrap_rig.h"

#include "base/json.h"

#include <stdio.h>

static struct arena arena;
static struct field_tree tree;

static void decode(struct bytes in)
{
    arena_free(&arena);
    arena_init(&arena, LIMIT_DECODE_ARENA);
    field_tree_init(&tree, &arena, in);
    assert_int_equal(unwrap_decoder.decode(in, NULL, &tree), ERR_OK);
    assert_true(tree.complete);
}

static int let_go(void **state)
{
    arena_free(&arena);
    return teardown(state);
}

static void layers_that_stay_closed_are_said(void **state)
{
    (void)state;
    struct buffer in, next;
    buffer_init(&in, MIB);
    buffer_init(&next, MIB);
    buffer_text(&in, "{\"a\":1}");
    for (unsigned i = 1; i <= LIMIT_UNWRAP_LAYERS + 1; i++) {
        struct json_writer w;
        buffer_clear(&next);
        json_write(&w, &next);
        json_array(&w);
        json_string(&w, buffer_view(&in));
        json_array_end(&w);
        buffer_clear(&in);
        buffer_bytes(&in, buffer_view(&next));
        decode(buffer_view(&in));
        assert_int_equal(tree.unopened, i > LIMIT_UNWRAP_LAYERS);
    }
    buffer_free(&in);
    buffer_free(&next);
}

/* [one,one,...], so many of them. */
static struct bytes list_of(const char *one, int count)
{
    buffer_clear(&text);
    for (int i = 0; i < count; i++)
        buffer_printf(&text, "%c%s", i ? ',' : '[', one);
    buffer_byte(&text, ']');
    return buffer_view(&text);
}

/* It is how deep they are that counts, not how many. */
static void any_number_of_strings_is_opened(void **state)
{
    (void)state;
    decode(zip(list_of("\"{\\\"n\\\":1}\"", 20000)));
    assert_false(tree.unopened);
    assert_int_equal(tree.layer_count, 20001);
    const struct field *last = &tree.nodes[tree.count - 1];
    assert_int_equal(last->layer, 20001);
    assert_true(bytes_equal_text(field_name(&tree, last), "n"));
    assert_true(bytes_equal_text(field_text(&tree, last), "1"));
    decode(list_of("\"[0]\"", 65536)); /* that many layers have numbers */
    assert_true(tree.unopened);
    assert_int_equal(tree.layer_count, UINT16_MAX);
    assert_int_equal(tree.nodes[tree.count - 1].kind, FIELD_STRING);
}

/* Each may become a thousand times as much, and becomes little: the room for the rest is given back. */
static void small_layers_take_little_memory(void **state)
{
    (void)state;
    char one[20000];
    uint32_t random = 1;
    buffer_text(&text, "{\"n\":\"");
    while (text.len < 10 * KIB)
        buffer_byte(&text, 'A' + (random = random * 1103515245 + 12345) / 65536 % 26);
    buffer_text(&text, "\"}");
    base64(zip(buffer_view(&text)));
    snprintf(one, sizeof one, "\"%s\"", buffer_cstr(&b64));
    decode(list_of(one, 1000));
    assert_false(tree.unopened);
    assert_int_equal(tree.layer_count, 2000);
    assert_int_equal(field_text(&tree, &tree.nodes[tree.count - 1]).len, 10 * KIB - 6);
    assert_true(arena_place(&arena, arena_alloc(&arena, 1)) < 64 * MIB);
}

#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, let_go)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(layers_that_stay_closed_are_said),
        TEST(any_number_of_strings_is_opened),
        TEST(small_layers_take_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
