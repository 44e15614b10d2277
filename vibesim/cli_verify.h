/* Two runs side by side for --verify: the first one's events go to an unlinked temporary file, the
 * second one's are compared as they happen, so that the first difference is named. */
#ifndef VIBESIM_CLI_VERIFY_H
#define VIBESIM_CLI_VERIFY_H

#include "scenarios/engine.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct verify {
    FILE *file;           /* NULL: not verifying */
    bool second;          /* the second run is under way */
    uint64_t events[2];   /* of each run, so far */
    char error[256];      /* the file cannot be written or read; "" while all is well */
    char difference[400]; /* the first one in words; "" while there is none */
};

/* False with a line in error. The file is made in TMPDIR or /tmp: 24 bytes an event. */
bool verify_init(struct verify *v);
void verify_deinit(struct verify *v);

/* One event, in either run. False once there is an error or a difference: no more will be compared.
 */
bool verify_event(struct verify *v, uint64_t number, uint64_t t_ns, uint32_t host, uint32_t kind,
                  uint64_t hash);

/* Ends the first run. False with a line in error. */
bool verify_rewind(struct verify *v);

/* Ends the second: compares what is left and the results. False with the difference. */
bool verify_end(struct verify *v, const struct engine_result *first,
                const struct engine_result *second);

#endif
