/* What the node calls itself when nobody said: made up once, and kept in the data folder. */
#ifndef VIBENODE_NODE_ID_H
#define VIBENODE_NODE_ID_H

#include <stdbool.h>
#include <stddef.h>

#define NODE_ID_SIZE 64u
#define NODE_ID_FILE "node-id"

/* "vibenode-" and eight random digits. */
void node_id_make(char out[NODE_ID_SIZE]);

/* Reads FOLDER/node-id, or makes it (readable for others: an id is no secret). The folder is there
 * and nobody else's. False with one line in why: it cannot be read or written, or holds no id. */
bool node_id_keep(const char *folder, char out[NODE_ID_SIZE], char *why, size_t size);

#endif
