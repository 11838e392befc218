#include "operations/identity.h"

#include "base/hash.h"

struct digest {
    struct sha256 *sha;
    const char *const *counters;
};

static void add_u64(struct digest *d, uint64_t n)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> 8 * i);
    sha256_add(d->sha, bytes_of(bytes, sizeof bytes));
}

/* Lengths go before contents, so that no two messages run together alike. */
static void add_bytes(struct digest *d, struct bytes b)
{
    add_u64(d, b.data ? b.len : UINT64_MAX);
    sha256_add(d->sha, b);
}

static void add_headers(struct digest *d, struct headers headers);

static void add_value(struct digest *d, const struct value *v)
{
    add_u64(d, v->type);
    switch (v->type) {
    case VALUE_VOID:
    case VALUE_TYPES: break;
    case VALUE_BOOL: add_u64(d, v->b); break;
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64: add_u64(d, (uint64_t)v->i); break;
    case VALUE_UINT8:
    case VALUE_UINT16:
    case VALUE_UINT32:
    case VALUE_UINT64:
    case VALUE_TIMESTAMP: add_u64(d, v->u); break;
    case VALUE_FLOAT:
    case VALUE_DOUBLE: sha256_add(d->sha, bytes_of(&v->f, sizeof v->f)); break;
    case VALUE_DECIMAL:
        add_u64(d, v->decimal.scale);
        add_u64(d, (uint64_t)v->decimal.digits);
        break;
    case VALUE_STRING:
    case VALUE_BYTES: add_bytes(d, v->bytes); break;
    case VALUE_ARRAY:
    case VALUE_TABLE: add_headers(d, (struct headers){v->list.items, v->list.count}); break;
    }
}

static bool is_counter(const struct digest *d, struct bytes name)
{
    for (size_t i = 0; d->counters && d->counters[i]; i++)
        if (bytes_equal_text(name, d->counters[i]))
            return true;
    return false;
}

/* A table that holds counters alone may not have been there before the first delivery. */
static void add_headers(struct digest *d, struct headers headers)
{
    uint32_t count = 0;
    for (uint32_t i = 0; headers.items && i < headers.count; i++) {
        if (is_counter(d, headers.items[i].name))
            continue;
        add_bytes(d, headers.items[i].name);
        add_value(d, &headers.items[i].value);
        count++;
    }
    add_u64(d, count);
}

enum err identity_of(const struct message *m, const char *const *counters, uint8_t identity[IDENTITY_SIZE],
                     struct err_info *err)
{
    uint8_t whole[SHA256_SIZE];
    struct digest d = {.sha = sha256_new(), .counters = counters};
    if (!d.sha)
        return err_set(err, ERR_NOMEM, "no memory for a digest");
    add_bytes(&d, m->id);
    add_bytes(&d, m->key);
    add_bytes(&d, m->payload);
    add_headers(&d, m->properties);
    add_headers(&d, m->headers);
    sha256_end(&d.sha, whole);
    memcpy(identity, whole, IDENTITY_SIZE);
    return ERR_OK;
}
