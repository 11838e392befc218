#include "operations/speed.h"

#define WINDOW_NS (5 * NS_PER_S)
#define LEAST_NS  NS_PER_S /* of less one cannot tell: the first ones come at once */
#define SAMPLE_NS (NS_PER_S / 10)

void speed_note(struct speed *s, int64_t now_ns, int64_t count)
{
    size_t last = (s->first + s->held + SPEED_SAMPLES - 1) % SPEED_SAMPLES;
    if (s->held && now_ns - s->seen[last].at_ns < SAMPLE_NS)
        return;
    if (s->held == SPEED_SAMPLES) {
        s->first = (s->first + 1) % SPEED_SAMPLES;
        s->held--;
    }
    last = (s->first + s->held++) % SPEED_SAMPLES;
    s->seen[last].at_ns = now_ns;
    s->seen[last].count = count;
    while (s->held > 2 && now_ns - s->seen[(s->first + 1) % SPEED_SAMPLES].at_ns >= WINDOW_NS) {
        s->first = (s->first + 1) % SPEED_SAMPLES;
        s->held--;
    }
}

double speed_of(const struct speed *s)
{
    if (s->held < 2)
        return -1;
    size_t last = (s->first + s->held - 1) % SPEED_SAMPLES;
    int64_t took = s->seen[last].at_ns - s->seen[s->first].at_ns;
    if (took < LEAST_NS)
        return -1;
    return (double)(s->seen[last].count - s->seen[s->first].count) * (double)NS_PER_S / (double)took;
}

void speed_forget(struct speed *s)
{
    s->held = 0;
}

int64_t speed_takes(int64_t messages, int64_t per_second)
{
    int64_t seconds = 0;
    for (int64_t slower = SPEED_SLOW_S; slower > 1 && messages > 0; slower--, seconds++)
        messages -= per_second / slower > 1 ? per_second / slower : 1;
    int64_t rest = messages > 0 ? (messages + per_second - 1) / per_second : 0;
    return (seconds + rest) * NS_PER_S;
}
