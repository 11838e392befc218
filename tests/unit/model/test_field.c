#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/limits.h"
#include "model/field.h"

static struct arena arena;
static struct field_tree tree;

static uint32_t named(uint32_t parent, enum field_kind kind, struct bytes name)
{
    uint32_t i = field_add(&tree, parent, kind);
    field_set_name(&tree, i, 0, 0, name);
    return i;
}

/* {"a":{"b":[10,20]},"c.d":"x"} with made-up ranges */
static int setup(void **state)
{
    (void)state;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    field_tree_init(&tree, &arena, BYTES_NULL);
    uint32_t root = named(UINT32_MAX, FIELD_OBJECT, BYTES_NULL);
    uint32_t a = named(root, FIELD_OBJECT, BYTES_LITERAL("a"));
    uint32_t b = named(a, FIELD_ARRAY, BYTES_LITERAL("b"));
    uint32_t ten = named(b, FIELD_NUMBER, BYTES_NULL);
    uint32_t twenty = named(b, FIELD_NUMBER, BYTES_NULL);
    field_set_text(&tree, ten, BYTES_LITERAL("10"));
    field_set_text(&tree, twenty, BYTES_LITERAL("20"));
    field_end(&tree, b);
    field_end(&tree, a);
    uint32_t cd = named(root, FIELD_STRING, BYTES_LITERAL("c.d"));
    field_set_text(&tree, cd, BYTES_LITERAL("x"));
    field_end(&tree, root);
    for (uint32_t i = 0; i < tree.count; i++)
        tree.nodes[i].offset = i, tree.nodes[i].length = tree.nodes[i].next - i;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static bool append(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    (void)kind, (void)raw;
    char *into = context;
    size_t len = strlen(into);
    memcpy(into + len, text.data, text.len);
    into[len + text.len] = ' ';
    into[len + text.len + 1] = '\0';
    return true;
}

static const char *found(const char *path)
{
    static char text[100];
    struct field_path p;
    static struct err_info err;
    text[0] = '\0';
    if (field_path_parse(&p, bytes_of_text(path), &arena, &err))
        return err.text;
    field_find(&tree, &p, append, text);
    return text;
}

static void paths_find_nodes(void **state)
{
    (void)state;
    assert_string_equal(found("a.b[0]"), "10 ");
    assert_string_equal(found("a.b[*]"), "10 20 ");
    assert_string_equal(found("a.b[2]"), "");
    assert_string_equal(found("\"c.d\""), "x ");
    assert_string_equal(found("/a/b/1"), "20 ");
    assert_string_equal(found("/c.d"), "x ");
    assert_string_equal(found("a.nothing.at.all"), "");
    assert_string_equal(found("a[0]"), "");
}

static void wrong_paths_are_errors(void **state)
{
    (void)state;
    static const char *const wrong[] = {".a",    "a.",  "a[",    "a[x]",
                                        "a[-1]", "\"a", "/a/~2", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct field_path p;
        assert_int_equal(field_path_parse(&p, bytes_of_text(wrong[i]), &arena, NULL), ERR_USAGE);
    }
}

static void nodes_have_paths_and_places(void **state)
{
    (void)state;
    char path[100];
    assert_string_equal(field_path(&tree, 4, path, sizeof path), "a.b[1]");
    assert_string_equal(field_path(&tree, 5, path, sizeof path), "\"c.d\"");
    assert_string_equal(field_path(&tree, 0, path, sizeof path), "");
    assert_int_equal(tree.nodes[2].children, 2);
    assert_int_equal(field_at(&tree, 0, 4), 4);
    assert_int_equal(field_at(&tree, 0, 99), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths_find_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_paths_are_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(nodes_have_paths_and_places, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
