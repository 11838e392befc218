/* The loaded libraries are asked by symbol, so that no header opens a second door to them; one that isn't linked is not
 * listed. */
#include "cli/libraries.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

enum shape {
    WORD,     /* const char *f(void) */
    SELECTOR, /* const char *f(int), 0 is the version */
    PCRE2,    /* int f(uint32_t, void *), 11 is the version */
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
    {"zlib", "zlibVersion", WORD},
    {"zstd", "ZSTD_versionString", WORD},
    {"SQLite", "sqlite3_libversion", WORD},
    {"PCRE2", "pcre2_config_8", PCRE2},
    {"SQLite", "sqlite3_libversion", WORD},
    {"ncurses", "curses_version", WORD},
};

void libraries_list(library_sink *sink, void *context)
{
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        union {
            void *data;
            const char *(*word)(void);
            const char *(*selector)(int);
            int (*pcre2)(uint32_t, void *);
        } symbol = {.data = dlsym(RTLD_DEFAULT, libraries[i].symbol)};
        if (!symbol.data)
            continue;
        char text[64] = ""; /* PCRE2 writes 24 bytes at most */
        const char *version = text;
        switch (libraries[i].shape) {
        case WORD: version = symbol.word(); break;
        case SELECTOR: version = symbol.selector(0); break;
        case PCRE2: symbol.pcre2(11, text); break;
        }
        sink(context, libraries[i].name, version);
    }
}
