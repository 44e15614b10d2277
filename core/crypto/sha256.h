/* SHA-256 by OpenSSL's libcrypto. */
#ifndef CRYPTO_SHA256_H
#define CRYPTO_SHA256_H

#include <stddef.h>
#include <stdint.h>

void sha256(uint8_t out[32], const void *data, size_t len);

/* SHA-256 of a || b. out may be a or b. */
void sha256_pair(uint8_t out[32], const uint8_t a[32], const uint8_t b[32]);

/* In parts: init, update any number of times, final. Fixed size, no heap: it may be copied to go on
 * twice from one prefix, and needs no release. */
struct sha256 {
    uint64_t opaque[14];
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t len);
void sha256_final(struct sha256 *s, uint8_t out[32]);

#endif
