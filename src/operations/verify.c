#include "operations/verify.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/broker.h"

#include <stdio.h>

static void add_bytes(struct sha256 *sha, struct bytes b)
{
    uint8_t len[8];
    uint64_t n = b.data ? b.len : UINT64_MAX;
    for (int i = 0; i < 8; i++)
        len[i] = (uint8_t)(n >> 8 * i);
    sha256_add(sha, bytes_of(len, sizeof len));
    sha256_add(sha, b);
}

enum err verify_content(struct bytes key, struct bytes payload, unsigned carries,
                        uint8_t content[VERIFY_CONTENT_SIZE], struct err_info *err)
{
    uint8_t whole[SHA256_SIZE];
    struct sha256 *sha = sha256_new();
    if (!sha)
        return err_set(err, ERR_NOMEM, "no memory for a digest");
    if (!(carries & CARRY_NULL) && !payload.data)
        payload = BYTES_LITERAL("");
    add_bytes(sha, payload);
    if (carries & CARRY_KEY)
        add_bytes(sha, key);
    sha256_end(&sha, whole);
    memcpy(content, whole, VERIFY_CONTENT_SIZE);
    return ERR_OK;
}

/* ---- as JSON ---- */

void verified_write(const struct verified *v, struct buffer *out)
{
    struct json_writer w;
    json_write(&w, out);
    json_object(&w);
    JSON_NAME(&w, "sent");
    json_int(&w, v->sent);
    JSON_NAME(&w, "equal");
    json_int(&w, v->equal);
    JSON_NAME(&w, "differ");
    json_int(&w, v->differ);
    JSON_NAME(&w, "missing");
    json_int(&w, v->missing);
    JSON_NAME(&w, "why");
    json_text(&w, *v->why ? v->why : NULL);
    json_object_end(&w);
}

static void take_text(struct bytes raw, char *into, size_t size)
{
    struct buffer text;
    buffer_init(&text, 4 * KIB);
    if (json_unescape(raw, &text))
        text_copy(into, size, buffer_cstr(&text));
    buffer_free(&text);
}

bool verified_read(struct verified *v, const char *json)
{
    struct json_reader r;
    const struct {
        const char *name;
        int64_t *into;
    } counts[] = {{"sent", &v->sent}, {"equal", &v->equal}, {"differ", &v->differ}, {"missing", &v->missing}};
    *v = (struct verified){.sent = 0};
    if (!json)
        return false;
    json_read(&r, bytes_of_text(json), 4);
    enum json_event e = json_next(&r);
    while (e != JSON_ERROR && (e = json_next(&r)) == JSON_NAME) {
        struct bytes name = r.raw;
        e = json_next(&r);
        for (size_t i = 0; e == JSON_NUMBER && i < sizeof counts / sizeof *counts; i++)
            if (bytes_equal_text(name, counts[i].name))
                json_to_int64(r.raw, counts[i].into);
        if (e == JSON_STRING && bytes_equal_text(name, "why"))
            take_text(r.raw, v->why, sizeof v->why);
    }
    return e == JSON_OBJECT_END;
}

/* ---- for people ---- */

bool verified_is_good(const struct verified *v)
{
    return !v->differ && !v->missing;
}

char *verified_tell(const struct verified *v, char *into, size_t size)
{
    char equal[32], sent[32], other[32];
    size_t used = 0;
    bool any = v->equal || v->differ || v->missing;
#define ADD(...) used += used < size ? (size_t)snprintf(into + used, size - used, __VA_ARGS__) : 0
    *into = '\0';
    text_count(sent, sizeof sent, (uint64_t)v->sent);
    if (any)
        ADD("verified: %s of %s were read back and are equal, payload and key",
            text_count(equal, sizeof equal, (uint64_t)v->equal), sent);
    if (v->differ)
        ADD("; %s DIFFER", text_count(other, sizeof other, (uint64_t)v->differ));
    if (v->missing)
        ADD("; %s were NOT FOUND", text_count(other, sizeof other, (uint64_t)v->missing));
    if (*v->why)
        ADD("%s%s", any ? "; not all: " : "counted, not read back: ", v->why);
#undef ADD
    return into;
}
