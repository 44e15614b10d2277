/* Addresses as text, as people write them: 127.0.0.1:8765, [::1]:8765. */
#include "transport-tcp/tcp.h"

#include <stdio.h>
#include <string.h>

void vn_tcp_addr_format(const struct vn_addr *addr, char out[VN_TCP_ADDR_TEXT])
{
    char ip[INET6_ADDRSTRLEN];
    if (addr->family == VN_AF_IPV4 && uv_inet_ntop(AF_INET, addr->ip, ip, sizeof ip) == 0)
        snprintf(out, VN_TCP_ADDR_TEXT, "%s:%u", ip, addr->port);
    else if (addr->family == VN_AF_IPV6 && uv_inet_ntop(AF_INET6, addr->ip, ip, sizeof ip) == 0)
        snprintf(out, VN_TCP_ADDR_TEXT, "[%s]:%u", ip, addr->port);
    else
        snprintf(out, VN_TCP_ADDR_TEXT, "?");
}

/* 1..65535 in decimal digits, to the end of the text. */
static bool port_parse(const char *text, uint16_t *out)
{
    uint32_t port = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (uint32_t)(*text - '0');
    }
    *out = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool ip_parse(const char *text, size_t len, uint8_t family, struct vn_addr *out)
{
    char ip[INET6_ADDRSTRLEN];
    if (len == 0 || len >= sizeof ip)
        return false;
    memcpy(ip, text, len);
    ip[len] = '\0';
    out->family = family;
    return uv_inet_pton(family == VN_AF_IPV4 ? AF_INET : AF_INET6, ip, out->ip) == 0;
}

bool vn_tcp_addr_parse(const char *text, uint16_t default_port, struct vn_addr *out)
{
    struct vn_addr addr = {.port = default_port};
    size_t len = strlen(text);
    const char *colon = strchr(text, ':');
    bool good;
    if (*text == '[') {
        const char *end = strchr(text, ']');
        good = end && ip_parse(text + 1, (size_t)(end - text - 1), VN_AF_IPV6, &addr) &&
               (end[1] == '\0' || (end[1] == ':' && port_parse(end + 2, &addr.port)));
    } else if (colon && strchr(colon + 1, ':')) {
        good = ip_parse(text, len, VN_AF_IPV6, &addr);
    } else if (colon) {
        good = ip_parse(text, (size_t)(colon - text), VN_AF_IPV4, &addr) &&
               port_parse(colon + 1, &addr.port);
    } else {
        good = ip_parse(text, len, VN_AF_IPV4, &addr);
    }
    if (good)
        *out = addr;
    return good;
}
