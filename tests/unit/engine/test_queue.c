#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "engine/queue.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/poll.h>

struct numbered {
    struct queue_item item;
    int producer, number;
};

static void release(struct queue_item *item)
{
    free(item);
}

static struct queue_item *numbered(int producer, int number)
{
    struct numbered *n = calloc(1, sizeof *n);
    n->producer = producer;
    n->number = number;
    return &n->item;
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void bounds_and_urgency(void **state)
{
    (void)state;
    struct queue *q = queue_new(2, 100);
    struct queue_item *over = numbered(0, 3);
    assert_true(queue_push(q, numbered(0, 1), 60, false));
    assert_false(queue_push(q, over, 60, false));
    assert_true(queue_push(q, numbered(0, 2), 40, false));
    assert_false(queue_push(q, over, 0, false));
    assert_true(queue_push(q, over, 1000, true));
    queue_free(&q, release);
}

static void one_item_larger_than_everything_passes_alone(void **state)
{
    (void)state;
    struct queue *q = queue_new(10, 100);
    assert_true(queue_push(q, numbered(0, 1), 5000, false));
    struct queue_item *second = numbered(0, 2);
    assert_false(queue_push(q, second, 1, false));
    free(second);
    queue_free(&q, release);
}

static void the_descriptor_is_readable_while_something_waits(void **state)
{
    (void)state;
    struct queue *q = queue_new(10, 100);
    assert_false(readable(queue_fd(q)));
    queue_push(q, numbered(0, 1), 1, false);
    queue_push(q, numbered(0, 2), 1, false);
    assert_true(readable(queue_fd(q)));
    struct queue_item *list = queue_take(q);
    assert_false(readable(queue_fd(q)));
    assert_int_equal(((struct numbered *)list)->number, 1);
    assert_int_equal(((struct numbered *)list->next)->number, 2);
    free(list->next);
    free(list);
    queue_free(&q, release);
}

static void bytes_stay_charged_until_credited(void **state)
{
    (void)state;
    struct queue *q = queue_new(10, 100);
    queue_push(q, numbered(0, 1), 90, false);
    struct queue_item *list = queue_take(q);
    struct queue_item *more = numbered(0, 2);
    assert_false(queue_low(q));
    assert_false(queue_push(q, more, 20, false));
    queue_credit(q, 1, 90);
    assert_true(queue_low(q));
    assert_true(queue_push(q, more, 20, false));
    free(list);
    queue_free(&q, release);
}

static void a_closed_queue_refuses_everything(void **state)
{
    (void)state;
    struct queue *q = queue_new(10, 100);
    struct queue_item *item = numbered(0, 1);
    queue_close(q);
    assert_false(queue_push(q, item, 1, true));
    free(item);
    queue_free(&q, release);
}

enum { PRODUCERS = 4, EACH = 20000 };
struct producer {
    struct queue *queue;
    int id;
};

static void *produce(void *context)
{
    struct producer *p = context;
    for (int i = 0; i < EACH; i++) {
        struct queue_item *item = numbered(p->id, i);
        while (!queue_push(p->queue, item, 10, false))
            sched_yield();
    }
    return NULL;
}

static void nothing_is_lost_or_reordered_under_load(void **state)
{
    (void)state;
    struct queue *q = queue_new(500, 1 << 20);
    pthread_t threads[PRODUCERS];
    struct producer producers[PRODUCERS];
    int next[PRODUCERS] = {0}, total = 0;
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){q, i};
        pthread_create(&threads[i], NULL, produce, &producers[i]);
    }
    while (total < PRODUCERS * EACH) {
        struct pollfd p = {.fd = queue_fd(q), .events = POLLIN};
        assert_int_equal(poll(&p, 1, 10000), 1);
        for (struct queue_item *i = queue_take(q), *after; i; i = after) {
            struct numbered *n = (struct numbered *)i;
            after = i->next;
            assert_int_equal(n->number, next[n->producer]++);
            total++;
            free(n);
            queue_credit(q, 1, 10);
        }
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    queue_free(&q, release);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_and_urgency),
        cmocka_unit_test(one_item_larger_than_everything_passes_alone),
        cmocka_unit_test(the_descriptor_is_readable_while_something_waits),
        cmocka_unit_test(bytes_stay_charged_until_credited),
        cmocka_unit_test(a_closed_queue_refuses_everything),
        cmocka_unit_test(nothing_is_lost_or_reordered_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
