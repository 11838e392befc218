/* The loaded libraries are asked by symbol, so that no header opens a second door to them; one that isn't linked is not
 * listed. */
#include "cli/libraries.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum shape {
    WORD,    /* const char *f(void) */
    SELECTOR /* const char *f(int), 0 is the version */
};

static const struct {
    const char *name, *symbol;
    enum shape shape;
} libraries[] = {
    {"librdkafka", "rd_kafka_version_str", WORD},
    {"rabbitmq-c", "amqp_version", WORD},
    {"libcurl", "curl_version", WORD},
    {"OpenSSL", "OpenSSL_version", SELECTOR},
    {"libyaml", "yaml_get_version_string", WORD},
    {"cJSON", "cJSON_Version", WORD},
    {"zlib", "zlibVersion", WORD},
    {"zstd", "ZSTD_versionString", WORD},
    {"ncurses", "curses_version", WORD},
};

void libraries_list(library_sink *sink, void *context)
{
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        union {
            void *data;
            const char *(*word)(void);
            const char *(*selector)(int);
        } symbol = {.data = dlsym(RTLD_DEFAULT, libraries[i].symbol)};
        if (!symbol.data)
            continue;
        const char *version = libraries[i].shape == WORD ? symbol.word() : symbol.selector(0);
        sink(context, libraries[i].name, version);
    }
}
