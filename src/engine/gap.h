/* What is missing behind a lost connection. Floor 4. Any thread. */
#ifndef SIGNALBOX_ENGINE_GAP_H
#define SIGNALBOX_ENGINE_GAP_H

#include "engine/session.h"

/* Of a reading that is opened again at request->resume: a channel that has a place goes on there; another one begins anew. */
enum session_gap gap_of(const struct read_request *request);
bool gap_any_anew(const struct read_places *places); /* a channel was deleted and made anew; NULL: no */

#endif
