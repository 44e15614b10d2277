/* Strict UTF-8: the well-formed byte sequences of Unicode 15, table 3-7, which are what Rust's
 * std::str::from_utf8 accepts. No overlong forms, no surrogates, nothing above U+10FFFF. */
#include "core/wire/msg.h"

/* Bytes of the sequence that begins with `lead`, 0 for none, and the range of its second byte. */
static size_t sequence(uint8_t lead, uint8_t *second_low, uint8_t *second_high)
{
    *second_low = 0x80;
    *second_high = 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2) /* continuation bytes, and overlong two-byte forms */
        return 0;
    if (lead < 0xe0)
        return 2;
    if (lead < 0xf0) {
        if (lead == 0xe0)
            *second_low = 0xa0; /* below: overlong */
        else if (lead == 0xed)
            *second_high = 0x9f; /* above: surrogates */
        return 3;
    }
    if (lead > 0xf4)
        return 0;
    if (lead == 0xf0)
        *second_low = 0x90; /* below: overlong */
    else if (lead == 0xf4)
        *second_high = 0x8f; /* above: beyond U+10FFFF */
    return 4;
}

bool wire_utf8_valid(const uint8_t *data, size_t len)
{
    size_t i = 0;

    while (i < len) {
        if (len - i >= 8 && (get_le64(data + i) & 0x8080808080808080u) == 0) {
            i += 8;
            continue;
        }
        uint8_t low, high;
        const size_t n = sequence(data[i], &low, &high);
        if (n == 0 || n > len - i)
            return false;
        if (n > 1 && (data[i + 1] < low || data[i + 1] > high))
            return false;
        for (size_t k = 2; k < n; k++)
            if ((data[i + k] & 0xc0) != 0x80)
                return false;
        i += n;
    }
    return true;
}
