/* The command line of vibesim. Exit statuses are those of the design page: 0 all checks hold, 1 a
 * check failed, 2 bad usage or a bad scenario or capture (or a record that cannot be written), 3
 * not deterministic, 77 skipped, 130 interrupted. */
#ifndef VIBESIM_CLI_H
#define VIBESIM_CLI_H

enum cli_status {
    CLI_OK = 0,
    CLI_CHECK_FAILED = 1,
    CLI_BAD = 2,
    CLI_NOT_DETERMINISTIC = 3,
    CLI_SKIPPED = 77, /* as automake's and ctest's runners have it */
    CLI_INTERRUPTED = 130
};

/* All of vibesim but its name: returns the exit status. */
int cli_main(int argc, char **argv);

#endif
