/* See names.h. The map has a fixed seed: its keys are hashes, costly to choose, and it must not
 * depend on any node's dice. */
#include "core/peer/names.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

#define SHOWN_MAX (NAMES_ID_SHOWN + NAMES_VERSION_SHOWN + 2)

void names_book_init(struct names_book *book)
{
    idmap_init(&book->by_hash, offsetof(struct names, hash), 0);
    book->unlisted = 0;
}

void names_book_deinit(struct names_book *book)
{
    assert(book->by_hash.count == 0 && book->unlisted == 0);
    idmap_deinit(&book->by_hash);
}

/* Copies at most max bytes and ends with a NUL. Returns what follows. */
static char *copy_shown(char *out, const uint8_t *text, size_t len, size_t max)
{
    len = len < max ? len : max;
    for (size_t i = 0; i < len; i++)
        *out++ = text[i] ? (char)text[i] : '?';
    *out++ = '\0';
    return out;
}

struct names *names_take(struct names_book *book, const uint8_t hash[32], const uint8_t *id,
                         size_t id_len, const uint8_t *version, size_t version_len)
{
    char shown[SHOWN_MAX];
    char *end = copy_shown(shown, id, id_len, NAMES_ID_SHOWN);
    end = copy_shown(end, version, version_len, NAMES_VERSION_SHOWN);
    const size_t size = (size_t)(end - shown);
    struct names *found = idmap_get(&book->by_hash, hash);
    if (found && found->size == size && memcmp(found->shown, shown, size) == 0) {
        found->refs++;
        return found;
    }
    struct names *names = mem_new(1, sizeof *names + size);
    memcpy(names->hash, hash, sizeof names->hash);
    memcpy(names->shown, shown, size);
    names->size = (uint16_t)size;
    names->refs = 1;
    names->listed = !found;
    if (names->listed)
        idmap_put(&book->by_hash, names);
    else
        book->unlisted++;
    return names;
}

bool names_alone(const struct names_book *book, const struct names *names)
{
    return names->refs == 1 && book->unlisted == 0;
}

void names_drop(struct names_book *book, struct names *names)
{
    if (!names || --names->refs > 0)
        return;
    if (names->listed)
        idmap_remove(&book->by_hash, names->hash);
    else
        book->unlisted--;
    mem_free(names);
}
