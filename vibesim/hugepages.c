/* See hugepages.h. glibc's heap grows at its end, so one large block, taken and given back at once,
 * lays out an address range from which later ones are carved; the kernel is told what the range is
 * for before a byte of it is touched (madvise(2), MADV_HUGEPAGE; glibc does so itself under the
 * tunable glibc.malloc.hugetlb=1, which cannot be set from inside). No memory is used by it until
 * somebody does. A heap that outgrows the range goes on in small pages. */
#include "vibesim/hugepages.h"

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RANGE_MAX  (UINT64_C(4) << 30)
#define RANGE_MIN  (UINT64_C(64) << 20)
#define PAGE_BYTES (UINT64_C(2) << 20)

void hugepages_ask(void)
{
#if defined(__GLIBC__) && defined(MADV_HUGEPAGE)
    const int mmap_max = 65536;  /* glibc's default: for blocks that are large from the start */
    if (!mallopt(M_MMAP_MAX, 0)) /* a sanitizer's malloc says no */
        return;
    for (uint64_t bytes = RANGE_MAX; bytes >= RANGE_MIN; bytes /= 2) {
        char *range = malloc(bytes);
        if (!range)
            continue;
        const uintptr_t skip = PAGE_BYTES - (uintptr_t)range % PAGE_BYTES;
        (void)madvise(range + skip, bytes - PAGE_BYTES, MADV_HUGEPAGE);
        mallopt(M_TRIM_THRESHOLD, -1); /* never: keep the range */
        free(range);
        break;
    }
    mallopt(M_MMAP_MAX, mmap_max);
#endif
}
