/* Room on the disk for what has none in memory: a file without a name, gone with the process however that ends. Floor 4. One thread at a
 * time.
 *
 * It stands in $TMPDIR, where that is set, else in the state directory: /tmp is memory on many hosts. It is written and read, not
 * mapped. */
#ifndef SIGNALBOX_OPERATIONS_SPILL_H
#define SIGNALBOX_OPERATIONS_SPILL_H

#include "base/bytes.h"
#include "base/err.h"

struct spill;

struct spill *spill_new(struct err_info *err); /* NULL with *err: ERR_IO, ERR_NOMEM */
void spill_free(struct spill **s);
/* Behind what is there; many small ones make one write. ERR_IO: the disk is full, and what else may be. */
enum err spill_append(struct spill *s, struct bytes b, struct err_info *err) SB_MUST_USE;
uint64_t spill_size(const struct spill *s);
/* Exactly len bytes from there, which were appended. */
enum err spill_read(struct spill *s, uint64_t at, void *into, size_t len, struct err_info *err) SB_MUST_USE;
enum err spill_clear(struct spill *s, struct err_info *err) SB_MUST_USE; /* empty again */

/* Reads a range once, in order. */
struct spill_reader {
    struct spill *spill;
    uint64_t at, end; /* what is still to be read into the buffer */
    uint8_t *buffer;  /* the caller's */
    size_t size, from, to;
};
void spill_reader_init(struct spill_reader *r, struct spill *s, uint64_t begin, uint64_t end, uint8_t *buffer,
                       size_t size);
bool spill_reader_is_done(const struct spill_reader *r);
/* The next len bytes, at most the size of the buffer; valid until the next call. */
enum err spill_take(struct spill_reader *r, size_t len, const uint8_t **bytes,
                    struct err_info *err) SB_MUST_USE;

#endif
