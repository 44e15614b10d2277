/* Loopback addresses and Unix sockets: see ops_place.h.
 *
 * A Unix socket that an earlier process left behind stands in the way of the next one. It is taken
 * away only if it is a socket and refuses a connection, so that neither a file that a person named
 * by mistake nor the socket of a node that runs is lost. */
#include "vibenode/ops_place.h"

#include "transport-tcp/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static bool is_loopback(const struct vn_addr *addr)
{
    static const uint8_t one[16] = {[15] = 1};
    return addr->family == VN_AF_IPV4
               ? addr->ip[0] == 127
               : addr->family == VN_AF_IPV6 && memcmp(addr->ip, one, 16) == 0;
}

/* An IP address or localhost, with or without a port. */
static bool addr_parse(const char *text, struct vn_addr *out)
{
    static const char local[] = "localhost";
    size_t len = sizeof local - 1;
    char ip[64];
    if (strncasecmp(text, local, len) == 0 && (text[len] == '\0' || text[len] == ':')) {
        int n = snprintf(ip, sizeof ip, "127.0.0.1%s", text + len);
        return n < (int)sizeof ip && vn_tcp_addr_parse(ip, OPS_PORT, out);
    }
    return vn_tcp_addr_parse(text, OPS_PORT, out);
}

bool ops_place_parse(const char *text, struct ops_place *out, char *why, size_t size)
{
    struct ops_place place = {0};
    if (strncmp(text, "unix:", 5) == 0) {
        const char *path = text + 5;
        size_t len = strlen(path);
        place.is_unix = true;
        if (path[0] != '/')
            snprintf(why, size, "'%s': a Unix socket is named by its whole path: unix:/run/x.sock",
                     text);
        else if (len > OPS_PATH_MAX)
            snprintf(why, size, "'%s': the path of a Unix socket has at most %u bytes, not %zu",
                     text, OPS_PATH_MAX, len);
        else
            memcpy(place.path, path, len + 1);
    } else if (!addr_parse(text, &place.addr)) {
        snprintf(why, size, "'%s' is no address: write 127.0.0.1:%u, [::1]:%u or unix:/path", text,
                 OPS_PORT, OPS_PORT);
    } else if (!is_loopback(&place.addr)) {
        place.addr.family = VN_AF_NONE;
        snprintf(why, size,
                 "'%s' is not a loopback address, and this door is not for the network: use "
                 "127.0.0.1:%u or unix:/path, and a tunnel (ssh -L) from elsewhere",
                 text, OPS_PORT);
    }
    if (!place.path[0] && place.addr.family == VN_AF_NONE)
        return false;
    *out = place;
    return true;
}

bool ops_place_of_folder(const char *folder, char http[OPS_PLACE_TEXT], char token[OPS_FOLDER_TEXT],
                         char *why, size_t size)
{
    struct ops_place place;
    char *path = realpath(folder, NULL);
    if (!path) {
        snprintf(why, size, "%s: %s", folder, strerror(errno));
        return false;
    }
    char text[OPS_FOLDER_TEXT + 32];
    snprintf(text, sizeof text, "unix:%s/ctl.sock", path);
    bool good = ops_place_parse(text, &place, why, size);
    if (good) {
        ops_place_format(&place, http);
        snprintf(token, OPS_FOLDER_TEXT, "%s/ctl.token", path);
    }
    free(path);
    return good;
}

void ops_place_format(const struct ops_place *place, char out[OPS_PLACE_TEXT])
{
    if (place->is_unix)
        snprintf(out, OPS_PLACE_TEXT, "unix:%s", place->path);
    else
        vn_tcp_addr_format(&place->addr, out);
}

bool ops_place_host_is_loopback(const char *host)
{
    struct vn_addr addr;
    return addr_parse(host, &addr) && is_loopback(&addr);
}

/* ---- listening ------------------------------------------------------------------------------ */

static int new_socket(int domain, char *why, size_t size)
{
    int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        snprintf(why, size, "no socket: %s", strerror(errno));
    return fd;
}

static int refuse(int fd, const struct ops_place *place, char *why, size_t size)
{
    char name[OPS_PLACE_TEXT];
    ops_place_format(place, name);
    if (errno == EADDRINUSE)
        snprintf(why, size, "%s is in use: another process listens there; choose another one",
                 name);
    else
        snprintf(why, size, "cannot listen on %s: %s", name, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int listen_tcp(struct ops_place *place, char *why, size_t size)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {0};
    socklen_t len;
    if (place->addr.family == VN_AF_IPV4) {
        at.v4.sin_family = AF_INET;
        at.v4.sin_port = htons(place->addr.port);
        memcpy(&at.v4.sin_addr, place->addr.ip, 4);
        len = sizeof at.v4;
    } else {
        at.v6.sin6_family = AF_INET6;
        at.v6.sin6_port = htons(place->addr.port);
        memcpy(&at.v6.sin6_addr, place->addr.ip, 16);
        len = sizeof at.v6;
    }
    int fd = new_socket(at.any.sa_family, why, size);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &at.any, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, &at.any, &len) != 0)
        return refuse(fd, place, why, size);
    place->addr.port = ntohs(at.any.sa_family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
    return fd;
}

/* Makes room for our socket; true if there is room. */
static bool clear_path(const struct sockaddr_un *at, char *why, size_t size)
{
    struct stat st;
    if (lstat(at->sun_path, &st) != 0)
        return true; /* nothing there, or bind will say what is wrong */
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(why, size,
                 "unix:%s: there is a file of this name that is no socket: choose another",
                 at->sun_path);
        return false;
    }
    int fd = new_socket(AF_UNIX, why, size);
    if (fd < 0)
        return false;
    bool refused =
        connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!refused) {
        snprintf(why, size,
                 "unix:%s is in use: another process listens there (or it is not yours); choose "
                 "another one",
                 at->sun_path);
        return false;
    }
    if (unlink(at->sun_path) == 0 || errno == ENOENT)
        return true;
    snprintf(why, size, "unix:%s: nobody answers on this socket, but it cannot be removed: %s",
             at->sun_path, strerror(errno));
    return false;
}

static int listen_unix(const struct ops_place *place, char *why, size_t size)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, place->path, strlen(place->path));
    if (!clear_path(&at, why, size))
        return -1;
    int fd = new_socket(AF_UNIX, why, size);
    if (fd < 0)
        return -1;
    /* The file gets the mode that the socket has when it is bound: it is never open to others. */
    if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) != 0 ||
        listen(fd, BACKLOG) != 0)
        return refuse(fd, place, why, size);
    return fd;
}

int ops_place_listen(struct ops_place *place, char *why, size_t size)
{
    return place->is_unix ? listen_unix(place, why, size) : listen_tcp(place, why, size);
}
