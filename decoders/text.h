/* Plain text: one string. Floor 2. */
#ifndef SIGNALBOX_DECODERS_TEXT_H
#define SIGNALBOX_DECODERS_TEXT_H

#include "model/decoder.h"

extern const struct decoder_ops text_decoder;

#endif
