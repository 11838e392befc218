#include "brokers/kafka/kafka_internal.h"

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* What signalbox promises rests on these: no group, no commit, no topic created. The user's options may not change them. */
static const char *const reserved[] = {
    "bootstrap.servers",   "metadata.broker.list",     "group.id",
    "enable.auto.commit",  "auto.commit.enable",       "enable.auto.offset.store",
    "offset.store.method", "allow.auto.create.topics", "enable.partition.eof",
    "isolation.level",     "transactional.id",         "test.mock.num.brokers",
    "auto.offset.reset",
};

static const struct option common_settings[] = {
    {"client.id", "signalbox"},
    {"socket.keepalive.enable", "true"},
    {"allow.auto.create.topics", "false"},      /* documented for consumers; producers obey it too */
    {"receive.message.max.bytes", "300000000"}, /* a message of LIMIT_MESSAGE and what surrounds it */
    {"reconnect.backoff.max.ms", "2000"},
};

/* What a flood may take of memory is bounded here, three times over: the library's own queue by the bytes of payloads and by messages,
 * since each takes some 300 bytes beside its own (3,000,000 of seven bytes had taken 340 MiB), and the fetch in flight that comes on
 * top, whose limit counts what goes over the line: 4 MiB that were compressed twenty to one took 60. A larger batch is still fetched,
 * alone. */
static const struct option consumer_settings[] = {
    {"enable.partition.eof", "true"},
    /* What retention took away while we were behind, or a topic made anew, must be seen, not skipped over: see kafka_watch.c. */
    {"auto.offset.reset", "error"},
    {"auto.commit.enable", "false"},
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"queued.max.messages.kbytes", "8192"},
    {"queued.min.messages", "20000"},
    {"message.max.bytes", "1000"}, /* means nothing to a consumer, but the next one must not lie below it */
    {"fetch.max.bytes", "524288"}, /* of all partitions together, and of one */
    {"fetch.message.max.bytes", "524288"},
    {"fetch.error.backoff.ms", "50"},
    {"fetch.queue.backoff.ms",
     "10"}, /* from 2.2 on; before that it is a second, and kafka_nudge is there for it */
};

/* Of an endpoint that is to be lean. */
static const struct option lean_settings[] = {
    {"queued.max.messages.kbytes", "2048"},
    {"queued.min.messages", "5000"}, /* more than lie between two nudges */
    {"fetch.max.bytes", "262144"},
    {"fetch.message.max.bytes", "262144"},
};

static const struct option producer_settings[] = {
    {"message.max.bytes", "268435456"},
    {"acks", "all"},
    {"enable.idempotence", "true"},
    {"partitioner", "murmur2_random"}, /* a key goes where Java's producers put it */
    {"linger.ms", "2"},
    {"topic.metadata.propagation.max.ms", "5000"}, /* a topic that was there at publish_open and is gone */
    {"message.timeout.ms", "30000"},
    {"queue.buffering.max.messages", "100000"},
    {"queue.buffering.max.kbytes",
     "300000"}, /* one message of LIMIT_MESSAGE fits; the driver's window is smaller */
};

bool kafka_is_mock(const struct endpoint *e)
{
    const char *mock = endpoint_option(e, "signalbox.mock");
    return mock && strcmp(mock, "yes") == 0;
}

/* "SCHEME://HOST:PORT/ID: what" without all before what, where that has the address itself. */
static const char *without_name(const char *text)
{
    char host[256];
    const char *colon = strstr(text, ": "), *scheme = strstr(text, "://");
    const char *address = scheme && colon && scheme < colon ? scheme + 3 : text;
    size_t len = strcspn(address, "/ ");
    text_copy_bytes(host, sizeof host, bytes_of(address, len));
    return colon && address + len < colon && address[len] == '/' && strstr(colon, host) ? colon + 2 : text;
}

/* The library's "[thrd:BROKER]: BROKER: Connect to ipv4#HOST:PORT failed: WHY (after 0ms in state CONNECT, ...)" becomes
 * "HOST:PORT: WHY": nothing twice, and nothing that differs each time. */
static void tidy(const char *facility, const char *text, char *into, size_t size)
{
    static const char connect[] = "Connect to ", failed[] = " failed: ";
    const char *thread = text_starts(text, "[thrd:") ? strstr(text, "]: ") : NULL;
    text = without_name(thread ? thread + 3 : text);
    const char *state = strstr(text, " (after ");
    size_t len = state ? (size_t)(state - text) : strlen(text);
    if (strcmp(facility, "FAIL") != 0) {
        snprintf(into, size, "%s: %.*s", facility, (int)len, text);
        return;
    }
    const char *hash = strchr(text, '#'), *why = strstr(text, failed);
    if (text_starts(text, connect) && hash && why && hash < why && why < text + len)
        snprintf(into, size, "%.*s: %.*s", (int)(why - hash - 1), hash + 1,
                 (int)(text + len - why - (sizeof failed - 1)), why + sizeof failed - 1);
    else
        text_copy_bytes(into, size, bytes_of(text, len));
}

/* Remarks about the configuration come with every handle; those on settings of ours help nobody. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct kafka_state *s = rd_kafka_opaque(rk);
    bool remark = strcmp(facility, "CONFWARN") == 0 || strcmp(facility, "AUTOCREATE") == 0;
    enum log_level ours = level <= 3 ? LOG_WARN : level <= 6 && !remark ? LOG_INFO : LOG_DEBUG;
    char said[512];
    tidy(facility, text, said, sizeof said);
    log_chatter(ours, s ? s->source : "kafka", "%s", said);
}

static void on_error(rd_kafka_t *rk, int e, const char *reason, void *opaque)
{
    (void)rk;
    struct kafka_state *s = opaque;
    kafka_trouble_note(s, (rd_kafka_resp_err_t)e, reason);
}

static void ignore_error(rd_kafka_t *rk, int e, const char *reason, void *opaque)
{
    (void)rk, (void)e, (void)reason, (void)opaque;
}

static void set_all(rd_kafka_conf_t *conf, const struct option *settings, size_t count)
{
    char text[256];
    for (size_t i = 0; i < count; i++)
        (void)rd_kafka_conf_set(conf, settings[i].name, settings[i].value, text, sizeof text);
}

static bool bootstrap(struct buffer *into, const struct url *url)
{
    for (size_t i = 0; i < url->host_count; i++) {
        const char *host = url->hosts[i].host;
        bool v6 = strchr(host, ':') != NULL;
        int port = url->hosts[i].port ? url->hosts[i].port : KAFKA_PORT;
        buffer_printf(into, "%s%s%s%s:%d", i ? "," : "", v6 ? "[" : "", host, v6 ? "]" : "", port);
    }
    return buffer_ok(into) && into->len;
}

static const char *sasl_mechanism(const struct endpoint *e)
{
    const char *m = endpoint_option(e, "sasl.mechanisms");
    return m ? m : endpoint_option(e, "sasl.mechanism");
}

static void set_security(struct kafka_state *s, rd_kafka_conf_t *conf, const struct endpoint *e)
{
    bool tls = e->tls.on || (e->url.scheme && strcmp(e->url.scheme, "kafkas") == 0);
    const char *mechanism = sasl_mechanism(e);
    bool sasl = e->username || mechanism;
    struct option settings[10];
    size_t n = 0;
    s->scram = mechanism && text_starts(mechanism, "SCRAM");
    s->certificate = e->tls.cert || endpoint_option(e, "ssl.certificate.location") ||
                     endpoint_option(e, "ssl.certificate.pem") || endpoint_option(e, "ssl.keystore.location");
    settings[n++] = (struct option){"security.protocol", tls    ? sasl ? "sasl_ssl" : "ssl"
                                                         : sasl ? "sasl_plaintext"
                                                                : "plaintext"};
    if (sasl && !mechanism)
        settings[n++] = (struct option){"sasl.mechanisms", "PLAIN"};
    if (e->username)
        settings[n++] = (struct option){"sasl.username", e->username};
    if (e->password)
        settings[n++] = (struct option){"sasl.password", e->password};
    if (e->tls.ca)
        settings[n++] = (struct option){"ssl.ca.location", e->tls.ca};
    if (e->tls.cert)
        settings[n++] = (struct option){"ssl.certificate.location", e->tls.cert};
    if (e->tls.key)
        settings[n++] = (struct option){"ssl.key.location", e->tls.key};
    settings[n++] =
        (struct option){"enable.ssl.certificate.verification", e->tls.insecure ? "false" : "true"};
    settings[n++] =
        (struct option){"ssl.endpoint.identification.algorithm", e->tls.insecure ? "none" : "https"};
    set_all(conf, settings, n);
}

static enum err refuse(const struct endpoint *e, const char *why, struct err_info *err)
{
    err_set(err, ERR_CONFIG, "%s", why);
    err_where(err, "%s", e->name);
    err_next(err, "correct `options:` of this endpoint; the names are librdkafka's");
    return ERR_CONFIG;
}

/* The library wants a consumer's fetch.max.bytes above it, and it means nothing there. */
static bool producers_alone(const char *name)
{
    return strcmp(name, "message.max.bytes") == 0;
}

/* An unknown name gets the nearest one, of those that have a value: nearly all have. */
static void say_nearest(rd_kafka_conf_t *conf, const char *name, char *why, size_t size)
{
    const char *names[512];
    size_t count, n = 0, len = strlen(why);
    const char **pairs = rd_kafka_conf_dump(conf, &count);
    for (size_t i = 0; i + 1 < count && n + 1 < sizeof names / sizeof *names; i += 2)
        names[n++] = pairs[i];
    names[n] = NULL;
    const char *near = text_nearest(name, names);
    if (near)
        snprintf(why + len, size - len, "; did you mean %s?", near);
    rd_kafka_conf_dump_free(pairs, count);
}

/* Sets what the user wrote; false, and why: it is not allowed, not the library's, or not with that value. */
static bool set_option(rd_kafka_conf_t *conf, const struct option *o, char *why, size_t size)
{
    char text[300];
    for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++) {
        if (strcmp(o->name, reserved[k]) == 0) {
            snprintf(why, size, "option %s is signalbox's own to set", o->name);
            return false;
        }
    }
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, o->name, o->value, text, sizeof text);
    if (result == RD_KAFKA_CONF_OK)
        return true;
    snprintf(why, size, "option %s is refused: %s", o->name, text);
    if (result == RD_KAFKA_CONF_UNKNOWN)
        say_nearest(conf, o->name, why, size);
    return false;
}

/* Of the user's options those that are meant for such a handle of the library. */
static bool is_for(const struct option *o, rd_kafka_type_t type)
{
    return !text_starts(o->name, "signalbox.") && (type == RD_KAFKA_PRODUCER || !producers_alone(o->name));
}

static enum err set_users(rd_kafka_conf_t *conf, const struct endpoint *e, rd_kafka_type_t type,
                          struct err_info *err)
{
    char why[600];
    for (size_t i = 0; i < e->option_count; i++)
        if (is_for(&e->options[i], type) && !set_option(conf, &e->options[i], why, sizeof why))
            return refuse(e, why, err);
    return ERR_OK;
}

static void set_producer(const struct kafka_state *s, rd_kafka_conf_t *conf)
{
    char bytes[24];
    const struct option batch = {"batch.size", bytes}, claim = {"transactional.id", s->transactional_id};
    set_all(conf, producer_settings, sizeof producer_settings / sizeof *producer_settings);
    snprintf(bytes, sizeof bytes, "%" PRId64, s->batch_most);
    if (s->batch_most > 0)
        set_all(conf, &batch, 1);
    if (s->transactional_id[0])
        set_all(conf, &claim, 1);
}

/* All but where to connect. */
static void set_ours(struct kafka_state *s, rd_kafka_conf_t *conf, const struct endpoint *e,
                     rd_kafka_type_t type, bool committed)
{
    const struct option isolation = {"isolation.level", committed ? "read_committed" : "read_uncommitted"};
    set_all(conf, common_settings, sizeof common_settings / sizeof *common_settings);
    if (type == RD_KAFKA_CONSUMER) {
        set_all(conf, &isolation, 1);
        set_all(conf, consumer_settings, sizeof consumer_settings / sizeof *consumer_settings);
    }
    if (type == RD_KAFKA_CONSUMER && e->lean)
        set_all(conf, lean_settings, sizeof lean_settings / sizeof *lean_settings);
    if (type == RD_KAFKA_PRODUCER)
        set_producer(s, conf);
    set_security(s, conf, e);
}

static enum err fill(struct broker *b, rd_kafka_conf_t *conf, rd_kafka_type_t type, bool committed,
                     const char *group, struct err_info *err)
{
    const struct endpoint *e = b->endpoint;
    struct buffer hosts;
    buffer_init(&hosts, 8 * KIB);
    if (!bootstrap(&hosts, &e->url)) {
        buffer_free(&hosts);
        return refuse(e, "the address names no host", err);
    }
    const struct option where = {"bootstrap.servers", buffer_cstr(&hosts)};
    set_all(conf, &where, 1);
    buffer_free(&hosts);
    set_ours(b->state, conf, e, type, committed);
    const struct option member = {"group.id", group};
    if (group)
        set_all(conf, &member, 1);
    return set_users(conf, e, type, err);
}

static enum err check_login(const struct endpoint *e, struct err_info *err)
{
    const char *mechanism = sasl_mechanism(e);
    bool by_password = !mechanism || text_starts(mechanism, "PLAIN") || text_starts(mechanism, "SCRAM");
    if (!e->username || e->password || !by_password || endpoint_option(e, "sasl.password"))
        return ERR_OK;
    err_set(err, ERR_AUTH, "no password for %s", e->username);
    err_where(err, "%s", e->name);
    err_next(err, "give password_env, password_file or password_command, or SIGNALBOX_PASSWORD with a URL");
    return ERR_AUTH;
}

/* ---- what a mechanism needs ---- */

static const char *value_of(const rd_kafka_conf_t *conf, const char *name, char into[512])
{
    size_t size = 512;
    if (rd_kafka_conf_get(conf, name, into, &size) != RD_KAFKA_CONF_OK)
        into[0] = '\0';
    return into;
}

static const struct need {
    const char *mechanism; /* also one that begins so */
    const char *said, *next;
} needs[] = {
    {"GSSAPI", "GSSAPI lacks the option sasl.kerberos.keytab",
     "set `options: {sasl.kerberos.keytab: FILE, sasl.kerberos.principal: NAME}`; {sasl.kerberos.kinit.cmd: \"true\"} where a ticket "
     "is there already; or `sasl.mechanisms` to another one"},
    {"OAUTHBEARER", "OAUTHBEARER lacks a token",
     "set `sasl.mechanisms` to another one; for tests alone: {enable.sasl.oauthbearer.unsecure.jwt: true, "
     "sasl.oauthbearer.config: principal=NAME}"},
    {"PLAIN", "PLAIN lacks a login", "give `username` and a password"},
    {"SCRAM", "SCRAM lacks a login", "give `username` and a password"},
};

static bool has_need(const rd_kafka_conf_t *conf, const char *mechanism)
{
    char text[512];
    if (text_starts(mechanism, "GSSAPI")) /* by default a command takes the ticket from there */
        return !strstr(value_of(conf, "sasl.kerberos.kinit.cmd", text), "%{sasl.kerberos.keytab}") ||
               *value_of(conf, "sasl.kerberos.keytab", text);
    if (!text_starts(mechanism, "OAUTHBEARER"))
        return *value_of(conf, "sasl.username", text);
    if (strcmp(value_of(conf, "enable.sasl.oauthbearer.unsecure.jwt", text), "true") == 0)
        return *value_of(conf, "sasl.oauthbearer.config", text);
    return strcmp(value_of(conf, "sasl.oauthbearer.method", text), "oidc") ==
           0; /* the library says what that lacks */
}

/* What the mechanism that is set, GSSAPI if none is, cannot do without; NULL: it lacks nothing. Without a token the library waits for
 * one that nobody brings. */
static const struct need *mechanism_lacks(const rd_kafka_conf_t *conf)
{
    char text[512], mechanism[512];
    if (!text_starts(value_of(conf, "security.protocol", text), "sasl"))
        return NULL;
    value_of(conf, "sasl.mechanisms", mechanism);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (text_starts(mechanism, needs[i].mechanism))
            return has_need(conf, mechanism) ? NULL : &needs[i];
    return NULL;
}

static enum err check_mechanism(const struct endpoint *e, const rd_kafka_conf_t *conf, struct err_info *err)
{
    const struct need *lacks = mechanism_lacks(conf);
    if (!lacks)
        return ERR_OK;
    err_set(err, ERR_CONFIG, "%s", lacks->said);
    err_where(err, "%s", e->name);
    err_next(err, "%s", lacks->next);
    return ERR_CONFIG;
}

/* ---- files of `tls:` ---- */

struct tls_file {
    const char *key, *option, *path; /* ours, the library's name for it */
};

static enum err refuse_file(const struct endpoint *e, const struct tls_file *file, const char *why,
                            struct err_info *err)
{
    err_set(err, ERR_CONFIG, "tls.%s: %.200s: %s", file->key, file->path, why);
    err_where(err, "%s", e->name);
    err_next(err, "name a PEM file that can be read: `tls: {%s: FILE}`%s", file->key,
             strcmp(file->key, "ca") == 0 ? " or ?ca=FILE" : "");
    return ERR_CONFIG;
}

static void tls_files(const struct endpoint *e, struct tls_file files[3])
{
    files[0] = (struct tls_file){"ca", "ssl.ca.location", e->tls.ca};
    files[1] = (struct tls_file){"cert", "ssl.certificate.location", e->tls.cert};
    files[2] = (struct tls_file){"key", "ssl.key.location", e->tls.key};
}

static enum err check_files(const struct endpoint *e, struct err_info *err)
{
    struct tls_file files[3];
    tls_files(e, files);
    for (size_t i = 0; i < 3; i++)
        if (files[i].path && access(files[i].path, R_OK) != 0)
            return refuse_file(e, &files[i], strerror(errno), err);
    return ERR_OK;
}

/* The library names its option; the user may have written ours. */
static void refuse_handle(const struct endpoint *e, const char *why, struct err_info *err)
{
    struct tls_file files[3];
    tls_files(e, files);
    for (size_t i = 0; i < 3; i++) {
        if (files[i].path && strstr(why, files[i].option)) {
            char text[200];
            snprintf(text, sizeof text, "it cannot be used: %.170s", why);
            refuse_file(e, &files[i], text, err);
            return;
        }
    }
    refuse(e, why, err);
}

/* group: NULL none. */
static rd_kafka_t *make_handle(struct broker *b, rd_kafka_type_t type, bool committed, const char *group,
                               struct err_info *err)
{
    char text[300] = "";
    if (check_login(b->endpoint, err) || check_files(b->endpoint, err))
        return NULL;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, b->state);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, group ? ignore_error : on_error);
    if (fill(b, conf, type, committed, group, err) || check_mechanism(b->endpoint, conf, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, kafka_publish_delivered);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        refuse_handle(b->endpoint, text, err);
    }
    return rk;
}

rd_kafka_t *kafka_handle_new(struct broker *b, rd_kafka_type_t type, bool committed, struct err_info *err)
{
    return make_handle(b, type, committed, NULL, err);
}

rd_kafka_t *kafka_group_handle_new(struct broker *b, struct err_info *err)
{
    return make_handle(b, RD_KAFKA_CONSUMER, true, "signalbox", err);
}

/* ---- all faults at once ---- */

/* Do options that are good one by one fit together? Asked of a handle that has no host to connect to, and does without SASL where the
 * library would fetch a ticket or a token for it. Takes conf. */
static bool fit_together(rd_kafka_conf_t *conf, rd_kafka_type_t type, char *why, size_t size)
{
    char text[512], mechanism[512];
    value_of(conf, "sasl.mechanisms", mechanism);
    if (text_starts(mechanism, "GSSAPI") || text_starts(mechanism, "OAUTHBEARER"))
        rd_kafka_conf_set(conf, "security.protocol",
                          strstr(value_of(conf, "security.protocol", text), "ssl") ? "ssl" : "plaintext",
                          NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, size);
    if (rk)
        rd_kafka_destroy(rk);
    else
        rd_kafka_conf_destroy(conf);
    return rk;
}

/* As one kind of handle; false: something was said. */
static bool check_as(const struct endpoint *e, rd_kafka_type_t type, option_sink *sink, void *context)
{
    char why[600];
    struct kafka_state state = {.source = e->name};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool good = true;
    rd_kafka_conf_set_log_cb(conf, NULL);
    set_ours(&state, conf, e, type, true);
    for (size_t i = 0; i < e->option_count; i++) {
        if (is_for(&e->options[i], type) && !set_option(conf, &e->options[i], why, sizeof why)) {
            sink(context, e->options[i].name, why);
            good = false;
        }
    }
    const struct need *lacks = mechanism_lacks(conf);
    if (lacks) {
        snprintf(why, sizeof why, "%s; %s", lacks->said, lacks->next);
        sink(context, endpoint_option(e, "sasl.mechanism") ? "sasl.mechanism" : "sasl.mechanisms", why);
        good = false;
    }
    if (!good)
        rd_kafka_conf_destroy(conf);
    else if (!(good = fit_together(conf, type, why, sizeof why)))
        sink(context, NULL, why);
    return good;
}

void kafka_check_options(const struct endpoint *e, option_sink *sink, void *context)
{
    struct endpoint bare = *e; /* files of `tls:` are looked at by who reads the configuration */
    bare.tls.ca = bare.tls.cert = bare.tls.key = NULL;
    bare.password = "not fetched";
    if (check_as(&bare, RD_KAFKA_PRODUCER, sink, context)) /* a consumer takes fewer */
        check_as(&bare, RD_KAFKA_CONSUMER, sink, context);
}
