/* The one limit of the framing (PROTOCOL-0.1 section 1), decided on the prefix alone. */
#include "core/wire/frame.h"

bool frame_length_allowed(uint32_t payload)
{
    return payload <= FRAME_PAYLOAD_MAX;
}
