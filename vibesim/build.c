/* Reads the build's own hash where the linker put it: in the program's notes, as
 * "man elf" (Nhdr) tells them. See build.h. */
#include "vibesim/build.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ID_BYTES 6u /* of the hash that are told */

static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* The build's note within `size` bytes of notes; false if it is not there. */
static bool find_note(const uint8_t *notes, size_t size, uint8_t out[ID_BYTES])
{
    for (size_t at = 0; size - at >= sizeof(ElfW(Nhdr));) {
        ElfW(Nhdr) note;
        memcpy(&note, notes + at, sizeof note);
        const size_t name = at + sizeof note, value = name + padded(note.n_namesz);
        if (value > size || note.n_descsz > size - value)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(notes + name, "GNU", 4) == 0 && note.n_descsz >= ID_BYTES) {
            memcpy(out, notes + value, ID_BYTES);
            return true;
        }
        at = value + padded(note.n_descsz);
        if (at > size)
            return false;
    }
    return false;
}

/* For dl_iterate_phdr, which begins with the program itself. */
static int look(struct dl_phdr_info *info, size_t size, void *ctx)
{
    uint8_t *out = ctx;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        const uint8_t *at = (const uint8_t *)(uintptr_t)(info->dlpi_addr + p->p_vaddr);
        if (p->p_type == PT_NOTE && find_note(at, p->p_memsz, out))
            return 1;
    }
    return -1; /* only the first */
}

const char *build_name(void)
{
    static char name[160];
    uint8_t id[ID_BYTES];
    if (name[0])
        return name;
    if (dl_iterate_phdr(look, id) == 1)
        snprintf(name, sizeof name, VIBESIM_BUILD " %02x%02x%02x%02x%02x%02x", id[0], id[1], id[2],
                 id[3], id[4], id[5]);
    else
        snprintf(name, sizeof name, VIBESIM_BUILD " unidentified");
    return name;
}
