/* Assertions on an HTTP answer. Floor 3; pure. */
#ifndef SIGNALBOX_PROBES_REST_EXPECT_H
#define SIGNALBOX_PROBES_REST_EXPECT_H

#include "model/probe.h"
#include "net/http.h"

/* True when the answer meets all of them, and has a status 200 to 299 where none of them names one. Otherwise reason says
 * what was expected and what came, for the first that isn't met: "expected UP, got DOWN at /status". */
bool rest_expect_met(const struct assertion *all, size_t count, const struct http_response *answer,
                     char *reason, size_t size);

#endif
