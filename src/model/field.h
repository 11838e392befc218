/* The field tree: what a decoder makes of bytes. Floor 1. Made for every format: JSON, protobuf, XML, Avro, text, hex.
 *
 * Nodes stand in one array in document order, children right behind their parent (preorder), so that a walk is a loop and
 * a subtree a range. Every node has the byte range it came from in the decoded layer. A tree belongs to one arena. */
#ifndef SIGNALBOX_MODEL_FIELD_H
#define SIGNALBOX_MODEL_FIELD_H

#include "base/arena.h"
#include "base/err.h"

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
};

struct field {
    struct bytes name; /* null for array members and the root */
    enum field_kind kind;
    const char
        *type; /* the format's own type name, static or in the arena: "string", "uint64", "shop.v1.Order" */
    struct bytes text;                 /* value of a leaf */
    uint32_t offset, length;           /* bytes in the layer: the value with its delimiters */
    uint32_t name_offset, name_length; /* of the name; length 0 where it has none */
    uint32_t parent;                   /* index; UINT32_MAX for the root */
    uint32_t next;  /* index behind the subtree: i + 1 is the first child if next > i + 1 */
    uint32_t index; /* place among its siblings */
    uint32_t children;
    uint16_t depth;
    uint8_t layer; /* 0: the payload; else layers[layer - 1] is what offset and length refer to */
    uint8_t flags; /* FIELD_DUPLICATE ... */
};
enum {
    FIELD_DUPLICATE = 1,
    FIELD_UNKNOWN = 2,
    FIELD_DEFAULT = 4,
    FIELD_CUT = 8 /* a list that has more than was read of it */
};

struct field_tree {
    struct field *nodes;
    uint32_t count, cap;
    struct bytes layers[8]; /* unwrapped bytes, in the arena */
    uint8_t layer_count;
    const char *format; /* decoder's name */
    const char *type;   /* root's type, "" none */
    bool complete;      /* the whole payload was read and was right */
    bool limited;  /* not complete because it has too many fields: nothing is wrong with the payload so far */
    bool unopened; /* there are more layers than are opened: what holds them stays a leaf */
    uint32_t error_at;   /* where it failed, when not complete */
    uint8_t error_layer; /* and in which layer, as of a field */
    char error[160];     /* why, when not complete */
    struct arena *arena;
};

void field_tree_init(struct field_tree *t, struct arena *arena);
/* Appends a node under parent (UINT32_MAX: root). Returns its index, UINT32_MAX over LIMIT_DECODE_NODES or the arena
 * (the tree is then marked incomplete). Children must be added depth first; close with field_end when a parent is full. */
uint32_t field_add(struct field_tree *t, uint32_t parent, enum field_kind kind, struct bytes name);
void field_end(struct field_tree *t, uint32_t node); /* sets next */
void field_fail(struct field_tree *t, uint32_t at, const char *format, ...)
    SB_PRINTF(3, 4); /* in the payload */
const char *field_kind_name(enum field_kind kind);
/* "order.items[2].sku", names with dots or brackets quoted; returns into. */
char *field_path(const struct field_tree *t, uint32_t node, char *into, size_t size);
/* The deepest node of that layer whose range holds offset; UINT32_MAX where none does. */
uint32_t field_at(const struct field_tree *t, uint8_t layer, uint32_t offset);

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
