/* Faults of nodes and links on real sockets, as far as a process can impose them on itself: for
 * worlds and tests. What links hold back is in tcp_shape.h. */
#ifndef TCP_FAULT_H
#define TCP_FAULT_H

#include "transport-tcp/tcp_internal.h"

/* ---- a node ---- */

/* Stops the node as SIGSTOP stops a process: nothing is read or accepted, no timer fires, and what
 * becomes known waits. The kernel goes on: bytes pile up, connections wait in the backlog. The
 * node's user gives it no command and no answer meanwhile. */
void tcp_fault_stand(struct vn_tcp_node *node);
/* Goes on: CLOCK if asked for, then what waited, then what is to be read. */
void tcp_fault_go_on(struct vn_tcp_node *node, bool clock);
/* From now on the wall clock is off by skew_ns; told at once, unless the node stands. */
void tcp_fault_clock(struct vn_tcp_node *node, int64_t skew_ns);
/* All nodes' wall clocks read wall_ns at the nodes' clock of zero_ns, and go on with that. */
void tcp_fault_wall(struct vn_tcp *tcp, uint64_t wall_ns, uint64_t zero_ns);

/* The nodes' clock stands while others than they and their links have the loop's thread, and goes
 * on where it stood. */
void tcp_fault_clock_stop(struct vn_tcp *tcp);
void tcp_fault_clock_go(struct vn_tcp *tcp);

/* The kernel's buffers of sockets opened from now on, so that who does not read is felt soon; the
 * kernel takes twice as much. */
void tcp_fault_buffers(struct vn_tcp *tcp, uint32_t bytes);

/* What is dialled at port `named` is connected to at port `real`: so that processes whose nodes
 * have the same addresses can run beside each other. */
void tcp_fault_port(struct vn_tcp *tcp, uint16_t named, uint16_t real);

/* ---- its links ---- */

struct tcp_owner *tcp_fault_owner(struct vn_tcp_node *node);

/* A power cut, before the owner is closed: its sockets stay open and unread, without a word, until
 * tcp_fault_back or the loop's end. */
void tcp_fault_vanish(struct tcp_owner *owner);
/* What vanished of this user answers with resets. */
void tcp_fault_back(struct vn_tcp *tcp, void *user);

/* Open links of `owner` whose other end has the IP address of `with`; each returns how many. */

/* Both ends hear a reset. */
uint32_t tcp_fault_reset(struct tcp_owner *owner, const struct vn_addr *with);
/* The owner hears a reset; the other end is not told, and what it sends next is answered with one.
 */
uint32_t tcp_fault_half(struct tcp_owner *owner, const struct vn_addr *with);
/* Nothing leaves this end any more, and nobody is told; for both ends call it for both owners. Only
 * links with a shape. */
uint32_t tcp_fault_lose(struct tcp_owner *owner, const struct vn_addr *with);

#endif
