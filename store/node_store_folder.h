/* The folder of a node's store: made where it is missing, and used by one process at a time. */
#ifndef STORE_NODE_STORE_FOLDER_H
#define STORE_NODE_STORE_FOLDER_H

#include "store/node_store_schema.h"

struct store_folder {
    char *path;     /* as it was given */
    char *database; /* the file in it; never a name that SQLite reads as more than that */
    char *lock_path;
    int lock;  /* the open lock file, -1: none */
    bool held; /* locked by us */
    bool made_folder, made_lock, made_database;
};

/* Makes the folder if its parent is there, and locks it. False: refused, and nothing was left
 * behind. */
bool store_folder_open(struct store_folder *folder, const char *path,
                       const struct store_schema *schema, struct store_why *why);

/* Writes our process number into the lock file, for the message of whoever comes second. That it
 * cannot, as on a full disk, does not matter. */
void store_folder_sign(const struct store_folder *folder);

/* Lets go of it. undo: removes whatever was made, for a store that was not opened after all. */
void store_folder_close(struct store_folder *folder, bool undo);

#endif
