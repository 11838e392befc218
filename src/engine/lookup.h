/* What stands at a path of a message's body: one look-up for filters and for whatever else names a field. Floor 4. Any thread. */
#ifndef SIGNALBOX_ENGINE_LOOKUP_H
#define SIGNALBOX_ENGINE_LOOKUP_H

#include "model/decoder.h"
#include "model/message.h"

struct lookup {
    decoder_registry decoders;
    const struct decoder_ops *json; /* for the quick look-up; NULL: none registered */
    const struct field_path *path;  /* of at least one step */
    struct bytes needle;            /* see lookup_needle */
};

/* A member name of the path, which stands in every text that holds a value there, as it is or with escapes; null: none is known. */
struct bytes lookup_needle(const struct field_path *path);
/* Visits the values in order; a null payload has none. Anything but ERR_OK: the body is damaged, or larger than may be unpacked, so that
 * there may be values that were not visited. *wrapped: it then has a wrapping, and its bytes say nothing of them. */
enum err lookup_body(const struct lookup *l, const struct message *m, field_visit *visit, void *context,
                     bool *wrapped);

#endif
