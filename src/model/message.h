/* A message: envelope slices and payload. Floor 1.
 *
 * The same struct serves twice. Borrowed: a driver fills one on its stack with slices of the library's memory and passes
 * it to a sink, valid during that call only. Sealed: message_seal copies all of it into one allocation, immutable and
 * reference counted; from then on any thread may read it. Headers keep order, repeats, types and bytes; null and empty
 * differ; nothing is ever turned into text and back. */
#ifndef SIGNALBOX_MODEL_MESSAGE_H
#define SIGNALBOX_MODEL_MESSAGE_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

#include <stdatomic.h>

/* Types of header values: the wire's own (AMQP 0-9-1 field table types; Kafka knows bytes alone). */
enum value_type {
    VALUE_VOID,
    VALUE_BOOL,
    VALUE_INT8,
    VALUE_INT16,
    VALUE_INT32,
    VALUE_INT64,
    VALUE_UINT8,
    VALUE_UINT16,
    VALUE_UINT32,
    VALUE_UINT64,
    VALUE_FLOAT,
    VALUE_DOUBLE,
    VALUE_DECIMAL,
    VALUE_TIMESTAMP, /* seconds since 1970 in .u */
    VALUE_STRING,
    VALUE_BYTES,
    VALUE_ARRAY,
    VALUE_TABLE,
    VALUE_TYPES
};

struct header;

struct value {
    enum value_type type;
    union {
        bool b;
        int64_t i;  /* INT8..INT64 */
        uint64_t u; /* UINT8..UINT64, TIMESTAMP */
        double f;   /* FLOAT (exactly a float), DOUBLE */
        struct {
            uint8_t scale;
            int32_t digits; /* value is digits / 10^scale */
        } decimal;
        struct bytes bytes; /* STRING, BYTES: null possible for BYTES */
        struct {
            const struct header *items; /* ARRAY: names are null; TABLE: names set */
            uint32_t count;
        } list;
    };
};

struct header {
    struct bytes name;
    struct value value;
};

/* A list of headers: items NULL says that the table is absent, which is not the same as empty. */
struct headers {
    const struct header *items;
    uint32_t count;
};

enum channel_kind {
    CHANNEL_ANY, /* not said; the driver finds out */
    CHANNEL_QUEUE,
    CHANNEL_TOPIC,
    CHANNEL_EXCHANGE,
    CHANNEL_STREAM,
    CHANNEL_SUB,
    CHANNEL_PULL,
    CHANNEL_KINDS
};
const char *channel_kind_name(enum channel_kind kind); /* "queue"; "" for ANY */
/* "queue:NAME" to kind and name; a text without a known prefix is ANY and the whole text. */
enum channel_kind channel_kind_parse(const char *text, const char **name);

/* Where messages come from. Interned for the life of the process: compare by pointer, never free. */
struct origin {
    const char *endpoint;
    const char *channel;
    enum channel_kind kind;
    const char *decode; /* the decoder that the configuration wants for the channel; NULL: found out */
    const char *type;   /* and the message type; NULL */
};
const struct origin *origin_intern(const char *endpoint, const char *channel,
                                   enum channel_kind kind);           /* any thread; without a rule */
const struct origin *origin_intern_rule(const struct origin *wanted); /* copies its strings */

enum position_kind { POSITION_NONE, POSITION_PARTITION, POSITION_OFFSET };

struct position {
    enum position_kind kind;
    int32_t partition; /* POSITION_PARTITION */
    int64_t offset;    /* both */
};
/* "3/10482", "10482", "" for none. Needs 40 bytes; returns into. */
char *position_text(struct position p, char *into, size_t size);

enum message_flag {
    MESSAGE_REDELIVERED = 1 << 0,
    MESSAGE_DUPLICATE = 1 << 1,   /* found by signalbox */
    MESSAGE_UNCOMMITTED = 1 << 2, /* seen only because --uncommitted: open or aborted transaction */
    MESSAGE_TRUNCATED = 1 << 3,   /* cut by a limit of ours; never resent */
    MESSAGE_REDACTED = 1 << 4,    /* the configuration's `redact` hid something; never resent */
    MESSAGE_FLAGS = 5             /* how many there are */
};
extern const char *const message_flag_names[MESSAGE_FLAGS];
/* "redelivered,uncommitted"; "" where none is set. Returns into. */
char *message_flags_text(uint32_t flags, char *into, size_t size);

struct message {
    const struct origin *origin;
    struct position position;
    int64_t time_ns;     /* the broker's or producer's; TIME_NONE where there is none */
    int64_t received_ns; /* wall clock when the driver got it */
    uint32_t flags;
    struct bytes id; /* null where the protocol has none */
    struct bytes key;
    struct bytes payload;
    struct headers headers;
    struct headers
        properties; /* what the protocol has beside headers; names as in docs (content_type, partition ...) */
    atomic_uint refs; /* 0: borrowed */
    size_t footprint; /* sealed: bytes of the allocation, overhead counted */
};

/* One allocation with a copy of everything; refs is 1. NULL with *err (ERR_LIMIT, ERR_NOMEM). */
struct message *message_seal(const struct message *borrowed, struct err_info *err) SB_MUST_USE;
struct message *message_ref(struct message *m); /* sealed only; returns m */
/* The same message, borrowed, to be changed or sealed anew: what it points to stays the first one's. Others may count its references
 * meanwhile. */
struct message message_borrow(const struct message *m);
void message_unref(struct message **m); /* nulls *m; NULL inside is allowed */
/* ERR_REFUSED for one that is not what its sender sent (cut, redacted): it must not be sent again. */
enum err message_check_whole(const struct message *m, struct err_info *err) SB_MUST_USE;
/* What people tell messages apart by: the key, else the routing key. */
struct bytes message_label(const struct message *m);
/* Its time is that of a property that knows no fraction of a second (AMQP's timestamp). */
bool message_time_is_whole(const struct message *m);
/* First header or property of that name; NULL where there is none. */
const struct value *headers_find(struct headers headers, struct bytes name);
const char *value_type_name(enum value_type type); /* "int32", as in the JSON */
bool value_type_parse(struct bytes name, enum value_type *type);

#endif
