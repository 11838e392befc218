/* Claims and transactions of a producing session. The library tells three kinds of errors apart: those that pass, those that
 * end the transaction, and those that end the producer. Of a commit that was asked for and not answered nobody knows here. */
#include "brokers/kafka/kafka_producer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/poll.h>

#define SLICE_MS     200 /* a cancel is heard between two */
#define AGAIN_MS     20
#define COMMIT_NS    (10 * NS_PER_S)
#define ABORT_NS     (2 * NS_PER_S) /* after that the cluster aborts it, by the next claim or by its own clock */
#define AUTOMATIC    1000           /* messages in a transaction that the driver ends */
#define TIMEOUT_NAME "transaction.timeout.ms"

/* ---- what went wrong ---- */

static int64_t timeout_ms(const struct kafka_publish *p)
{
    char text[32] = "";
    size_t size = sizeof text;
    int64_t ms = 0;
    if (rd_kafka_conf_get(rd_kafka_conf(p->rk), TIMEOUT_NAME, text, &size) != RD_KAFKA_CONF_OK ||
        !text_int64(text, &ms))
        return 0;
    return ms;
}

/* The cluster answers the same to a session that another one has cut off, and to one whose transaction it has ended itself. */
static enum err taken_over(const struct broker *b, const struct kafka_publish *p, struct err_info *err)
{
    const struct kafka_transaction *t = &p->transaction;
    int64_t most_ms = timeout_ms(p), age_ms = (clock_mono_ns() - t->begun_ns) / NS_PER_MS;
    if (t->open && most_ms > 0 && age_ms > most_ms)
        err_set(err, ERR_REFUSED,
                "the cluster has ended a transaction that stood open for %" PRId64 " s, or another "
                "signalbox has taken over %s",
                age_ms / 1000, t->name);
    else
        err_set(err, ERR_REFUSED, "another signalbox has taken over %s: this one goes no further", t->name);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "let the other one end it; `signalbox resume` goes on from what was committed last");
    return ERR_REFUSED;
}

static bool is_fenced(rd_kafka_resp_err_t e)
{
    return e == RD_KAFKA_RESP_ERR__FENCED || e == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           e == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* What a new session of the same claim mends. */
static bool is_mended_anew(rd_kafka_resp_err_t e)
{
    return e == RD_KAFKA_RESP_ERR__STATE || e == RD_KAFKA_RESP_ERR_INVALID_TXN_STATE ||
           e == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING || e == RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID ||
           e == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER ||
           e == RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER ||
           e == RD_KAFKA_RESP_ERR_TRANSACTION_COORDINATOR_FENCED || e == RD_KAFKA_RESP_ERR__INCONSISTENT;
}

static enum err denied(const struct broker *b, const struct kafka_publish *p, rd_kafka_resp_err_t e,
                       struct err_info *err)
{
    const struct kafka_state *s = b->state;
    err_set(err, ERR_DENIED, "%s: %s", p->transaction.name, rd_kafka_err2str(e));
    err_where(err, "%s", b->endpoint->name);
    err_next(err,
             "ask for ACLs: Write on the transactional id `%s`, Read and Delete on the group `signalbox-%s`",
             s->transactional_id, p->transaction.claim);
    return ERR_DENIED;
}

static enum err fail(struct broker *b, const struct kafka_publish *p, rd_kafka_resp_err_t e, const char *what,
                     struct err_info *err)
{
    if (is_fenced(e))
        return taken_over(b, p, err);
    if (e == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
        e == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        return denied(b, p, e, err);
    if (!is_mended_anew(e))
        return kafka_fail(b, e, what, err);
    err_set(err, ERR_CLOSED, "%s: %s", what, rd_kafka_err2str(e));
    err_where(err, "%s", b->endpoint->name);
    return ERR_CLOSED;
}

static rd_kafka_resp_err_t fatal_of(const struct kafka_publish *p)
{
    char text[256];
    return rd_kafka_fatal_error(p->rk, text, sizeof text);
}

/* Takes the error. What it says of a producer that is at its end is said of every call; the first cause is kept beside. */
static enum err fail_with(struct broker *b, struct kafka_publish *p, rd_kafka_error_t *error,
                          const char *what, struct err_info *err)
{
    rd_kafka_resp_err_t e = rd_kafka_error_code(error), fatal = fatal_of(p);
    bool waiting = rd_kafka_error_is_retriable(error) && !fatal;
    rd_kafka_error_destroy(error);
    if (waiting && atomic_load(b->cancelled))
        return err_set(err, ERR_CANCELLED, "%s: cancelled", what);
    return fail(b, p, fatal ? fatal : e, what, err);
}

/* ---- the library's calls ---- */

typedef rd_kafka_error_t *library_call(rd_kafka_t *rk, int timeout_ms);

/* What a call has not done in time goes on behind it, until the same call finds it done. NULL: it is. */
static rd_kafka_error_t *call_until(struct broker *b, const struct kafka_publish *p, library_call *call,
                                    int64_t until_ns, bool even_cancelled)
{
    for (;;) {
        int left = clock_poll_ms(until_ns);
        rd_kafka_error_t *error = call(p->rk, left < 1 ? 1 : left < SLICE_MS ? left : SLICE_MS);
        bool leave = (atomic_load(b->cancelled) && !even_cancelled) || clock_mono_ns() >= until_ns ||
                     (b->given_up && atomic_load(b->given_up));
        if (!error || !rd_kafka_error_is_retriable(error) || leave)
            return error;
        rd_kafka_error_destroy(error);
        poll(NULL, 0, AGAIN_MS); /* some that pass are answered at once */
    }
}

/* What was not committed by then never is: its messages have not been sent, whatever the broker said of each. */
static void abort_open(struct broker *b, struct kafka_publish *p)
{
    struct kafka_transaction *t = &p->transaction;
    t->dropped = true;
    if (!t->ending && !fatal_of(p)) {
        rd_kafka_error_t *error =
            call_until(b, p, rd_kafka_abort_transaction, clock_mono_ns() + ABORT_NS, true);
        if (error)
            rd_kafka_error_destroy(error);
    }
    t->open = false;
}

/* ---- claiming ---- */

static void name_session(struct kafka_state *s, struct kafka_transaction *t, const char *fence)
{
    kafka_group_of_claim(fence ? fence : t->claim, s->transactional_id, sizeof s->transactional_id);
    t->name = s->transactional_id + strlen(KAFKA_OURS);
}

enum err kafka_claim_name(struct broker *b, struct kafka_publish *p, const struct publish_request *request,
                          struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct kafka_transaction *t = &p->transaction;
    s->transactional_id[0] = '\0';
    if (!request->claim)
        return ERR_OK;
    if (!*request->claim || strlen(request->claim) > KAFKA_CLAIM)
        return err_set(err, ERR_USAGE, "a claim has 1 to %d characters", KAFKA_CLAIM);
    text_copy(t->claim, sizeof t->claim, request->claim);
    name_session(s, t, request->transaction ? request->fence : NULL);
    t->claimed = true;
    t->automatic = !request->transaction;
    t->notes = -1;
    if (t->automatic && !t->kept)
        t->kept = calloc(AUTOMATIC, sizeof *t->kept);
    return t->automatic && !t->kept ? err_set(err, ERR_NOMEM, "no memory for outcomes") : ERR_OK;
}

enum err kafka_claim(struct broker *b, struct kafka_publish *p, struct err_info *err)
{
    if (!p->transaction.claimed)
        return ERR_OK;
    rd_kafka_error_t *error = call_until(b, p, rd_kafka_init_transactions, b->deadline_ns, false);
    return error ? fail_with(b, p, error, "claiming the operation", err) : ERR_OK;
}

/* ---- a transaction ---- */

enum err kafka_transaction_begin(struct broker *b, struct kafka_publish *p, struct err_info *err)
{
    struct kafka_transaction *t = &p->transaction;
    if (!t->claimed)
        return ERR_OK;
    if (t->ending && !t->automatic)
        return err_set(err, ERR_CLOSED, "what became of the last commit is not known yet");
    if (t->ending || (t->open && t->automatic && t->count >= AUTOMATIC))
        return err_set(err, ERR_BUSY, "%zu messages wait for their transaction", t->count);
    if (t->open)
        return ERR_OK;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(p->rk);
    if (error)
        return fail_with(b, p, error, "beginning a transaction", err);
    t->open = true;
    t->dropped = false;
    t->begun_ns = clock_mono_ns();
    t->count = 0;
    t->failed.code = ERR_OK;
    return ERR_OK;
}

bool kafka_transaction_is_over(const struct kafka_publish *p, rd_kafka_resp_err_t e)
{
    return p->transaction.claimed && !p->transaction.ending && (is_fenced(e) || is_mended_anew(e));
}

/* What was given up for another one's sake is no cause, but where nothing else is known. */
static void keep_failure(struct kafka_transaction *t, const struct publish_outcome *o)
{
    bool cause = o->outcome != OUTCOME_UNSENT;
    if (t->failed.code && (t->failed_for_cause || !cause))
        return;
    t->failed = o->err;
    t->failed_for_cause = cause;
}

bool kafka_transaction_outcome(struct kafka_publish *p, struct publish_outcome *o)
{
    struct kafka_transaction *t = &p->transaction;
    if (!t->claimed)
        return false;
    if (o->err.code && !t->dropped)
        keep_failure(t, o);
    if (t->dropped) {
        o->outcome = t->ending ? OUTCOME_UNKNOWN : OUTCOME_UNSENT;
        if (!o->err.code)
            err_set(&o->err, ERR_CLOSED, "its transaction was given up");
    }
    if (!t->automatic || t->kept_count == AUTOMATIC)
        return false;
    t->kept[t->kept_count++] = (struct kafka_kept){o->token, o->outcome, o->position};
    return true;
}

/* Those that arrived are told as `arrived`. */
static void tell_kept(struct kafka_publish *p, enum outcome arrived)
{
    struct kafka_transaction *t = &p->transaction;
    for (size_t i = 0; i < t->kept_count; i++) {
        const struct kafka_kept *k = &t->kept[i];
        struct publish_outcome o = {.token = k->token, .outcome = k->outcome, .position = k->position};
        if (o.outcome == OUTCOME_CONFIRMED)
            o.outcome = arrived;
        if (o.outcome != OUTCOME_CONFIRMED && t->failed.code)
            o.err = t->failed;
        else if (o.outcome != OUTCOME_CONFIRMED)
            err_set(&o.err, ERR_CLOSED, "its transaction was not seen to end");
        if (p->sink.outcome)
            p->sink.outcome(p->sink.context, &o);
    }
    t->kept_count = 0;
}

/* Of an answer to a commit. Takes the error; NULL: it is done. */
static enum err committed(struct broker *b, struct kafka_publish *p, rd_kafka_error_t *error,
                          struct err_info *err)
{
    struct kafka_transaction *t = &p->transaction;
    bool over = error && rd_kafka_error_txn_requires_abort(error);
    if (!error || over)
        t->ending = false;
    enum err e = error ? fail_with(b, p, error, "committing", err) : ERR_OK;
    if (over)
        abort_open(b, p);
    else if (e && e != ERR_REFUSED)
        err_next(err, "whether it was committed is seen when the operation goes on");
    t->open = t->open && e;
    if (over && t->failed.code && err)
        *err = t->failed;
    return over && t->failed.code ? t->failed.code : e;
}

enum err kafka_transaction_refused(struct broker *b, struct kafka_publish *p, rd_kafka_resp_err_t e,
                                   struct err_info *err)
{
    const struct kafka_transaction *t = &p->transaction;
    rd_kafka_resp_err_t fatal = fatal_of(p);
    if (!fatal && e != RD_KAFKA_RESP_ERR__STATE)
        return fail(b, p, e, "publishing", err);
    enum err code = fail(b, p, fatal ? fatal : e, "publishing", err);
    abort_open(b, p);
    tell_kept(p, OUTCOME_UNSENT);
    if (fatal || !t->failed.code)
        return code;
    if (err)
        *err = t->failed;
    return t->failed.code;
}

/* ---- those that the driver ends ---- */

static enum err end_automatic(struct broker *b, struct kafka_publish *p, struct err_info *err)
{
    struct kafka_transaction *t = &p->transaction;
    if (t->failed.code && !t->ending) {
        abort_open(b, p);
        tell_kept(p, OUTCOME_UNSENT);
        return ERR_OK;
    }
    t->ending = true;
    rd_kafka_error_t *error = rd_kafka_commit_transaction(p->rk, SLICE_MS);
    if (error && rd_kafka_error_is_retriable(error)) {
        rd_kafka_error_destroy(error);
        return ERR_OK; /* the next step asks again */
    }
    enum err e = committed(b, p, error, err);
    tell_kept(p, e ? OUTCOME_UNKNOWN : OUTCOME_CONFIRMED);
    return e;
}

enum err kafka_transaction_serve(struct broker *b, struct kafka_publish *p, struct err_info *err)
{
    struct kafka_transaction *t = &p->transaction;
    if (!t->claimed)
        return ERR_OK;
    rd_kafka_resp_err_t fatal = fatal_of(p);
    if (fatal)
        return fail(b, p, fatal, "publishing", err);
    return t->automatic && t->open && p->pending == 0 ? end_automatic(b, p, err) : ERR_OK;
}

void kafka_transaction_drop(struct broker *b, struct kafka_publish *p)
{
    struct kafka_transaction *t = &p->transaction;
    t->dropped = true;
    if (t->open)
        abort_open(b, p);
}

void kafka_transaction_close(struct kafka_publish *p)
{
    struct kafka_transaction *t = &p->transaction;
    tell_kept(p, t->ending ? OUTCOME_UNKNOWN : OUTCOME_UNSENT);
    free(t->kept);
    t->kept = NULL;
}

/* ---- those that the engine ends ---- */

static enum err send_rows(struct broker *b, struct kafka_publish *p,
                          const rd_kafka_topic_partition_list_t *rows, int64_t until_ns, struct err_info *err)
{
    char name[KAFKA_CLAIM + 16];
    if (rows->cnt == 0)
        return ERR_OK;
    kafka_group_of_claim(p->transaction.claim, name, sizeof name);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(name);
    int left = clock_poll_ms(until_ns);
    rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(p->rk, rows, group, left > 0 ? left : 1);
    rd_kafka_consumer_group_metadata_destroy(group);
    if (!error)
        return ERR_OK;
    enum err e = fail_with(b, p, error, "committing the progress", err);
    if (e != ERR_REFUSED && err && !err->next[0])
        err_next(err, "what was published with it is taken back; %s",
                 e == ERR_NOTFOUND ? "is the source still there?" : "see what the cluster says of the group");
    abort_open(b, p);
    return e;
}

static enum err commit_rows(struct broker *b, struct kafka_publish *p,
                            const rd_kafka_topic_partition_list_t *rows, struct err_info *err)
{
    struct kafka_transaction *t = &p->transaction;
    int64_t least = clock_mono_ns() + COMMIT_NS, until = b->deadline_ns > least ? b->deadline_ns : least;
    enum err e = kafka_transaction_begin(b, p, err);
    if (!e && t->failed.code) {
        abort_open(b, p);
        if (err)
            *err = t->failed;
        return t->failed.code;
    }
    if (!e)
        e = send_rows(b, p, rows, until, err);
    if (e)
        return e;
    t->ending = true;
    return committed(b, p, call_until(b, p, rd_kafka_commit_transaction, until, false), err);
}

enum err kafka_commit(struct broker *b, const struct commit *commit, struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct kafka_publish *p = s->publish;
    rd_kafka_topic_partition_list_t *rows = NULL;
    if (!p || !p->rk || !p->transaction.claimed || p->transaction.automatic)
        return err_set(err, ERR_USAGE, "this session has no transactions");
    enum err e = kafka_progress_rows(b, p, commit, &rows, err);
    if (!e)
        e = commit_rows(b, p, rows, err);
    if (rows)
        rd_kafka_topic_partition_list_destroy(rows);
    return e;
}
