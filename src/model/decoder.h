/* The contract of a decoder: pure, bytes in, field tree out, no I/O, no state, any thread. Floor 1.
 * A new decoder is one file in decoders/ and one row in src/registry.c. */
#ifndef SIGNALBOX_MODEL_DECODER_H
#define SIGNALBOX_MODEL_DECODER_H

#include "model/field.h"

/* What is known about a payload beside its bytes. All may be NULL. */
struct decode_hint {
    const char *content_type;
    const char *content_encoding;
    const char *type; /* wanted type name */
    bool glance;      /* for a row, which is drawn again and again: sniff reads no more than a bounded part */
    /* decode takes what it unpacks off it, in bytes, and fails where it is used up; NULL: its own limits. */
    size_t *work;
    /* For whoever hides: of several values behind each other decode reads the first one alone, and says how far it reaches with what
     * parts it from the next one. NULL: what follows it is a fault. Decoders of one value leave it alone. */
    size_t *end;
    bool closed; /* what strings hold stays in them: whoever asks looks there */
};

struct decode_fault {
    size_t at;        /* byte */
    const char *text; /* static */
};

struct buffer;
struct json_writer;

struct decoder_ops {
    const char *name; /* "json": also the word of --as and of `format` in the JSON */
    /* What takes the place of a value that is to be hidden, in the format's own words; NULL: it gives no fields. */
    const char *hidden;
    bool wraps; /* takes a wrapping off: the bytes show nothing of what is inside */
    /* For whoever hides: may decode show something of these bytes, however little they look like the format, or are they the
     * beginning of what it would show? NULL: where sniff gives more than 0. */
    bool (*may_hide)(struct bytes in);
    /* How well the bytes look like this format, 0 (cannot be) to 100 (certainly), with the reason in one static sentence
     * that the inspector shows. Looks at no more than the first 64 KiB, but where only the end tells. */
    int (*sniff)(struct bytes in, const struct decode_hint *hint, const char **why);
    /* Fills the tree (initialised by the caller). A failed decode still gives the partial tree: complete is false, error and
     * error_at are set, and ERR_FORMAT or ERR_LIMIT comes back. */
    enum err (*decode)(struct bytes in, const struct decode_hint *hint, struct field_tree *tree);
    /* Optional quick look-up of a path without a tree and its limits, for filters: visits values in order. raw is the value's bytes.
     * ERR_FORMAT where the payload is malformed before all was seen, ERR_LIMIT where it is more than a look-up may take.
     * Must agree with decode + field_find. */
    enum err (*find)(struct bytes in, const struct field_path *path, field_visit *visit, void *context);
    /* Optional: the whole value as JSON, without a tree and its limits. Must agree with the tree's. On ERR_FORMAT or ERR_LIMIT fault
     * is set, and the writer and its buffer hold what the caller must take back. */
    enum err (*write)(struct bytes in, struct json_writer *w, struct decode_fault *fault);
    /* For lists, where the bytes are no text of their own: appends what one line can say of them, fit for a screen (utf8_scrub); some
     * hundred cells will do, the caller cuts. NULL: the bytes are shown as text. */
    void (*gist)(struct bytes in, struct buffer *line);
};

/* NULL-terminated, in the order of preference among equals. */
typedef const struct decoder_ops *const *decoder_registry;

#endif
