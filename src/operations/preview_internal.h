/* What the files of a preview share. */
#ifndef SIGNALBOX_OPERATIONS_PREVIEW_INTERNAL_H
#define SIGNALBOX_OPERATIONS_PREVIEW_INTERNAL_H

#include "operations/preview.h"

/* For sessions whose context is the operation_job. */
void preview_notice(void *context, const char *text);
enum err preview_prepare(void *context, const struct endpoint *endpoint, struct secret *into,
                         struct err_info *err) SB_MUST_USE;

#endif
