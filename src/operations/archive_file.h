/* An archive (engine/archive.h) as a file: written so that it is there whole or not at all, read as a mapping. Floor 4. One thread at a
 * time for each. */
#ifndef SIGNALBOX_OPERATIONS_ARCHIVE_FILE_H
#define SIGNALBOX_OPERATIONS_ARCHIVE_FILE_H

#include "engine/archive.h"

/* Where an operation's archives are, in the state directory: archives/<UTC>-<endpoint>-<channel>.sba, from its second one on with
 * _002 and so on, which sorts behind the first. created_ns: of the operation. False: there is no HOME, or the path is too long. */
bool archive_path(int64_t created_ns, const char *endpoint, const char *channel, unsigned number, char *into,
                  size_t size);
/* "NAME", with or without .sba, in that folder. */
bool archive_path_of_name(const char *name, char *into, size_t size);

/* A file of that path, else an archive of that name: its whole path, to be freed; NULL: neither, with *err (ERR_NOTFOUND). */
char *archive_find(const char *text, struct err_info *err);

/* ---- writing ---- */

struct archiver;

/* Makes PATH.part and the folders above it. ERR_EXISTS: that or the archive is there already. NULL with *err. */
struct archiver *archiver_open(const char *path, const struct archive_header *header, struct err_info *err);
/* ERR_IO: the disk is full, say. Nothing is left to do then but to give up. */
enum err archiver_put(struct archiver *a, const struct message *m, struct err_info *err) SB_MUST_USE;
uint64_t archiver_count(const struct archiver *a);
/* Ends it, reads all of it back, and gives it its name: on the disk, file and folder, when it returns. Frees; failed, nothing is left. */
enum err archiver_finish(struct archiver **a, struct err_info *err) SB_MUST_USE;
void archiver_give_up(struct archiver **a); /* nothing is left; NULL inside is allowed */
void archiver_clean(const char *path);      /* the .part that a crash has left */

/* ---- reading ---- */

struct archive_file {
    struct archive archive;
    char sum[2 * SHA256_SIZE + 1]; /* its SHA-256, in hex */
    struct bytes mapped;
};
/* Checked as a whole before it returns. ERR_NOTFOUND, ERR_IO, ERR_FORMAT. archive_file_close is due in any case. */
enum err archive_file_open(struct archive_file *f, const char *path, struct err_info *err) SB_MUST_USE;
/* Its header alone, at once: nothing is checked, and no message can be had. archive_file_close is due in any case. */
enum err archive_file_look(struct archive_file *f, const char *path, struct err_info *err) SB_MUST_USE;
void archive_file_close(struct archive_file *f);

#endif
