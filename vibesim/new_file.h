/* A file that is there whole or not at all: made beside its name, and renamed at the end. */
#ifndef VIBESIM_NEW_FILE_H
#define VIBESIM_NEW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct new_file {
    const char *path; /* borrowed */
    char part[4200];
    FILE *f; /* to be written to; NULL: it could not be made */
    int reason;
};

/* False where it could not be made: new_file_end says why. */
bool new_file_begin(struct new_file *n, const char *path);

/* Gives the file its name if all was written (`ok`), or removes it. False, with a line in why that
 * ends in `otherwise` ("use another file (-o)"), if it is not there now. bytes: its size, or NULL.
 */
bool new_file_end(struct new_file *n, bool ok, uint64_t *bytes, const char *otherwise, char *why,
                  size_t size);

#endif
