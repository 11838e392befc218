/* JSON (RFC 8259) as a field tree: exact numbers, duplicate keys kept and flagged, byte ranges. Floor 2. */
#ifndef SIGNALBOX_DECODERS_JSON_H
#define SIGNALBOX_DECODERS_JSON_H

#include "model/decoder.h"

extern const struct decoder_ops json_decoder;

/* Called for each string, which is the tree's newest node: may make a layer of it, with children. */
typedef enum err json_open_string(void *context, uint32_t node);

/* Pure entry for other decoders: adds the value in layer bytes `in` (layer number `layer`) under parent. open may be NULL. */
enum err json_decode_under(struct bytes in, uint16_t layer, uint32_t parent, json_open_string *open,
                           void *context, struct field_tree *tree);
/* The same of several values, one a line: they become the elements of an array. */
enum err json_decode_lines_under(struct bytes in, uint16_t layer, uint32_t parent, json_open_string *open,
                                 void *context, struct field_tree *tree);
/* Called for each string that the path leads to or through; rest is what of the path lies behind it. text is what it means. False: it is
 * that string and no more; else whatever is in it was visited in its place. */
typedef bool json_find_string(void *context, struct bytes text, const struct field_path *rest);
/* The decoder's `find`. look may be NULL; both are called with context. */
enum err json_find_under(struct bytes in, const struct field_path *path, json_find_string *look,
                         field_visit *visit, void *context);
/* Is text a whole JSON object or array? */
bool json_reads_as_list(struct bytes text);

#endif
