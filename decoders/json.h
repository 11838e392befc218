/* JSON (RFC 8259) as a field tree: exact numbers, duplicate keys kept and flagged, byte ranges. Floor 2. */
#ifndef SIGNALBOX_DECODERS_JSON_H
#define SIGNALBOX_DECODERS_JSON_H

#include "model/decoder.h"

extern const struct decoder_ops json_decoder;

/* Called for each string, which is the tree's newest node: may make a layer of it, with children. */
typedef enum err json_open_string(struct field_tree *tree, uint32_t node);

/* Pure entry for other decoders: adds the value in layer bytes `in` (layer number `layer`) under parent. open may be NULL. */
enum err json_decode_under(struct bytes in, uint8_t layer, uint32_t parent, json_open_string *open,
                           struct field_tree *tree);
/* The same of several values, one a line: they become the elements of an array. */
enum err json_decode_lines_under(struct bytes in, uint8_t layer, uint32_t parent, json_open_string *open,
                                 struct field_tree *tree);
/* Is text a whole JSON object or array? */
bool json_reads_as_list(struct bytes text);

#endif
