/* A resolver that nobody answers: a library to be preloaded, whose getaddrinfo makes the file
 * looked-up and then takes ten minutes. */
#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

__attribute__((visibility("default"))) int getaddrinfo(const char *host, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **out)
{
    (void)host;
    (void)service;
    (void)hints;
    *out = NULL;
    int fd = open("looked-up", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    for (unsigned left = 600; left > 0;)
        left = sleep(left);
    return EAI_AGAIN;
}
