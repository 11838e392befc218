#include "base/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
    EVP_MD_CTX *context;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    s->context = EVP_MD_CTX_new();
    if (s->context && EVP_DigestInit_ex(s->context, EVP_sha256(), NULL) == 1)
        return s;
    EVP_MD_CTX_free(s->context);
    free(s);
    return NULL;
}

void sha256_add(struct sha256 *s, struct bytes b)
{
    EVP_DigestUpdate(s->context, b.data, b.len);
}

void sha256_end(struct sha256 **sp, uint8_t digest[SHA256_SIZE])
{
    struct sha256 *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    if (digest)
        EVP_DigestFinal_ex(s->context, digest, NULL);
    EVP_MD_CTX_free(s->context);
    free(s);
}

void sha256_take(struct sha256 *s, uint8_t digest[SHA256_SIZE])
{
    EVP_DigestFinal_ex(s->context, digest, NULL);
    EVP_DigestInit_ex(s->context, NULL, NULL);
}

/* Multiply and fold, eight bytes a step, with the finisher of MurmurHash3. */
uint64_t hash_bytes(struct bytes b, uint64_t seed)
{
    uint64_t h = seed ^ (b.len * UINT64_C(0x9E3779B97F4A7C15));
    for (size_t at = 0; at < b.len; at += 8) {
        uint64_t word = 0;
        memcpy(&word, b.data + at, b.len - at < 8 ? b.len - at : 8);
        h = (h ^ word) * UINT64_C(0xFF51AFD7ED558CCD);
        h ^= h >> 32;
    }
    h ^= h >> 33;
    h *= UINT64_C(0xC4CEB9FE1A85EC53);
    return h ^ h >> 33;
}
