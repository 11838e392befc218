/* Digests. Floor 0. The one door to libcrypto's digests. */
#ifndef SIGNALBOX_BASE_HASH_H
#define SIGNALBOX_BASE_HASH_H

#include "base/bytes.h"

#define SHA256_SIZE 32

struct sha256; /* one running digest; one thread at a time */

struct sha256 *sha256_new(void); /* NULL: out of memory */
void sha256_add(struct sha256 *s, struct bytes b);
void sha256_end(struct sha256 **s, uint8_t digest[SHA256_SIZE]); /* frees and nulls *s; digest may be NULL */
void sha256_take(struct sha256 *s, uint8_t digest[SHA256_SIZE]); /* the digest so far; s begins anew */
uint64_t hash_bytes(struct bytes b, uint64_t seed); /* for hash tables; not for strangers' equality */

#endif
