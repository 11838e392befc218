/* A fuzzer is one file tests/fuzz/fuzz_NAME.c with this one function. `make fuzz` lets libFuzzer call it for FUZZ_SECONDS
 * from the inputs in tests/fuzz/corpus/NAME (and tests/fuzz/NAME.dict, if there is one); `make check` calls it once for
 * each of these inputs. Put every input that once broke something there. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <string.h>
#include <stdlib.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As C text, up to its first NUL; the caller frees. (The sanitizer's strndup reads a byte behind the input.) */
static inline char *fuzz_text(const void *data, size_t size)
{
    const void *end = size ? memchr(data, 0, size) : NULL;
    size_t len = end ? (size_t)((const char *)end - (const char *)data) : size;
    char *text = malloc(len + 1);
    if (!text)
        abort();
    if (len)
        memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

#endif
