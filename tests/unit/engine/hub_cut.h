/* The memory broker behind a line that can be cut, for the tests of the hub. */
#ifndef TESTS_UNIT_ENGINE_HUB_CUT_H
#define TESTS_UNIT_ENGINE_HUB_CUT_H

#include "hub_rig.h"

static atomic_bool cut;

static struct broker_ops breaking; /* the memory broker behind a line that can be cut */

static enum err breaking_open(struct broker *b, struct err_info *err)
{
    enum err e = memory_broker.open(b, err); /* its state is whole in any case: it is closed, too */
    return atomic_load(&cut) ? err_set(err, ERR_UNREACHABLE, "connection refused") : e;
}

#endif
