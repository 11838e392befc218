/* What the tests of operations on the memory broker share: a state directory, two queues, a broker whose hooks a test may replace. */
#ifndef TESTS_UNIT_OPERATIONS_RIG_H
#define TESTS_UNIT_OPERATIONS_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "brokers/memory/memory.h"
#include "brokers/memory/memory_server.h"
#include "operations/archive_file.h"
#include "operations/execute.h"

static const struct decoder_ops *const rig_decoders[] = {NULL};
static const struct endpoint rig_endpoint = {.name = "m", .text = "memory:"};
static struct broker_ops rig_broker;
static char rig_home[64];
static int rig_fd;

static int rig_setup(void **state)
{
    (void)state;
    snprintf(rig_home, sizeof rig_home, "/tmp/signalbox-operation-XXXXXX");
    if (!mkdtemp(rig_home) || setenv("XDG_STATE_HOME", rig_home, 1))
        return -1;
    rig_broker = memory_broker;
    rig_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return memory_declare("from", CHANNEL_QUEUE, NULL, NULL) ||
                   memory_declare("to", CHANNEL_QUEUE, NULL, NULL)
               ? -1
               : 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    char command[128];
    memory_reset();
    close(rig_fd);
    snprintf(command, sizeof command, "rm -rf '%s'", rig_home);
    return system(command);
}

static inline void rig_publish(const char *queue, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char body[40];
        snprintf(body, sizeof body, "{\"n\":%d}", i);
        struct message m = {.payload = bytes_of_text(body), .time_ns = 5};
        assert_int_equal(memory_publish(queue, &m, NULL, NULL), ERR_OK);
    }
}

static inline int64_t rig_waiting(const char *queue)
{
    int64_t ready = 0, leased = 0;
    assert_true(memory_count(queue, &ready, &leased));
    assert_int_equal(leased, 0);
    return ready;
}

static void rig_assert_number(const struct message *m, int number)
{
    char body[40];
    snprintf(body, sizeof body, "{\"n\":%d}", number);
    if (!bytes_equal_text(m->payload, body))
        fail_msg("%.*s, not %s", (int)m->payload.len, (const char *)m->payload.data, body);
}

/* Are these the numbers in that queue, in that order? */
static inline void rig_assert_holds(const char *queue, int first, int count, int step)
{
    int64_t at = 0;
    for (int i = 0; i < count; i++, at++) {
        struct message *m = memory_get(queue, &at, true);
        assert_non_null(m);
        rig_assert_number(m, first + i * step);
        message_unref(&m);
    }
    assert_int_equal(rig_waiting(queue), count);
}

/* Writes its row. */
static inline void rig_begin(struct operation_job *job)
{
    job->record.kind = job->plan.kind;
    job->record.created_ns = clock_wall_ns();
    operation_id_new(job->record.id);
    struct journal *j = journal_open(NULL);
    assert_non_null(j);
    assert_int_equal(journal_create(j, &job->record, NULL), ERR_OK);
    journal_close(&j);
}

/* Its row as the journal has it now. */
static struct journal_operation rig_record(const struct operation_job *job, struct arena *arena)
{
    struct journal_operation o;
    struct journal *j = journal_open(NULL);
    assert_non_null(j);
    assert_int_equal(journal_find(j, job->record.id, arena, &o, NULL), ERR_OK);
    journal_close(&j);
    return o;
}

static struct operation_progress rig_wait(struct operation **o)
{
    struct operation_progress p = {.state = OPERATION_RUNNING};
    int64_t end = clock_mono_ns() + 30 * NS_PER_S;
    while (p.state == OPERATION_RUNNING && clock_mono_ns() < end) {
        struct pollfd fd = {.fd = rig_fd, .events = POLLIN};
        poll(&fd, 1, 1000);
        (void)!read(rig_fd, &(uint64_t){0}, sizeof(uint64_t));
        operation_progress(*o, &p);
    }
    if (p.state == OPERATION_RUNNING)
        fail_msg("it does not end: %s", p.note);
    operation_join(o, &p);
    return p;
}

static inline struct operation_progress rig_run(const struct operation_job *job)
{
    struct operation *o = operation_start(job, rig_fd, NULL);
    assert_non_null(o);
    return rig_wait(&o);
}

/* As `resume` would: what the journal has. */
static inline struct operation_progress rig_resume(const struct operation_job *job)
{
    struct arena arena;
    struct operation_job again = *job;
    arena_init(&arena, 1 << 20);
    again.record = rig_record(job, &arena);
    struct operation_progress p = rig_run(&again);
    arena_free(&arena);
    return p;
}

#endif
