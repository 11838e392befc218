/* A log-linear histogram of durations: fixed memory, relative error below 1.6 %, 1 us to 1 hour. Floor 4. One thread. */
#ifndef SIGNALBOX_ENGINE_HISTOGRAM_H
#define SIGNALBOX_ENGINE_HISTOGRAM_H

#include <stdint.h>

struct histogram;
struct histogram *histogram_new(void);
void histogram_free(struct histogram **h);
void histogram_add(struct histogram *h, int64_t ns);
uint64_t histogram_count(const struct histogram *h);
int64_t histogram_percentile(const struct histogram *h, double p); /* 0..100; -1 while empty */

#endif
