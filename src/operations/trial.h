/* What the destinations of an operation would say to its messages, without sending any: each channel is looked up once, and each message
 * is checked by the driver as far as it can (PUBLISH_DRY). Floor 4. One thread, which waits for the broker. */
#ifndef SIGNALBOX_OPERATIONS_TRIAL_H
#define SIGNALBOX_OPERATIONS_TRIAL_H

#include "operations/execute.h"

#define TRIAL_CHANNELS 64 /* more are not looked up */

struct trial;

/* cluster, partitions: the source's. The job, and cluster, must outlive it. job->notice hears what the driver has to say, of the plan's own
 * destination once more, and at the end how many nothing routes. fd as for destination_open. NULL with *err. */
struct trial *trial_open(const struct operation_job *job, const char *cluster, int32_t partitions, int fd,
                         struct err_info *err);
void trial_close(struct trial **t);
/* Why nothing can be sent to that channel; NULL: it can, or that is not known. */
const char *trial_channel(struct trial *t, const struct channel_name *to);
/* Why that message would fail there; NULL: it would not, as far as can be known. Valid until the next call. */
const char *trial_message(struct trial *t, const struct channel_name *to, const struct message *m);
/* Says what the channels that the plan does not name do with what they are sent, and where there is less room than messages for it. */
void trial_say_bounds(struct trial *t);
void trial_serve(struct trial *t); /* now and then: the connection's heartbeats */

#endif
