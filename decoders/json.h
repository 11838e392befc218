/* JSON (RFC 8259) as a field tree: exact numbers, duplicate keys kept and flagged, byte ranges. Floor 2. */
#ifndef SIGNALBOX_DECODERS_JSON_H
#define SIGNALBOX_DECODERS_JSON_H

#include "model/decoder.h"

extern const struct decoder_ops json_decoder;

/* Pure entry for other decoders: adds the value in layer bytes `in` (layer number `layer`) under parent. nested: strings that
 * hold a whole JSON object or array become layers with their content as children. */
enum err json_decode_under(struct bytes in, uint8_t layer, uint32_t parent, bool nested,
                           struct field_tree *tree);

#endif
