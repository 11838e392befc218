/* The bytes of wrappings: telling them, and taking them off. Floor 2; private to unwrap*.c. */
#ifndef SIGNALBOX_DECODERS_UNWRAP_INTERNAL_H
#define SIGNALBOX_DECODERS_UNWRAP_INTERNAL_H

#include "base/buffer.h"
#include "base/limits.h"
#include "model/decoder.h"

enum wrapping { WRAP_NONE, WRAP_GZIP, WRAP_ZSTD, WRAP_BASE64, WRAPPINGS };

/* Reads base64 to its end: what only begins so is a text. cut: there would be more of it. */
enum wrapping wrapping_of(struct bytes in, bool cut);
/* For what is drawn again and again: of what is long no more than its beginning and its end are read. */
enum wrapping wrapping_glance(struct bytes in);
/* A row that was asked to unwrap: base64 also where nobody would guess it. wrapping_may_hide says yes to all that a row opens. */
enum wrapping wrapping_in_row(struct bytes in);
#define ROW_ROOM (16 * KIB) /* what a row takes off first of each layer */
/* To its end, exactly what wrapping_take_off takes. Nobody guesses here: whoever asks for it has short ones too, and ones without
 * capitals. */
bool wrapping_reads_as_base64(struct bytes in);
/* Ids look like base64: in a string it is one only where it holds something that can be told. Says what that begins like. */
enum held { HOLDS_NOTHING, HOLDS_STREAM /* gzip, zstd */, HOLDS_LIST /* perhaps: JSON */ };
enum held wrapping_holds(struct bytes text);
/* What can come off, whether it would be guessed or not, what a row would open, and what only begins as base64 of a payload. */
bool wrapping_may_hide(struct bytes in);
/* A list or an object with something in it that JSON may have there. */
bool wrapping_begins_like_json(struct bytes in);
/* As much as it may become that is no bomb, for whoever has room for that. Never 0. */
size_t wrapping_most(enum wrapping w, struct bytes in);

/* How taking one off ended. */
struct unwrapped {
    const char *fault; /* static; NULL: it came off whole */
    bool over;         /* there was no room for the rest */
    bool bomb;         /* and it is what no data grows to */
    size_t whole;      /* what it says that it becomes, where it is over; 0: it does not say */
    size_t wasted;     /* effort that a fault took beside what was read and came off */
};

/* What looking into a message may cost, counted in bytes that are read and that come off, so that the answer is the same wherever it is
 * given. A message of a few kilobytes may hold a million strings, each of which is to be tried. Of one thread. */
struct effort {
    size_t left;
    struct ZSTD_DCtx_s
        *zstd; /* made when it is needed; making one takes longer than reading a short stream */
};
#define EFFORT_ATTEMPT     ((size_t)64) /* what trying takes beside the bytes */
#define EFFORT_ZSTD_TABLES (3 * KIB)    /* those of a block of damaged zstd, which is read twice to tell */
/* False: there is less left than that, and then there is nothing left. */
bool effort_spend(struct effort *effort, size_t bytes);
void effort_end(struct effort *effort);

/* Into out, all of whose memory is there already. What could be taken off stays in it. Over, too, where no effort is left. */
struct unwrapped wrapping_take_off(enum wrapping w, struct bytes in, struct buffer *out,
                                   struct effort *effort);

/* See decoder_ops. What wraps the whole is taken off within LIMIT_UNWRAP_FIND; beyond it ERR_LIMIT, where it is damaged ERR_FORMAT,
 * after what could be seen was visited. What is inside and no JSON to its end was seen all the same. */
enum err unwrap_find(struct bytes in, const struct field_path *path, field_visit *visit, void *context);

#endif
