/* What the tests of the hub's tails and browses share. */
#ifndef TESTS_UNIT_ENGINE_HUB_TAIL_RIG_H
#define TESTS_UNIT_ENGINE_HUB_TAIL_RIG_H

#include "hub_rig.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct address address_of(const char *channel)
{
    return (struct address){&config.endpoints[0], {CHANNEL_QUEUE, channel}};
}

static bool tailing(void)
{
    return hub_tail(hub) && hub_tail(hub)->channels[0].status.state == SESSION_UP;
}

static bool has_five(void)
{
    return hub_tail(hub)->received == 5;
}

static bool has_ten(void)
{
    return hub_tail(hub)->received == 10;
}

static const struct hub_read tap = {.mode = READ_TAP, .partition = -1, .limit = -1};
static const struct hub_read browse = {.mode = READ_BROWSE, .partition = -1, .limit = -1};

#endif
