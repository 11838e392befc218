/* What a dedupe has found, in a file of the state directory: a resume judges by it. Floor 4. One thread at a time. */
#ifndef SIGNALBOX_OPERATIONS_DEDUPE_FILE_H
#define SIGNALBOX_OPERATIONS_DEDUPE_FILE_H

#include "model/broker.h"
#include "operations/dedupe_extras.h"

struct dedupe_findings {
    struct dedupe_extras *extras;
    struct read_places ends; /* of a source with positions: how far it was looked at */
    int64_t looked;          /* messages */
    bool whole;              /* all that was there was looked at */
};
void dedupe_findings_free(struct dedupe_findings *f); /* what is in it; it is zeroed then */

/* It is about to look: what it has out meanwhile comes back late where it is killed. True: an earlier run was. */
bool dedupe_file_begin(const char *id);
/* operations/ID.extras, whole or not at all, down to the disk. ERR_IO, ERR_NOMEM. */
enum err dedupe_file_write(const char *id, const struct dedupe_findings *f, struct err_info *err) SB_MUST_USE;
/* ERR_NOTFOUND: there is none; ERR_FORMAT, ERR_IO, ERR_NOMEM. Failed, *f is empty. */
enum err dedupe_file_read(const char *id, struct dedupe_findings *f, struct err_info *err) SB_MUST_USE;
void dedupe_file_remove(const char *id);

#endif
