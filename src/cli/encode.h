/* A message to a line of output: for people, --json, --plain, --format. Floor 5. Immutable once made: any thread. */
#ifndef SIGNALBOX_CLI_ENCODE_H
#define SIGNALBOX_CLI_ENCODE_H

#include "cli/cli.h"

enum encoding { ENCODE_PEOPLE, ENCODE_JSON, ENCODE_PLAIN, ENCODE_TEMPLATE };

struct template;

struct encoder {
    enum encoding encoding;
    const struct registry *registry;
    uint32_t json_flags;
    bool color;
    bool marks; /* duplicates are looked for: a plain line has a field more, which says so */
    struct template *template;
};

/* Of the command's flags; 0 or an exit code after a message. */
int encoder_init(struct encoder *e, const struct cli *c);
void encoder_free(struct encoder *e);
bool encoder_is_bare(const struct encoder *e); /* its lines have no place for headers */
/* Appends one line with its newline. No memory is taken but the buffer's, unless a template asks for the body's fields. */
void encode_line(const struct encoder *e, struct buffer *out, const struct message *m);

/* %{field} and %{field:raw}; \t \n \\ as in the shell's $''. err->where is the place in the text. */
struct template *template_new(const char *text, struct err_info *err);
void template_free(struct template **t);
void template_line(const struct template *t, struct buffer *out, const struct message *m,
                   decoder_registry decoders);

#endif
