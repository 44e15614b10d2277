/* The program's exit statuses. */
#ifndef VIBENODE_EXITS_H
#define VIBENODE_EXITS_H

enum exits {
    EXITS_DONE = 0,
    EXITS_FAILED = 1, /* something broke while running */
    EXITS_USAGE = 2,  /* the command line or the configuration is wrong */
    EXITS_LISTEN = 3, /* an address cannot be listened on */
    EXITS_DATA = 4,   /* the data folder cannot be used */
    EXITS_COUNT
};

/* What a status means, for a person; NULL past the last one. */
const char *exits_words(int status);

#endif
