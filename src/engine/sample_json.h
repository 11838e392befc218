/* A sample as JSON, schema signalbox.sample/1. Floor 4. */
#ifndef SIGNALBOX_ENGINE_SAMPLE_JSON_H
#define SIGNALBOX_ENGINE_SAMPLE_JSON_H

#include "base/buffer.h"
#include "model/probe.h"

/* One object, without a line end, appended. state: of the sample itself, or derived by an availability. Phases that didn't
 * happen are null; certificate_expires only where a certificate was seen. */
void sample_json(struct buffer *out, const struct probe_target *target, enum health state,
                 const struct sample *s);

#endif
