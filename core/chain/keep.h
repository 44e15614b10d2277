/* Whether to hold a window of somebody's buffer or a copy of it. */
#ifndef CHAIN_KEEP_H
#define CHAIN_KEEP_H

#include "core/node.h"

#include <string.h>

/* A slice of the same bytes with one reference of its own. The window is kept where it is at least
 * half of its buffer, else copied, so that a small object never pins a large read. */
static inline struct vn_slice keep_slice(struct vn_slice window)
{
    if (window.len == 0)
        return (struct vn_slice){0};
    if ((uint64_t)window.len * 2 >= window.buf->len)
        return vn_slice_ref(window);
    struct vn_buf *copy = vn_buf_new(window.len);
    memcpy(copy->data, vn_slice_data(window), window.len);
    return (struct vn_slice){.buf = copy, .off = 0, .len = window.len};
}

#endif
