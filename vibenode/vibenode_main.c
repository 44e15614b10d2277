/* vibenode: a node of the VibeCoin network, for a server. What to do is in config.h, how in
 * daemon.h. */
#include "vibenode/config.h"
#include "vibenode/ctl.h"
#include "vibenode/daemon.h"
#include "vibenode/exits.h"
#include "vibenode/ops_place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* vibenode ctl finds the node by the file that the node was started with. */
static bool read_defaults(const char *file, struct ctl_defaults *out, char *why, size_t size)
{
    out->http[0] = out->token_file[0] = '\0';
    if (!file && access(CONFIG_DEFAULT_FILE, R_OK) != 0)
        return true;
    struct config *config = config_new_file(file ? file : CONFIG_DEFAULT_FILE, why, size);
    if (!config)
        return false;
    /* A line of the file is shorter than either. */
    snprintf(out->http, sizeof out->http, "%s", config->http ? config->http : "");
    snprintf(out->token_file, sizeof out->token_file, "%s",
             config->http_token_file ? config->http_token_file : "");
    bool good = config->http || !config->data ||
                ops_place_of_folder(config->data, out->http, out->token_file, why, size);
    config_free(config);
    return good;
}

/* Whoever starts us with closed streams must not have our files take their places: a log would be
 * written into the store. */
static void fill_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int print(char *text)
{
    bool good = fputs(text, stdout) >= 0 && fflush(stdout) == 0;
    free(text);
    if (!good)
        perror("vibenode: standard output");
    return good ? EXITS_DONE : EXITS_FAILED;
}

int main(int argc, char **argv)
{
    static const struct ctl_config ctl = {read_defaults};
    char why[CONFIG_WHY];
    enum config_command command;
    fill_streams();
    if (argc > 1 && strcmp(argv[1], "ctl") == 0)
        return ctl_main(argc - 1, argv + 1, &ctl);
    struct config *config = config_new(argc, argv, &command, why, sizeof why);
    if (!config) {
        fprintf(stderr, "vibenode: %s\n", why);
        return EXITS_USAGE;
    }
    if (command == CONFIG_RUN)
        return daemon_run(config, argc, argv);
    config_free(config);
    switch (command) {
    case CONFIG_HELP:
        return print(config_help());
    case CONFIG_EXAMPLE:
        return print(config_example());
    case CONFIG_VERSION:
        return print(config_version());
    case CONFIG_CHECK:
        fputs("vibenode: the configuration is good\n", stderr);
        return EXITS_DONE;
    case CONFIG_RUN:
        break;
    }
    return EXITS_FAILED;
}
