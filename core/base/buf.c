/* Buffers of the door (core/node.h) as the core itself makes them: header and bytes in one
 * allocation. */
#include "core/base/buf.h"

#include "core/base/mem.h"

#include <assert.h>

const char buf_memo_tag;

static void buf_release(struct vn_buf *buf)
{
    mem_free(buf);
}

struct vn_buf *vn_buf_new(uint32_t len)
{
    struct vn_buf *buf = mem_resize(NULL, 1, sizeof *buf + (size_t)len);
    *buf = (struct vn_buf){.refs = 1, .len = len, .release = buf_release};
    return buf;
}

struct vn_buf *buf_resize(struct vn_buf *buf, uint32_t len)
{
    assert(buf->refs == 1 && buf->release == buf_release);
    buf = mem_resize(buf, 1, sizeof *buf + (size_t)len);
    buf->len = len;
    buf->memo = 0;
    return buf;
}
