/* Every limit on what comes from outside, in one list. Floor 0. Over a limit is ERR_LIMIT, never an abort. */
#ifndef SIGNALBOX_BASE_LIMITS_H
#define SIGNALBOX_BASE_LIMITS_H

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

#define LIMIT_MESSAGE       (256 * MIB) /* key, headers and payload of one message */
#define LIMIT_HEADERS       65536       /* headers and properties of one message, nested ones counted */
#define LIMIT_HEADER_DEPTH  32          /* nested tables and arrays */
#define LIMIT_STORE_DEFAULT (64 * MIB)  /* the message ring */
#define LIMIT_QUEUE         (4 * MIB)   /* worker to UI: messages on their way */
#define LIMIT_EVENTS        4096        /* worker to UI: other events on their way */
#define LIMIT_LIBRARY_QUEUE (8 * MIB)   /* a client library's own buffer */
#define LIMIT_DECODE_DEPTH  512         /* nesting of a decoded payload */
#define LIMIT_DECODE_NODES  200000      /* nodes of one field tree */
#define LIMIT_DECODE_FIELDS (40 * (size_t)LIMIT_DECODE_NODES) /* what they take of memory */
#define LIMIT_DECODE_ARENA \
 (64 * MIB) /* memory of one field tree: fields, texts that had escapes, what was unwrapped */
#define LIMIT_DECODE_VIEW   (12 * MIB) /* of the one that the console shows: it comes on top of the store */
#define LIMIT_UNWRAP_OUTPUT (64 * MIB) /* base64, gzip, zstd: what one layer may become */
#define LIMIT_UNWRAP_FIND \
 (24 * MIB) /* what is open at once of a message that a filter looks into, in shell and console */
#define LIMIT_UNWRAP_WORK \
 (6 * LIMIT_UNWRAP_FIND) /* what one look reads and takes off in all: JSON of 24 MiB in base64 takes 104 */
#define LIMIT_UNWRAP_RATIO \
 1000 /* how many times its size a layer may become beyond 1 MiB: what grows more is a bomb */
#define LIMIT_UNWRAP_LAYERS 8          /* one within another */
#define LIMIT_CONFIG        (4 * MIB)  /* a configuration file */
#define LIMIT_CONFIG_DEPTH  64         /* nesting in it */
#define LIMIT_FILTER        (16 * KIB) /* a filter expression */
#define LIMIT_FILTER_DEPTH  64
#define LIMIT_HTTP_BODY     (32 * MIB)  /* a management answer */
#define LIMIT_PROBE_BODY    (1 * MIB)   /* what a probe reads of a body */
#define LIMIT_CHANNELS      20000       /* channels listed of one endpoint */
#define LIMIT_PARTITIONS    1000        /* that a topic is made with in passing */
#define LIMIT_LINE          (512 * MIB) /* one line of import or output */

#endif
