#include "cli/losses_say.h"

#include "base/text.h"

#include <stdio.h>

struct saying {
    const struct cli *cli;
    int64_t looked;
};

static void say(void *context, const struct loss *loss)
{
    const struct saying *s = context;
    char count[32], of[80] = "";
    if (s->looked >= 0)
        snprintf(of, sizeof of, "of %s looked at, ", text_count(count, sizeof count, (uint64_t)s->looked));
    cli_notice(s->cli, "%s%s", of, loss->text);
}

void losses_say(const struct losses *l, const struct cli *c, int64_t looked, const struct broker_ops *to,
                unsigned carries, bool done)
{
    losses_tell(l, to, carries, done, say, &(struct saying){c, looked});
}
