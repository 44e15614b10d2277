/* What this process takes of the machine: see ops_process.h. Nothing here waits: these files are
 * the kernel's own words. */
#include "vibenode/ops_process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_memory(struct ops_process *out)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return;
    uint64_t size, resident, page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &size, &resident) == 2) {
        out->virtual_bytes = size * page;
        out->resident_bytes = resident * page;
    }
    fclose(file);
}

static void read_threads(struct ops_process *out)
{
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return;
    char line[1024];
    /* The program's name, in parentheses, may hold anything. */
    const char *rest = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    long threads;
    if (rest && sscanf(rest + 1,
                       " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                       "%*d %ld",
                       &threads) == 1)
        out->threads = (uint64_t)threads;
    fclose(file);
}

/* Since Linux 6.2 the folder's size is their number; to count them takes milliseconds where there
 * are tens of thousands. */
static void count_fds(struct ops_process *out)
{
    struct stat st;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
        out->open_fds = (uint64_t)st.st_size;
        return;
    }
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return;
    uint64_t count = 0;
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    out->open_fds = count ? count - 1 : 0; /* less the folder's own */
}

void ops_process_read(struct ops_process *out)
{
    *out = (struct ops_process){0};
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->cpu_us = (uint64_t)usage.ru_utime.tv_sec * 1000000 + (uint64_t)usage.ru_utime.tv_usec +
                      (uint64_t)usage.ru_stime.tv_sec * 1000000 + (uint64_t)usage.ru_stime.tv_usec;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        out->max_fds = limit.rlim_cur;
    read_memory(out);
    read_threads(out);
    count_fds(out);
}
