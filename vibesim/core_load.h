/* Other builds of the protocol core, loaded beside the one that is linked in: `--core NAME=FILE`.
 *
 * A build is a shared library with the door of core/node.h. Its code runs in this process, so a
 * file that somebody means ill with must not be named here; all else that can be wrong with one is
 * one line that says what was found, what is needed and the way out. */
#ifndef VIBESIM_CORE_LOAD_H
#define VIBESIM_CORE_LOAD_H

#include "scenarios/engine.h"

struct core_list {
    struct engine_core all[ENGINE_CORES_MAX];
    struct {
        char *file;      /* as given */
        char sha256[65]; /* of its bytes, in hex */
        void *handle;
    } more[ENGINE_CORES_MAX]; /* of the one of the same number */
    size_t count;
};

/* Loads "NAME=FILE". A FILE without a slash is one of the current folder; one file under two names
 * is one build. False with a line in why, and the list as it was. */
bool core_list_add(struct core_list *list, const char *text, char *why, size_t size);

/* Not before the last buffer, node or cache that such a build made is gone. */
void core_list_free(struct core_list *list);

#endif
