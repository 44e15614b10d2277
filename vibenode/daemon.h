/* The program's life: everything is opened, the loop runs, everything is closed.
 *
 * It ends on SIGINT or SIGTERM within two seconds: the peers are told (Disconnect(Shutdown)), what
 * they are owed is written out, the store is flushed and closed. A second signal ends it at once;
 * the store bears that, as it bears a power cut. SIGHUP reads the configuration file again. */
#ifndef VIBENODE_DAEMON_H
#define VIBENODE_DAEMON_H

#include "vibenode/config.h"

/* Runs a node until it ends; argv is kept to read the configuration again, which daemon_run frees.
 * Returns an exit status (exits.h). What is wrong is told on stderr. */
int daemon_run(struct config *config, int argc, char **argv);

#endif
