/* What this process takes of the machine, from /proc and getrusage. */
#ifndef VIBENODE_OPS_PROCESS_H
#define VIBENODE_OPS_PROCESS_H

#include <stdint.h>

/* 0 where the system does not tell. */
struct ops_process {
    uint64_t cpu_us; /* of all threads, user and system */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t open_fds, max_fds;
    uint64_t threads;
};

void ops_process_read(struct ops_process *out);

#endif
