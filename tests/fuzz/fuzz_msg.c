/* Whatever decodes must encode to the bytes it took, and decode to the same again.
 *
 *     clang -I. -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_msg.c \
 *         core/wire/{msg,handshake,block,tx,utf8}.c core/base/{buf,mem}.c -o fuzz_msg */
#include "core/wire/msg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct msg msg, again;

    if (!msg_decode(&msg, data, size))
        return 0;
    if (msg.used > size || msg_encoded_size(&msg) != msg.used)
        abort();
    uint8_t *out = malloc(msg.used);
    msg_encode(&msg, out);
    if (memcmp(out, data, msg.used) != 0)
        abort();
    if (!msg_decode(&again, out, msg.used) || again.used != msg.used || again.kind != msg.kind)
        abort();
    if (msg.used > 0 && msg_decode(&again, out, msg.used - 1u))
        abort();
    free(out);
    return 0;
}
