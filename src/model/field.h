/* The field tree: what a decoder makes of bytes. Floor 1. Made for every format: JSON, protobuf, XML, Avro, text, hex.
 *
 * Nodes stand in one array in document order, children right behind their parent (preorder), so that a walk is a loop and
 * a subtree a range. Every node has the byte range it came from in the decoded layer. A tree belongs to one arena.
 *
 * A large payload has 200,000 of them: a node is 40 bytes. Names and values are no copies but places in the layer's bytes, and where
 * these are not what they mean (escapes), places in the arena: field_name, field_text and field_type read them. */
#ifndef SIGNALBOX_MODEL_FIELD_H
#define SIGNALBOX_MODEL_FIELD_H

#include "base/arena.h"
#include "base/err.h"

#include <assert.h>

enum field_kind {
    FIELD_OBJECT, /* members have names */
    FIELD_ARRAY,  /* members have indexes */
    FIELD_STRING, /* text: value, UTF-8 without escapes */
    FIELD_NUMBER, /* text: exactly as the wire says, or the canonical decimal */
    FIELD_BOOL,   /* text: true or false */
    FIELD_NULL,
    FIELD_BYTES, /* text: the bytes themselves */
    FIELD_LAYER, /* an unwrapped layer (base64, gzip, JSON in a string): children are its content */
    FIELD_ERROR, /* what could not be read: text says why, the range says where */
    FIELD_KINDS
} __attribute__((packed)); /* a byte, for the sake of the node's size */

/* Where a node's name or text stands. */
enum field_place {
    FIELD_NOWHERE, /* it has none */
    FIELD_WHOLE,   /* in the layer: its range */
    FIELD_QUOTED,  /* in the layer: its range without the first and the last byte */
    FIELD_OWN      /* in the arena */
} __attribute__((packed));

struct field {
    uint32_t offset, length; /* bytes in the layer: the value with its delimiters */
    uint32_t parent;         /* index; UINT32_MAX for the root */
    uint32_t next;           /* index behind the subtree: i + 1 is the first child if next > i + 1 */
    uint32_t index;          /* place among its siblings */
    union {
        uint32_t children; /* of an object, an array or a layer */
        uint32_t own_text; /* of a leaf: its place in the arena */
    };
    uint32_t name_at, name_length; /* as name_place says; see field_name_range */
    uint16_t depth;
    uint16_t layer; /* 0: the payload; else layers[layer - 1] is what offset and length refer to */
    uint8_t flags;  /* FIELD_DUPLICATE ... */
    uint8_t type;   /* 0: as its kind is called; else of the tree's types */
    enum field_kind kind;
    enum field_place name_place : 4, text_place : 4;
};
static_assert(sizeof(struct field) == 40, "LIMIT_DECODE_FIELDS");

enum {
    FIELD_DUPLICATE = 1,
    FIELD_UNKNOWN = 2,
    FIELD_DEFAULT = 4,
    FIELD_CUT = 8, /* a list that has more than was read of it */
    FIELD_RAW = 16 /* there was no room for its name or text without escapes: it has them still */
};

struct field_tree {
    struct field *nodes;
    uint32_t count, cap;
    uint8_t *reserved;    /* see field_reserve */
    struct bytes payload; /* what layer 0 is */
    struct bytes *layers; /* unwrapped bytes, in the arena */
    const char **types;   /* those that are no kind's name */
    uint8_t type_count;
    uint16_t layer_count, layer_cap;
    const char *format; /* decoder's name */
    const char *type;   /* root's type, "" none */
    bool complete;      /* the whole payload was read and was right */
    bool limited;  /* not complete because it has too many fields: nothing is wrong with the payload so far */
    bool unopened; /* more layers, or more in them, than is opened: what holds it stays a leaf */
    bool raw;      /* some fields are FIELD_RAW */
    uint32_t error_at;    /* where it failed, when not complete */
    uint16_t error_layer; /* and in which layer, as of a field */
    char error[160];      /* why, when not complete */
    struct arena *arena;
};

/* The arena gives more than LIMIT_DECODE_FIELDS. The payload, which is what will be decoded, must outlive the tree. */
void field_tree_init(struct field_tree *t, struct arena *arena, struct bytes payload);
/* Appends a node under parent (UINT32_MAX: root), in its layer. Returns its index, UINT32_MAX over LIMIT_DECODE_NODES or the arena
 * (the tree is then marked incomplete). Children must be added depth first; close with field_end when a parent is full. */
uint32_t field_add(struct field_tree *t, uint32_t parent, enum field_kind kind);
void field_end(struct field_tree *t, uint32_t node); /* sets next */
/* What the node is called, and which of its layer's bytes say so (length 0: none do). */
void field_set_name(struct field_tree *t, uint32_t node, uint32_t offset, uint32_t length, struct bytes name);
/* A leaf's value; its layer, offset and length are set before. */
void field_set_text(struct field_tree *t, uint32_t node, struct bytes text);
/* Room in the arena for a name or text that is not the layer's bytes; NULL: there is none. What is written to its beginning is what
 * field_set_name or field_set_text, called next, takes over. */
uint8_t *field_reserve(struct field_tree *t, size_t most);
/* What follows is set with escapes, for want of room. */
void field_keep_raw(struct field_tree *t, uint32_t node);
/* The format's own name of its type, static or in the arena: "uint64", "shop.v1.Order". */
void field_set_type(struct field_tree *t, uint32_t node, const char *type);
/* What is or will be unwrapped, which must live as long as the tree. Returns its number, 0 where there is no room for one more. */
uint16_t field_add_layer(struct field_tree *t, struct bytes layer);
/* Of the arena, for texts and layers; what nodes and types may still take is beside it. */
size_t field_tree_room(const struct field_tree *t);

struct bytes field_layer(const struct field_tree *t, uint16_t layer); /* 0: the payload */
struct bytes field_name(const struct field_tree *t,
                        const struct field *f); /* null for array members and the root */
struct bytes field_text(const struct field_tree *t, const struct field *f); /* null for objects and arrays */
const char *field_type(const struct field_tree *t, const struct field *f);
/* Which bytes of its layer are the name, with its delimiters; length 0 where none are. */
void field_name_range(const struct field_tree *t, const struct field *f, uint32_t *offset, uint32_t *length);
void field_fail(struct field_tree *t, uint32_t at, const char *format, ...)
    SB_PRINTF(3, 4); /* in the payload */
const char *field_kind_name(enum field_kind kind);
/* "order.items[2].sku", names with dots or brackets quoted; returns into. */
char *field_path(const struct field_tree *t, uint32_t node, char *into, size_t size);
/* The deepest node of that layer whose range holds offset; UINT32_MAX where none does. */
uint32_t field_at(const struct field_tree *t, uint16_t layer, uint32_t offset);

/* A compiled path, body.a.b[*].c without its body: what filters look up. */
struct path_step {
    struct bytes name; /* null: index */
    int64_t index;     /* -1: [*] every member */
};
struct field_path {
    struct path_step steps[16];
    size_t count;
};
/* Syntax: a.b[0].c[*]."odd name"; steps' names live in the arena. A first `/` makes it a JSON Pointer (RFC 6901). */
enum err field_path_parse(struct field_path *p, struct bytes text, struct arena *arena,
                          struct err_info *err) SB_MUST_USE;
/* Calls visit for every node at the path, in order, until it returns false. */
typedef bool field_visit(void *context, enum field_kind kind, struct bytes text, struct bytes raw);
void field_find(const struct field_tree *t, const struct field_path *p, field_visit *visit, void *context);

#endif
