/* Versions of the foreign libraries that are loaded. Floor 5. */
#ifndef SIGNALBOX_CLI_LIBRARIES_H
#define SIGNALBOX_CLI_LIBRARIES_H

typedef void library_sink(void *context, const char *name, const char *version);
void libraries_list(library_sink *sink, void *context);

#endif
