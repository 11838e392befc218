/* The state directory: $XDG_STATE_HOME/signalbox, else ~/.local/state/signalbox; folder 0700, files 0600. Floor 0. Any thread. */
#ifndef SIGNALBOX_BASE_STATE_H
#define SIGNALBOX_BASE_STATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define STATE_PATH_SIZE 4096

/* The path of a file there; false: there is no HOME. */
bool state_path(const char *name, char *into, size_t size);
enum err state_missing(struct err_info *err);                  /* says so: ERR_IO */
bool state_make_folder(const char *path);                      /* the folders above that path */
enum err state_failed(const char *path, struct err_info *err); /* of a path there, by errno: ERR_IO */
enum err state_check(struct err_info *err) SB_MUST_USE; /* makes the directory; can it be written to? */
bool state_fill(int fd, const char *text); /* from its first byte, down to the disk; false: errno says why */
/* A small file as text; false: there is none that can be read. */
bool state_read(const char *name, char *into, size_t size);
/* Whole or not at all: a reader sees the old text or the new one. "" removes the file. */
enum err state_write(const char *name, const char *text, struct err_info *err) SB_MUST_USE;

#endif
