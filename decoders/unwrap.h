/* Wrapped payloads: gzip, zstd, base64, and JSON inside JSON strings; each layer a node of the tree. Floor 2. The one door
 * to zlib and libzstd (unwrap_bytes.c). */
#ifndef SIGNALBOX_DECODERS_UNWRAP_H
#define SIGNALBOX_DECODERS_UNWRAP_H

#include "model/decoder.h"

extern const struct decoder_ops unwrap_decoder;

#endif
