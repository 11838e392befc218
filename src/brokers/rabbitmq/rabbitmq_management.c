/* The management API: asking it, and its answers; nothing is asked again that was refused for good. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "decoders/json.h"
#include "net/http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_COUNT (INT64_C(1) << 48) /* so that LIMIT_CHANNELS of them can be added up */

/* ---- asking ---- */

static void find_base(struct broker *b)
{
    struct rabbit *r = b->state;
    const struct url *u = &b->endpoint->url;
    const char *host = u->host_count ? u->hosts[0].host : "localhost";
    if (r->api[0])
        return;
    if (b->endpoint->management) {
        text_copy(r->api, sizeof r->api, b->endpoint->management);
        for (size_t len = strlen(r->api); len && r->api[len - 1] == '/';)
            r->api[--len] = '\0';
    } else {
        snprintf(r->api, sizeof r->api, strchr(host, ':') ? "http://[%s]:15672" : "http://%s:15672", host);
    }
}

static enum err refuse(struct broker *b, enum err code, bool for_good, struct err_info *err,
                       const char *format, ...) SB_PRINTF(5, 6);
static enum err refuse(struct broker *b, enum err code, bool for_good, struct err_info *err,
                       const char *format, ...)
{
    struct rabbit *r = b->state;
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (for_good) {
        r->api_refused = true;
        r->api_code = code;
        text_copy(r->api_why, sizeof r->api_why, text);
    }
    err_set(err, code, "%s", text);
    err_where(err, "%s", r->api);
    if (err_policy(code) == ERR_POLICY_RETRY)
        err_next(err, "say where it is: ?management=URL, or management: in the configuration");
    return code;
}

static const char *user_of(const struct broker *b)
{
    return b->endpoint->username ? b->endpoint->username : "guest";
}

static enum err parse(struct http_response *response, struct rabbit_answer *answer, struct err_info *err)
{
    arena_init(&answer->arena, LIMIT_DECODE_ARENA);
    answer->body = malloc(sizeof *answer->body);
    if (!answer->body)
        return err_set(err, ERR_NOMEM, "no memory for an answer");
    *answer->body = response->body; /* the tree's slices point into it */
    response->body = (struct buffer){0};
    field_tree_init(&answer->tree, &answer->arena, buffer_view(answer->body));
    if (json_decoder.decode(buffer_view(answer->body), NULL, &answer->tree) == ERR_OK)
        return ERR_OK;
    rabbit_answer_free(answer);
    return err_set(err, ERR_PROTOCOL, "the management API's answer is no JSON: is that its URL?");
}

/* "Not monitor user", "Not administrator user": as the broker says it; "" it doesn't. */
static void read_reason(struct http_response *response, char *into, size_t size)
{
    struct rabbit_answer a;
    into[0] = '\0';
    if (parse(response, &a, NULL))
        return;
    rabbit_string(&a, &a.tree.nodes[0], "reason", into, size);
    rabbit_answer_free(&a);
}

/* 401 is the answer to a stranger, and to a user whose tag is not enough for that path: `management` sees the least, then come
 * `policymaker`, `monitoring`, `administrator`. Who they are is told to all of them. */
static enum err judge_401(struct broker *b, struct http_response *response, const char *path,
                          struct err_info *err)
{
    struct rabbit *r = b->state;
    static const char whoami[] = "whoami";
    char reason[80];
    if (strcmp(path, whoami) == 0)
        return refuse(
            b, ERR_DENIED, true, err,
            "the management API refuses user \"%s\": wrong password, or no tag management or monitoring",
            user_of(b));
    r->api_knows_us = r->api_knows_us || !rabbit_api(b, "GET", whoami, NULL, NULL, NULL);
    if (r->api_refused)
        return refuse(b, r->api_code, false, err, "%s", r->api_why);
    read_reason(response, reason, sizeof reason);
    return refuse(b, ERR_DENIED, false, err, "the management API does not let user \"%s\" do this: %s (%s)",
                  user_of(b), reason[0] ? reason : "401", path);
}

static enum err judge(struct broker *b, struct http_response *response, const char *path,
                      struct err_info *err)
{
    switch (response->status) {
    case 200:
    case 201:
    case 204: return ERR_OK;
    case 401: return judge_401(b, response, path, err);
    case 403:
        return refuse(b, ERR_DENIED, false, err, "the management API does not let user \"%s\" see this",
                      user_of(b));
    case 404: return refuse(b, ERR_NOTFOUND, false, err, "the management API knows no %s", path);
    case 503: return refuse(b, ERR_DOWN, false, err, "the management API answers 503 to %s", path);
    default: return refuse(b, ERR_FAILED, false, err, "the management API answers %ld", response->status);
    }
}

enum err rabbit_api(struct broker *b, const char *method, const char *path, const char *json,
                    struct rabbit_answer *answer, struct err_info *err)
{
    struct rabbit *r = b->state;
    struct err_info own;
    char url[1400];
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    if (!err)
        err = &own;
    find_base(b);
    if (r->api_refused)
        return refuse(b, r->api_code, false, err, "%s", r->api_why);
    if (!r->http && !(r->http = http_client_new(err)))
        return err->code;
    snprintf(url, sizeof url, "%s/api/%s", r->api, path);
    const char *user = user_of(b);
    struct http_request request = {
        .method = method,
        .url = url,
        .username = user,
        .password = b->endpoint->password        ? b->endpoint->password
                    : strcmp(user, "guest") == 0 ? "guest"
                                                 : "",
        .headers = headers,
        .body = bytes_of_text(json),
        .tls = b->endpoint->tls,
        .deadline_ns = b->deadline_ns,
        .max_body = LIMIT_HTTP_BODY,
    };
    struct http_response response;
    http_fetch(r->http, &request, b->cancelled, &response);
    enum err e = response.error;
    bool guessed = !b->endpoint->management && !r->api_answers;
    r->api_answers |= !e;
    if (e == ERR_UNREACHABLE || e == ERR_TIMEOUT)
        refuse(b, e, guessed, err, "no management API: %s", response.err.text);
    else if (e == ERR_TLS) /* a list has one line for it */
        refuse(b, e, guessed, err, "no management API: %s%s%s", response.err.text,
               response.err.next[0] ? "; " : "", response.err.next);
    else if (e)
        *err = response.err;
    else
        e = judge(b, &response, path, err);
    if (!e && answer)
        e = parse(&response, answer, err);
    http_response_free(&response);
    return e;
}

void rabbit_answer_free(struct rabbit_answer *a)
{
    arena_free(&a->arena);
    if (a->body) {
        buffer_free(a->body);
        free(a->body);
    }
    a->body = NULL;
}

static size_t put_encoded(char *into, size_t size, const char *name)
{
    size_t at = 0;
    for (; *name && at + 4 < size; name++) {
        if (isalnum((unsigned char)*name) || strchr("-._~", *name))
            into[at++] = *name;
        else
            at += (size_t)snprintf(into + at, size - at, "%%%02X", (unsigned char)*name);
    }
    into[at] = '\0';
    return at;
}

void rabbit_path(const struct broker *b, char *into, size_t size, const char *kind, const char *name,
                 const char *rest)
{
    char vhost[400], encoded[800] = "";
    put_encoded(vhost, sizeof vhost, b->endpoint->vhost ? b->endpoint->vhost : "/");
    if (name)
        put_encoded(encoded, sizeof encoded, name);
    snprintf(into, size, "%s/%s%s%s%s", kind, vhost, name ? "/" : "", encoded, rest ? rest : "");
}

/* ---- reading answers ---- */

const struct field *rabbit_first(const struct rabbit_answer *a, const struct field *list)
{
    const struct field *first = list + 1;
    return list->next > (uint32_t)(list - a->tree.nodes) + 1 ? first : NULL;
}

const struct field *rabbit_next(const struct rabbit_answer *a, const struct field *list,
                                const struct field *item)
{
    return item->next < list->next ? &a->tree.nodes[item->next] : NULL;
}

const struct field *rabbit_member(const struct rabbit_answer *a, const struct field *object, const char *name)
{
    if (!object || object->kind != FIELD_OBJECT)
        return NULL;
    for (const struct field *f = rabbit_first(a, object); f; f = rabbit_next(a, object, f))
        if (bytes_equal_text(field_name(&a->tree, f), name))
            return f;
    return NULL;
}

int64_t rabbit_number(const struct rabbit_answer *a, const struct field *object, const char *name)
{
    const struct field *f = rabbit_member(a, object, name);
    int64_t value;
    if (!f || f->kind != FIELD_NUMBER || !json_to_int64(field_text(&a->tree, f), &value))
        return COUNT_UNKNOWN;
    return value >= 0 && value <= MOST_COUNT ? value : COUNT_UNKNOWN;
}

bool rabbit_truth(const struct rabbit_answer *a, const struct field *object, const char *name)
{
    const struct field *f = rabbit_member(a, object, name);
    return f && f->kind == FIELD_BOOL && bytes_equal_text(field_text(&a->tree, f), "true");
}

char *rabbit_string(const struct rabbit_answer *a, const struct field *object, const char *name, char *into,
                    size_t size)
{
    const struct field *f = rabbit_member(a, object, name);
    return text_copy_bytes(into, size,
                           f && f->kind == FIELD_STRING ? field_text(&a->tree, f) : BYTES_LITERAL(""));
}

double rabbit_rate(const struct rabbit_answer *a, const struct field *stats, const char *name)
{
    const struct field *f = rabbit_member(a, rabbit_member(a, stats, name), "rate");
    double value;
    return f && f->kind == FIELD_NUMBER && json_to_double(field_text(&a->tree, f), &value) ? value : -1;
}
