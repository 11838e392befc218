/* Throughput of the queue and the store, which every message of the console passes. */
#include "base/clock.h"
#include "engine/queue.h"
#include "engine/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/poll.h>

enum { PRODUCERS = 2, EACH = 1000000, PAYLOAD = 1024 };

static void release(struct queue_item *item)
{
    free(item);
}

static void *produce(void *context)
{
    struct queue *q = context;
    for (int i = 0; i < EACH; i++) {
        struct queue_item *item = malloc(sizeof *item);
        while (!queue_push(q, item, PAYLOAD, false)) {
            struct timespec t = {0, 50000};
            nanosleep(&t, NULL);
        }
    }
    return NULL;
}

static void bench_queue(void)
{
    struct queue *q = queue_new(4096, 8 << 20);
    pthread_t threads[PRODUCERS];
    size_t total = 0, wakes = 0;
    int64_t start = clock_mono_ns();
    for (int i = 0; i < PRODUCERS; i++)
        pthread_create(&threads[i], NULL, produce, q);
    while (total < (size_t)PRODUCERS * EACH) {
        struct pollfd p = {.fd = queue_fd(q), .events = POLLIN};
        poll(&p, 1, 1000);
        wakes++;
        size_t n = 0;
        for (struct queue_item *i = queue_take(q), *next; i; i = next, n++) {
            next = i->next;
            free(i);
        }
        queue_credit(q, n, n * PAYLOAD);
        total += n;
    }
    double s = (double)(clock_mono_ns() - start) / NS_PER_S;
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    queue_free(&q, release);
    printf("  queue: %.1f million items a second from %d producers, %zu wake-ups\n", (double)total / s / 1e6,
           PRODUCERS, wakes);
}

static void bench_store(void)
{
    static const uint8_t payload[PAYLOAD];
    struct store *s = store_new(64 << 20);
    struct message m = {.origin = origin_intern("e", "c", CHANNEL_TOPIC), .payload = {payload, PAYLOAD}};
    int64_t start = clock_mono_ns();
    for (int i = 0; i < EACH; i++)
        store_add(s, message_seal(&m, NULL));
    double seconds = (double)(clock_mono_ns() - start) / NS_PER_S;
    printf("  seal and store: %.1f million messages of 1 KiB a second, %zu bytes held of %zu\n",
           EACH / seconds / 1e6, store_bytes(s), store_budget(s));
    store_free(&s);
}

int main(void)
{
    bench_queue();
    bench_store();
    return 0;
}
