/* Decoding off the screen's thread: large payloads take tens of milliseconds, and no key waits for that. Floor 4.
 *
 * One thread, started with the first job, takes the jobs in order. The handle belongs to whoever began it, on one thread: it asks
 * whether the job is done, takes the result, or drops the job at any time. */
#ifndef SIGNALBOX_ENGINE_DECODE_POOL_H
#define SIGNALBOX_ENGINE_DECODE_POOL_H

#include "engine/decode.h"

struct decode_pool;
struct decode_job;

/* wake is called on the pool's thread after each job. NULL: no memory. */
struct decode_pool *decode_pool_new(decoder_registry decoders, void (*wake)(void *context), void *context);
/* Waits for the job at hand; all handles must have been given back. */
void decode_pool_free(struct decode_pool **p);
/* Takes a reference of the message. NULL: no memory or no thread; the caller decodes by itself. wanted: static, as for
 * decode_choose. */
struct decode_job *decode_pool_start(struct decode_pool *p, struct message *m, const char *wanted);
/* True: *into is the result, the caller's to decoded_free, and the handle is gone. False: not yet. */
bool decode_job_take(struct decode_job **job, struct decoded *into);
void decode_job_drop(struct decode_job **job); /* NULL is fine */

#endif
