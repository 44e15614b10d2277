/* What the core does with buffers beyond the door: growing one that nobody else holds yet. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "core/node.h"

/* Changes the length of a buffer that vn_buf_new made and of which the caller holds the only
 * reference; returns where it is now. The grown part is not initialised. */
struct vn_buf *buf_resize(struct vn_buf *buf, uint32_t len);

#endif
