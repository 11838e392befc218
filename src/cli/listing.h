/* One listing of an endpoint's channels, for ls, for the announcement of a read effect, for doctor. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_LISTING_H
#define SIGNALBOX_CLI_LISTING_H

#include "cli/cli.h"

struct listing {
    struct channel_list *list; /* NULL: failed; the caller frees it */
    struct sample sample;      /* of the ping before it */
    struct err_info err;       /* beside a list: the second one, for the rates, failed or did not come */
    int signal;
};
/* Connects, pings and lists (pattern NULL: all) with a time-out (0: 10 s). With again the list is made a second time after a
 * second, so that rates can be told from totals. */
void listing_get(const struct cli *c, const struct config_endpoint *e, const char *pattern, uint32_t flags,
                 bool again, struct listing *listing);
/* Nothing came back within a time-out: what may be wrong. ERR_TIMEOUT. */
enum err listing_no_answer(const struct config_endpoint *e, int64_t timeout_ns, struct err_info *err);
/* The address that names a channel of the list, to be copied: with its kind where the name alone would mean another one. */
void listing_address(struct buffer *out, const struct config_endpoint *e, const struct channel_list *list,
                     const struct channel *c);
/* Says on stderr what reading does to the channel. 0; 7 where it consumes. The failure of the connection; a listing that is
 * denied is no reason to stop: reading may be allowed. */
int listing_announce_effect(const struct cli *c, const struct address *address);

#endif
