/* Bytes as they are: takes anything, the last resort. Floor 2. */
#ifndef SIGNALBOX_DECODERS_HEX_H
#define SIGNALBOX_DECODERS_HEX_H

#include "model/decoder.h"

extern const struct decoder_ops hex_decoder;

#endif
