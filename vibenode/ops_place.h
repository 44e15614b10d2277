/* Where a node's HTTP is: a loopback address or a Unix socket. The server listens there, vibenode
 * ctl goes there. */
#ifndef VIBENODE_OPS_PLACE_H
#define VIBENODE_OPS_PLACE_H

#include "core/node.h"

#define OPS_PORT       9765u
#define OPS_PATH_MAX   107u /* what struct sockaddr_un takes */
#define OPS_PLACE_TEXT 128u

struct ops_place {
    bool is_unix;
    char path[OPS_PATH_MAX + 1]; /* of the socket */
    struct vn_addr addr;         /* else */
};

/* "127.0.0.1:9765", "[::1]:9765", "localhost:9765" (which is 127.0.0.1) or "unix:/path"; without a
 * port it is OPS_PORT. False, and one line in why, where it is no such thing or not loopback. */
bool ops_place_parse(const char *text, struct ops_place *out, char *why, size_t size);

/* Where the node with this data folder answers when its configuration names no other place: a
 * socket in the folder, and the file of its token beside it. False, and one line in why: there is
 * no such folder, or its path is too long for a socket. */
#define OPS_FOLDER_TEXT 4096u
bool ops_place_of_folder(const char *folder, char http[OPS_PLACE_TEXT], char token[OPS_FOLDER_TEXT],
                         char *why, size_t size);

void ops_place_format(const struct ops_place *place, char out[OPS_PLACE_TEXT]);

/* A value of Host that only a client of this very machine can have meant: localhost, 127.x.y.z or
 * ::1, with any port or none (a tunnel may change it). */
bool ops_place_host_is_loopback(const char *host);

/* A listening, non-blocking socket; place->addr.port becomes the real one. A Unix socket is for its
 * owner alone, and replaces one that nobody answers on. -1, and one line in why. */
int ops_place_listen(struct ops_place *place, char *why, size_t size);

#endif
