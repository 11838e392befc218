/* The only list of what there is. Floor 1 has the shape, src/registry.c (floor 6) the one instance; everything between
 * receives it as an argument. */
#ifndef SIGNALBOX_MODEL_REGISTRY_H
#define SIGNALBOX_MODEL_REGISTRY_H

#include "model/broker.h"
#include "model/decoder.h"
#include "model/probe.h"

/* One row of the screen's part of the manual: a key or word, what it does, and the heading that it stands under. */
typedef void manual_row(void *context, const char *heading, const char *left, const char *text);

struct registry {
    broker_registry brokers;
    decoder_registry decoders;
    probe_registry probes;
    /* Is there such a theme, and is it whole? NULL: nobody draws. */
    enum err (*check_theme)(const char *name, struct err_info *err) SB_MUST_USE;
    /* The keys and words of the screen, heading by heading. NULL: nobody draws. */
    void (*describe_screen)(manual_row *row, void *context);
};

#endif
