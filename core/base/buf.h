/* What the core does with buffers beyond the door: growing one that nobody else holds yet, and
 * remembering what was found out about the bytes of one that many nodes are given. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "core/node.h"

/* Changes the length of a buffer that vn_buf_new made and of which the caller holds the only
 * reference; returns where it is now. The grown part is not initialised, what was remembered of the
 * bytes is forgotten. */
struct vn_buf *buf_resize(struct vn_buf *buf, uint32_t len);

/* Bits of a memo: what is known of all bytes of the buffer together. */
#define BUF_TX_ID_OK      UINT64_C(1) /* it is one NewTransaction frame, for which T1 holds */
#define BUF_CONTENT_KNOWN UINT64_C(2) /* the higher bits are a hash of the bytes */
#define BUF_CONTENT       (~UINT64_C(3))

/* Its address names this build of the core, of several in one process. */
extern const char buf_memo_tag;

/* What this build remembers; another build's memo counts for nothing. */
static inline uint64_t buf_memo(const struct vn_buf *buf)
{
    return buf->memo_by == &buf_memo_tag ? buf->memo : 0;
}

static inline void buf_remember(struct vn_buf *buf, uint64_t bits)
{
    buf->memo = buf_memo(buf) | bits;
    buf->memo_by = &buf_memo_tag;
}

#endif
