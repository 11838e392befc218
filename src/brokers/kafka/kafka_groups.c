#include "brokers/kafka/kafka_internal.h"

enum err kafka_groups(struct broker *b, const char *pattern, group_sink *sink, void *context,
                      struct err_info *err)
{
    (void)b, (void)pattern, (void)sink, (void)context;
    return err_set(err, ERR_UNSUPPORTED, "groups are not asked for");
}
