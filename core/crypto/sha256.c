/* SHA-256 by libcrypto's low-level interface. OpenSSL 3 deprecates it in favour of EVP, which costs
 * an allocated context and a fixed overhead in each call: for the 64 bytes of a Merkle node, 129 ns
 * with a context and a fetched method kept for reuse, against 79 ns here (OpenSSL 3.0, x86-64 with
 * SHA extensions). Both end in the same assembler code. */
#define OPENSSL_API_COMPAT 10101

#include "core/crypto/sha256.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256), "the context must fit");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct sha256), "the context must be aligned");

/* Only libcrypto looks inside. */
static SHA256_CTX *context(struct sha256 *s)
{
    return (SHA256_CTX *)(void *)s;
}

void sha256_init(struct sha256 *s)
{
    SHA256_Init(context(s));
}

void sha256_update(struct sha256 *s, const void *data, size_t len)
{
    if (len != 0)
        SHA256_Update(context(s), data, len);
}

void sha256_final(struct sha256 *s, uint8_t out[32])
{
    SHA256_Final(out, context(s));
}

void sha256(uint8_t out[32], const void *data, size_t len)
{
    SHA256_CTX s;
    SHA256_Init(&s);
    if (len != 0)
        SHA256_Update(&s, data, len);
    SHA256_Final(out, &s);
}

void sha256_pair(uint8_t out[32], const uint8_t a[32], const uint8_t b[32])
{
    SHA256_CTX s;
    SHA256_Init(&s);
    SHA256_Update(&s, a, 32);
    SHA256_Update(&s, b, 32);
    SHA256_Final(out, &s);
}
