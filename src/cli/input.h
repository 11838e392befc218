/* Input of commands: a whole file or stdin, or one line after the other. Floor 5. One thread at a time. */
#ifndef SIGNALBOX_CLI_INPUT_H
#define SIGNALBOX_CLI_INPUT_H

#include "base/buffer.h"

/* "-" and NULL are stdin. The whole of it, into an initialised buffer, whose maximum is the limit. */
enum err input_whole(const char *path, struct buffer *into, struct err_info *err) SB_MUST_USE;

/* One line at a time, without its newline; the last one may lack it. */
struct input {
    const char *name;
    int fd;
    int64_t start; /* -1: a stream, which is read once */
    bool ended;
    size_t at; /* of the next line in the buffer */
    uint64_t line;
    struct buffer text;
};
enum err input_open(struct input *in, const char *path, struct err_info *err) SB_MUST_USE;
/* ERR_END after the last line; ERR_BUSY where none has come whole within a quarter of a second: call again. The line is valid until the
 * next call. */
enum err input_line(struct input *in, struct bytes *line, struct err_info *err) SB_MUST_USE;
/* To the first line again; false: it is a stream. */
bool input_rewind(struct input *in);
/* Puts the file and the line before what err->where says. */
void input_where(const struct input *in, struct err_info *err);
void input_close(struct input *in);

#endif
