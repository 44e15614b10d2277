/* The text of a scenario, of the modules it requires and of its data, read once, so that every run
 * of a process sees the same bytes. */
#ifndef SCENARIOS_SOURCE_H
#define SCENARIOS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#define SOURCE_SIZE_MAX (4u << 20)

struct source {
    struct source *next;
    char *path;
    char *chunk; /* "@" and what error messages call the file */
    char *text;  /* len bytes and a NUL; a byte order mark and a first line with # are blanked */
    size_t len;
    char sha256[65]; /* of the file's bytes, hex */
    char module[64]; /* its name as a module beside the scenario; "" if it is none */
};

struct sources {
    struct source *first; /* the scenario itself, then its modules */
};

void sources_init(struct sources *sources);
void sources_deinit(struct sources *sources);

/* The file at path, read now or earlier; NULL with one line in why (cannot be read, too large, not
 * a plain file, bytecode). */
const struct source *sources_get(struct sources *sources, const char *path, char *why, size_t size);

/* A module of the program itself, "behaviours/frames"; NULL if there is none. */
const struct source *sources_embedded(struct sources *sources, const char *name);

/* The module `name` beside the scenario, of [a-z0-9_-], or one of the program itself where there is
 * a slash in it. */
const struct source *sources_module(struct sources *sources, const char *name, char *why,
                                    size_t size);

/* What tells this scenario from a changed one, hex: the SHA-256 of its bytes or, where it required
 * modules that lie beside it by now, that over the hex digits of its own and of theirs in turn. */
void sources_sha256(const struct sources *sources, char hex[65]);

/* The file data/NAME.json beside the scenario; names as above. NULL with *missing set if there is
 * none, or with one line in why. */
const struct source *sources_data(struct sources *sources, const char *name, bool *missing,
                                  char *why, size_t size);

#endif
