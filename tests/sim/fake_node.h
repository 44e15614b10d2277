/* A node that is no node: it stands behind the door of the core so that the simulator can be tested
 * alone. It asserts the driver's side of the protocol of the door (order of events of each link,
 * window, time), does what commands tell it, and keeps what it saw for the test to look at.
 *
 * node_id begins with what it does with bytes: "sink" counts them, "echo" sends them back, "flood"
 * reads frames of FAKE_FRAME bytes and passes each new one (by its first four bytes) to all other
 * links.
 *
 * Commands, some with a meaning of their own here:
 *   CONNECT      dials addr
 *   SUBMIT_TX    sends data on every open link (number 0) or on one
 *   DISCONNECT   closes every link (number 0) or one
 *   BAN, UNBAN   stops, starts reading on every open link
 *   MINE         stores `number` blocks of one byte above those it stored before
 *   ADD_PEER     loads all stored blocks, `number` bytes at most
 *   SHUTDOWN     the next MINE stores from height `number` on, another branch
 *   MINE_INTERVAL  sends one byte on every link each `number` ns */
#ifndef FAKE_NODE_H
#define FAKE_NODE_H

#include "core/node.h"

#define FAKE_FRAME  100u
#define FAKE_FRAMES 4096u /* different frames in a flood */
#define FAKE_LOADED 64u

enum fake_state { FAKE_DIALLING, FAKE_UP, FAKE_CLOSING, FAKE_DOWN };

/* The hash of the first `bytes` bytes that were sent, of which `data` was the end. */
struct fake_sent {
    uint64_t bytes, hash;
    struct vn_slice data;
};

struct fake_out {
    struct fake_out *next;
    struct vn_slice data;
};

struct fake_link {
    uint64_t id;
    enum fake_state state;
    struct vn_addr local, remote;
    uint32_t window, used;
    uint32_t used_max;
    uint32_t why;
    uint64_t up_ns, down_ns, first_rx_ns, last_rx_ns;
    uint64_t rx_bytes, rx_events, rx_hash, tx_bytes, tx_hash;
    uint32_t downs;
    uint8_t frame[FAKE_FRAME];
    uint32_t frame_len;
    struct fake_out *head, *tail;
    struct fake_sent *sent; /* after each slice */
    uint32_t sent_count;
};

struct vn_node {
    struct vn_config config;
    uint64_t now_ns, wall_ns, deadline_ns, tick_ns;
    uint64_t hash;
    uint32_t starts, timers;
    uint64_t next_dial;
    uint64_t last_accepted;
    struct fake_link *links; /* all that ever were */
    uint32_t link_count;
    struct fake_action *head, *tail;
    struct vn_store_item *items; /* of the latest STORE that was drained */
    uint64_t stored, stored_ok, loads, loaded_blocks, loaded_bytes;
    uint8_t branch;                    /* in the two highest bits of the blocks stored */
    uint8_t loaded[FAKE_LOADED];       /* the first bytes of the blocks loaded last */
    uint32_t stored_last, loaded_last; /* status of the latest answers */
    uint64_t clocks;
    uint64_t frames;
    uint8_t seen[FAKE_FRAMES];
};

/* An order-sensitive hash of a stream of bytes, however it is cut. */
uint64_t fake_stream_hash(uint64_t hash, const void *data, size_t len);

/* Nodes alive in the process: to see that all are freed. */
uint32_t fake_nodes_alive(void);

#endif
