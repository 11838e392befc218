/* The output sink: the only lock of the command line. Floor 5.
 *
 * Workers encode whole lines into a lane of their own, without a lock and without memory per line. A full lane's block
 * (256 KiB, or what the source left behind when it paused, or what is 100 ms old) goes to one writer thread, so that a
 * reader that is slow never holds a worker up: the worker is told to pause, and is resumed when there is room. A line that is
 * longer than a block goes to the writer in parts (buffer_drain), for which the worker waits two seconds at most. */
#ifndef SIGNALBOX_CLI_OUTPUT_H
#define SIGNALBOX_CLI_OUTPUT_H

#include "base/buffer.h"
#include "model/broker.h"

struct output;
struct output_lane;

struct output *output_new(int fd, struct err_info *err);
/* told is called on the writer's thread when no more output is wanted: the reader has gone, or writing has failed. Before the first
 * lane. */
void output_on_failure(struct output *o, void (*told)(void *context), void *context);
/* A lane for one worker; freed with the sink. resume is called on the writer's thread after EMIT_PAUSE. Main thread; NULL: no
 * memory. */
struct output_lane *output_lane(struct output *o, void (*resume)(void *context), void *context);
/* Worker: where the next line goes, newline included; then output_line_end says how to go on: EMIT_STOP once the reader has
 * gone or writing has failed. */
struct buffer *output_line(struct output_lane *l);
enum emit output_line_end(struct output_lane *l);
void output_idle(struct output_lane *l); /* worker: the source pauses, nothing more is at hand */
/* Main thread, after the workers: writes what is left and frees. A sink that cannot be emptied within patience_ns is given up.
 * ERR_OK also when the reader went away, with err->code ERR_CLOSED; ERR_IO with *err. */
enum err output_end(struct output **o, int64_t patience_ns, struct err_info *err) SB_MUST_USE;

/* Writes all of it, blocking. ERR_CLOSED: the reader has gone; ERR_IO with *err. */
enum err output_write(int fd, struct bytes text, struct err_info *err) SB_MUST_USE;

#endif
