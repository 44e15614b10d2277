/* For tests of the command line: runs vibesim in a child process, in a folder of the test's own,
 * and keeps what it printed. */
#ifndef TESTS_UNIT_CLI_CHILD_H
#define TESTS_UNIT_CLI_CHILD_H

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_ARGS 24

struct child {
    char folder[200]; /* the child's working folder */
    int status;       /* exit status, or -signal */
    char out[1u << 16];
    char err[1u << 14];
};

/* The text of a file under the folder, NUL-terminated and cut at size. */
static inline void child_slurp(const struct child *c, const char *name, char *out, size_t size)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", c->folder, name);
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(out, 1, size - 1, f) : 0;
    out[n] = 0;
    if (f)
        fclose(f);
}

static inline void child_write(const struct child *c, const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", c->folder, name);
    FILE *f = fopen(path, "wb");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
}

static inline int child_exists(const struct child *c, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", c->folder, name);
    return access(path, F_OK) == 0;
}

static inline int child_init(struct child *c)
{
    const char *tmp = getenv("TMPDIR");
    memset(c, 0, sizeof *c);
    snprintf(c->folder, sizeof c->folder, "%s/vibenet-cli-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(c->folder) ? 0 : -1;
}

static inline int child_deinit(struct child *c)
{
    DIR *dir = opendir(c->folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[500];
        snprintf(path, sizeof path, "%s/%s", c->folder, e->d_name);
        if (unlink(path) != 0)
            rmdir(path);
    }
    if (dir)
        closedir(dir);
    return rmdir(c->folder);
}

/* Starts it: `inside` is called, or, if NULL, $VN_BIN/vibesim executed. args is NULL-terminated and
 * without the program's name. */
static inline pid_t child_start(const struct child *c, int (*inside)(int, char **),
                                const char *const *args)
{
    char program[400];
    char *argv[CHILD_ARGS + 2] = {program};
    const char *bin = getenv("VN_BIN");
    snprintf(program, sizeof program, "%s/vibesim", bin ? bin : "build/debug/bin");
    int argc = 1;
    for (; args[argc - 1] && argc <= CHILD_ARGS; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char *absolute = realpath(program, NULL);
    if (chdir(c->folder) != 0 || !freopen("out.txt", "w", stdout) ||
        !freopen("err.txt", "w", stderr))
        _exit(99);
    if (inside) {
        int status = inside(argc, argv);
        fflush(NULL);
        _exit(status);
    }
    execv(absolute ? absolute : program, argv);
    _exit(98);
}

static inline void child_wait(struct child *c, pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    c->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    child_slurp(c, "out.txt", c->out, sizeof c->out);
    child_slurp(c, "err.txt", c->err, sizeof c->err);
}

static inline void child_run(struct child *c, int (*inside)(int, char **), const char *const *args)
{
    child_wait(c, child_start(c, inside, args));
}

/* Lines, each ended by a newline; text without one counts as two, so that it fails. */
static inline int child_lines(const char *text)
{
    int n = 0;
    size_t len = strlen(text);
    for (const char *p = text; *p; p++)
        n += *p == '\n';
    return len && text[len - 1] != '\n' ? n + 2 : n;
}

#endif
