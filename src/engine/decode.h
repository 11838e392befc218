/* Choosing a decoder, and decoding whole messages. Floor 4. */
#ifndef SIGNALBOX_ENGINE_DECODE_H
#define SIGNALBOX_ENGINE_DECODE_H

#include "model/decoder.h"
#include "model/message.h"

struct decode_choice {
    const struct decoder_ops *decoder;
    int score;
    const char *why; /* one sentence, static: why this one */
};

/* The one named, else the one that the configuration names for the channel, else the best sniffer (first among equals). Never NULL:
 * text or hex take anything. Any thread. */
struct decode_choice decode_choose(decoder_registry decoders, const struct message *m, const char *wanted);
/* The chosen one's name, which is a message's format; NULL: the payload is null and has none. Any thread. */
#define FORMAT_OF_NULL "null" /* what lists and filters write in its place */
const char *decode_format(decoder_registry decoders, const struct message *m);
const struct decoder_ops *decoder_find(decoder_registry decoders,
                                       const char *name); /* NULL: none of that name */
/* "json text hex": all of them, for people; returns into. */
char *decoder_names(decoder_registry decoders, char *into, size_t size);
/* Hints from content_type and content_encoding properties and headers; strings are copied into buffers of the caller. */
struct decode_hint_text {
    char content_type[96], content_encoding[48];
};
struct decode_hint decode_hint_of(const struct message *m, struct decode_hint_text *text);

/* Decodes with the chosen decoder; a format that fails falls back to nothing: the partial tree is the answer. The tree
 * lives in the arena. */
enum err decode_message(const struct decode_choice *choice, const struct message *m, struct field_tree *tree,
                        struct arena *arena);

/* A message decoded as a whole, with what it lives in. Zeroed: nothing yet. */
struct decoded {
    struct decode_choice choice;
    struct arena arena;
    struct field_tree tree; /* empty for a null payload */
};
/* Chooses and decodes, within LIMIT_DECODE_VIEW; what went wrong stands in the tree. Any thread. */
void decoded_make(struct decoded *d, decoder_registry decoders, const struct message *m, const char *wanted);
void decoded_move(struct decoded *to, struct decoded *from); /* what `to` had is freed, `from` is zeroed */
void decoded_free(struct decoded *d);                        /* and zeroed */

/* One line for lists: the payload's gist, scrubbed, at most cells wide. Returns the format, as decode_format, but by a glance: a row is
 * drawn again and again, and a large payload that only looks like base64 at its beginning and its end is one here. */
struct buffer;
const char *decode_summary(decoder_registry decoders, const struct message *m, size_t cells,
                           struct buffer *into);

#endif
