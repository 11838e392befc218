/* A set of positions, small where they stand close together. Floor 4. One thread at a time. */
#ifndef SIGNALBOX_OPERATIONS_POSITION_SET_H
#define SIGNALBOX_OPERATIONS_POSITION_SET_H

#include "base/buffer.h"
#include "model/message.h"

struct position_set;

struct position_set *position_set_new(size_t most_bytes); /* NULL: no memory */
void position_set_free(struct position_set **s);
/* ERR_LIMIT: more than most_bytes; ERR_NOMEM. One that is in already is no error. */
enum err position_set_add(struct position_set *s, struct position p, struct err_info *err) SB_MUST_USE;
void position_set_remove(struct position_set *s, struct position p);
bool position_set_has(const struct position_set *s, struct position p);
uint64_t position_set_count(const struct position_set *s);

void position_set_write(const struct position_set *s, struct buffer *out);
/* From *at on, which it moves behind. ERR_FORMAT. */
enum err position_set_read(struct position_set *s, struct bytes in, size_t *at,
                           struct err_info *err) SB_MUST_USE;

#endif
