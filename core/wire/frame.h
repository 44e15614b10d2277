/* Frames out of a byte stream: a 4-byte big-endian payload length, then the payload (PROTOCOL-0.1
 * section 1).
 *
 * The happy path copies nothing: a frame that lies whole in one slice comes out as a window on it,
 * and adjacent windows of one buffer are joined again. Only a frame whose pieces lie in different
 * buffers is assembled in a buffer of its own, which grows with what has arrived: never above
 * 2 x received + 64 KiB. An unfinished frame is kept as a window only where the frame will be at
 * least half of the buffer, else its bytes are copied, so that a small frame never pins a large
 * read. Failure modes: a length above the limit, which is decided on the prefix alone and is final.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "core/base/audit.h"
#include "core/node.h"

#define FRAME_HEADER      4u
#define FRAME_PAYLOAD_MAX 10485760u

enum frame_result {
    FRAME_NONE,     /* more bytes are needed */
    FRAME_READY,    /* *out is a frame's payload, borrowed until the next call */
    FRAME_TOO_LARGE /* final: every later call says so too */
};

/* At most 40 bytes; all zero is a fresh framer. */
struct framer {
    struct vn_slice part;  /* the unfinished frame so far, with its header: a window of a pushed
                              buffer, or of an assembly buffer */
    struct vn_slice input; /* the rest of the last pushed slice; borrowed during a push..next run */
    uint32_t mode;         /* frame.c's */
    uint32_t reserved;
};

/* Whether a frame may announce a payload of that many bytes. */
bool frame_length_allowed(uint32_t payload);

void framer_deinit(struct framer *f);

/* Gives the next bytes. Call framer_next until it says FRAME_NONE before the next push and before
 * `data`'s reference goes away. */
void framer_push(struct framer *f, struct vn_slice data);
enum frame_result framer_next(struct framer *f, struct vn_slice *payload);

/* The space behind an unfinished long frame, into which its next bytes may be read: pushed as a
 * slice that begins there, they are not copied. False: none of at least FRAME_RX_MIN bytes.
 * Borrowed, and good until the next push. */
#define FRAME_RX_MIN 16384u
bool framer_space(struct framer *f, struct vn_slice *space);

/* Bytes held for an unfinished frame: all of the buffer that it lies in. */
size_t framer_bytes(const struct framer *f);

/* See core/base/audit.h. */
void framer_audit(const struct framer *f, struct audit *audit);

#endif
