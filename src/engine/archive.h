/* The archive, FILE.sba: messages of one channel, lossless, byte for byte. Floor 4. One thread at a time.
 *
 *   "signalbox.archive/1\n"
 *   u32 length, header: one JSON object (schema, endpoint, url without secrets, channel, kind, created, plan)
 *   any number of: 'M', u32 length, message
 *   'E', u64 count of messages, SHA-256 of every byte before it
 *
 * Integers are little-endian. A message is: position kind u8, partition i32, offset i64, time i64, received i64, flags u32;
 * id, key, payload as byte strings; headers and properties as lists. A byte string is u32 length (2^32-1: null) and bytes.
 * A list is u32 count (2^32-1: absent) and per item a name (byte string) and a value; a value is a type u8 (enum value_type,
 * in the order of the format, see archive.c) and what the type needs. */
#ifndef SIGNALBOX_ENGINE_ARCHIVE_H
#define SIGNALBOX_ENGINE_ARCHIVE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "model/message.h"

struct archive_header {
    const char *endpoint, *url, *channel;
    enum channel_kind kind;
    int64_t created_ns;
    struct bytes plan; /* JSON, what was selected; null: none */
};

/* Writing: each call appends to a buffer that the caller empties into the file whenever it likes. */
struct archive_writer {
    struct sha256 *sha;
    uint64_t count;
};
enum err archive_begin(struct archive_writer *w, struct buffer *out, const struct archive_header *header,
                       struct err_info *err) SB_MUST_USE;
void archive_message(struct archive_writer *w, struct buffer *out, const struct message *m);
void archive_end(struct archive_writer *w, struct buffer *out); /* frees; also without out, to give up */

/* Reading, from memory. The sum is checked before the first message is handed out. */
struct archive {
    struct archive_header header; /* strings in the arena */
    uint64_t count;
    /* private */
    struct bytes in;
    size_t at, end;
    uint64_t taken;
    const struct origin *origin;
    struct arena arena, message_arena;
};
bool archive_begins(struct bytes in); /* by its first line, with or without that one's end */
/* ERR_FORMAT with the offset in err->where. archive_close is due in any case. */
enum err archive_open(struct archive *a, struct bytes in, struct err_info *err) SB_MUST_USE;
/* Its header alone, at once: no sum is checked, and no message can be had. */
enum err archive_look(struct archive *a, struct bytes in, struct err_info *err) SB_MUST_USE;
/* The next message, valid until the next call; ERR_END after the last. */
enum err archive_next(struct archive *a, struct message *m, struct err_info *err) SB_MUST_USE;
void archive_rewind(struct archive *a);
void archive_close(struct archive *a);

/* A list of headers alone, as it stands in a message: appended. */
void archive_put_headers(struct buffer *out, struct headers headers);
/* The list that begins at *at, which is moved behind it: texts are slices of in, the list lies in the arena. ERR_FORMAT. */
enum err archive_get_headers(struct bytes in, size_t *at, struct arena *arena, struct headers *headers,
                             struct err_info *err) SB_MUST_USE;

#endif
