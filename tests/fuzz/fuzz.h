/* A fuzzer is one file tests/fuzz/fuzz_NAME.c with this one function. `make fuzz` lets libFuzzer call it for FUZZ_SECONDS
 * from the inputs in tests/fuzz/corpus/NAME (and tests/fuzz/NAME.dict, if there is one); `make check` calls it once for
 * each of these inputs. Put every input that once broke something there. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
