#include "witness.h"

#include "base/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#define LONGEST_NUMBER 62

static const char *value_objects(struct json_reader *r, enum json_event e, const cJSON *node);

static bool text_equal(const struct json_reader *r, const char *theirs)
{
    struct buffer ours;
    buffer_init(&ours, r->raw.len + 16);
    bool equal = theirs && json_unescape(r->raw, &ours) && strcmp(buffer_cstr(&ours), theirs) == 0;
    buffer_free(&ours);
    return equal;
}

static bool beyond_cjson(const struct json_reader *r, enum json_event e)
{
    if (r->depth > WITNESS_DEPTH)
        return true;
    if (e == JSON_NUMBER)
        return r->raw.len > LONGEST_NUMBER;
    if ((e != JSON_STRING && e != JSON_NAME) || !r->escaped)
        return false;
    struct buffer text;
    buffer_init(&text, r->raw.len + 16);
    json_unescape(r->raw, &text); /* a lone surrogate becomes U+FFFD */
    bool lone = memmem(text.data, text.len, "\xef\xbf\xbd", 3) != NULL;
    buffer_free(&text);
    return lone;
}

/* JSON_END where cJSON can be asked, JSON_ERROR where our reader finds a mistake. */
static enum json_event walk(struct bytes text)
{
    struct json_reader r;
    enum json_event e;
    json_read(&r, text, JSON_MOST_DEPTH);
    do
        e = json_next(&r);
    while (e != JSON_ERROR && e != JSON_END && !beyond_cjson(&r, e));
    return e;
}

static bool number_equal(struct bytes number, const cJSON *node)
{
    double ours;
    if (!json_to_double(number, &ours) || !cJSON_IsNumber(node))
        return false;
    return ours == node->valuedouble && signbit(ours) == signbit(node->valuedouble);
}

static const char *object_objects(struct json_reader *r, const cJSON *node)
{
    const char *why = cJSON_IsObject(node) ? NULL : "not an object";
    const cJSON *child = why ? NULL : node->child;
    while (!why && json_next(r) == JSON_NAME) {
        why = !child ? "a member fewer" : text_equal(r, child->string) ? NULL : "another name";
        if (!why)
            why = value_objects(r, json_next(r), child);
        child = child ? child->next : NULL;
    }
    return why ? why : child ? "a member more" : NULL;
}

static const char *array_objects(struct json_reader *r, const cJSON *node)
{
    const char *why = cJSON_IsArray(node) ? NULL : "not an array";
    const cJSON *child = why ? NULL : node->child;
    enum json_event e;
    while (!why && (e = json_next(r)) != JSON_ARRAY_END) {
        why = child ? value_objects(r, e, child) : "an element fewer";
        child = child ? child->next : NULL;
    }
    return why ? why : child ? "an element more" : NULL;
}

static const char *value_objects(struct json_reader *r, enum json_event e, const cJSON *node)
{
    switch (e) {
    case JSON_OBJECT: return object_objects(r, node);
    case JSON_ARRAY: return array_objects(r, node);
    case JSON_STRING:
        return cJSON_IsString(node) && text_equal(r, node->valuestring) ? NULL : "another string";
    case JSON_NUMBER: return number_equal(r->raw, node) ? NULL : "another number";
    case JSON_TRUE: return cJSON_IsTrue(node) ? NULL : "not true";
    case JSON_FALSE: return cJSON_IsFalse(node) ? NULL : "not false";
    case JSON_NULL: return cJSON_IsNull(node) ? NULL : "not null";
    default: return "our reader finds a mistake";
    }
}

const char *witness_objects(struct bytes text)
{
    enum json_event walked = walk(text);
    if (walked != JSON_END)
        return walked == JSON_ERROR ? "our reader finds a mistake" : NULL;
    bool mark = text.len > 3 &&
                memcmp(text.data, "\xef\xbb\xbf", 3) == 0; /* cJSON takes it before two bytes or more */
    struct bytes bare = bytes_slice(text, mark ? 3 : 0, text.len);
    cJSON *tree = cJSON_ParseWithLength((const char *)bare.data, bare.len);
    if (!tree)
        return "cJSON cannot read it";
    struct json_reader r;
    json_read(&r, text, WITNESS_DEPTH);
    const char *why = value_objects(&r, json_next(&r), tree);
    cJSON_Delete(tree);
    return why;
}
