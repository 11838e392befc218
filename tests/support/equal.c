#include "equal.h"

#include <string.h>

static bool lists_equal(const struct header *a, uint32_t a_count, const struct header *b, uint32_t b_count)
{
    if (!a != !b || (a && a_count != b_count))
        return false;
    for (uint32_t i = 0; a && i < a_count; i++)
        if (!bytes_equal(a[i].name, b[i].name) || !value_equal(&a[i].value, &b[i].value))
            return false;
    return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VALUE_VOID: return true;
    case VALUE_BOOL: return a->b == b->b;
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64: return a->i == b->i;
    case VALUE_UINT8:
    case VALUE_UINT16:
    case VALUE_UINT32:
    case VALUE_UINT64:
    case VALUE_TIMESTAMP: return a->u == b->u;
    case VALUE_FLOAT:
    case VALUE_DOUBLE: return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case VALUE_DECIMAL: return a->decimal.scale == b->decimal.scale && a->decimal.digits == b->decimal.digits;
    case VALUE_STRING:
    case VALUE_BYTES: return bytes_equal(a->bytes, b->bytes);
    case VALUE_ARRAY:
    case VALUE_TABLE:
        if (a->list.count == 0 || b->list.count == 0)
            return a->list.count == b->list.count;
        return lists_equal(a->list.items, a->list.count, b->list.items, b->list.count);
    case VALUE_TYPES: break;
    }
    return false;
}

bool headers_equal(struct headers a, struct headers b)
{
    return lists_equal(a.items, a.count, b.items, b.count);
}
