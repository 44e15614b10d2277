/* Peers without a core: what they say and hear, as bytes on plain sockets. */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H

#include "tests/bench/tcp/contender.h"

/* A frame of a few bytes. */
#define PLAIN_MAX 128u
struct plain_frame {
    uint8_t bytes[PLAIN_MAX];
    uint32_t len;
};

/* The Handshake of the i-th of many, all of one length; it says port 0, as one that does not
 * listen. */
struct plain_frame plain_hello(uint32_t i);

/* ResponseBlock: none; what one answers that has no block. */
struct plain_frame plain_no_block(void);

/* RequestBlockRange. */
struct plain_frame plain_request_range(uint64_t start, uint64_t end);

/* ---- on a blocking socket; each ends the run when it cannot ---- */

/* A socket that connects from the i-th source address; and does, to the server. */
int plain_socket(const struct run *run, uint32_t i);
void plain_connect(const struct run *run, int fd, uint16_t port);

void plain_say(const struct run *run, int fd, struct plain_frame frame);

/* Reads until a message of that kind has come whole. What comes with it is read too: it must be the
 * last that is waited for. */
void plain_hear(const struct run *run, int fd, uint32_t kind);

#endif
