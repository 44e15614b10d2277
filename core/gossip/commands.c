/* COMMAND: what the user of the node wants. Each is answered by one REPLY. */
#include "core/gossip/gossip.h"
#include "core/gossip/own.h"
#include "core/gossip/relay.h"
#include "core/peer/dialer.h"

#include <assert.h>
#include <string.h>

#define MINE_MAX    1000u
#define PINGS_MAX   10000u
#define MINE_ROUNDS 64u /* searches per block before the command gives up */

static void reply(struct gossip *g, uint64_t token, enum vn_status status, const char *text)
{
    struct action_entry *action = net_push_action(g->net, VN_ACT_REPLY, token);
    action->why = status;
    if (text) {
        size_t len = strlen(text) + 1;
        action->text = mem_new(len, 1);
        memcpy(action->text, text, len);
    }
}

static void mine(struct gossip *g, uint64_t token, uint64_t count)
{
    if (count < 1 || count > MINE_MAX) {
        reply(g, token, VN_ERR_ARGUMENT, "number of blocks must be 1..1000");
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint32_t round = 0;
        while (!miner_mine_now(g))
            if (++round == MINE_ROUNDS) {
                reply(g, token, VN_ERR_LIMIT, "no block found within the bound of tries");
                return;
            }
    }
    reply(g, token, VN_OK, NULL);
}

static void submit_tx(struct gossip *g, uint64_t token, struct vn_slice data)
{
    struct msg msg = {.kind = MSG_NEW_TRANSACTION};
    struct reader r = reader_over(vn_slice_data(data), data.len);
    wire_read_tx(&r, &msg.u.tx);
    if (!r.ok || reader_left(&r) != 0) {
        reply(g, token, VN_ERR_ARGUMENT, "not a transaction");
        return;
    }
    enum rule rule = rule_check_tx(&msg.u.tx, net_wall_s(g->net), 0);
    if (rule != RULE_OK) {
        reply(g, token, VN_ERR_INVALID, rule_name(rule));
        return;
    }
    struct vn_buf *frame = msg_frame(&msg);
    if (!frame) {
        reply(g, token, VN_ERR_LIMIT, "the transaction exceeds a frame");
        return;
    }
    bool ok = msg_decode(&msg, frame->data + FRAME_HEADER, frame->len - FRAME_HEADER);
    assert(ok); /* the view now lies in what will be kept */
    struct vn_slice whole = {frame, 0, frame->len};
    struct vn_slice raw = {frame, FRAME_HEADER + 4, frame->len - FRAME_HEADER - 4};
    switch (tx_accept(g, NULL, &msg.u.tx, raw, whole)) {
    case MEMPOOL_ADDED:
        own_add(g, msg.u.tx.tx_id);
        reply(g, token, VN_OK, NULL);
        break;
    case MEMPOOL_KNOWN:
        reply(g, token, VN_ERR_STATE, "known already");
        break;
    case MEMPOOL_FULL:
        reply(g, token, VN_ERR_LIMIT, "the pool, or its share of this sender, is full");
        break;
    }
    vn_buf_unref(frame);
}

/* An open link with this address, of whatever port if it has none. */
static bool link_with(const struct peer *p, const struct vn_addr *addr)
{
    bool match = addr->port ? addr_equal(&p->remote, addr) || peer_listens_at(p, addr)
                            : addr_same_ip(&p->remote, addr);
    return match && !p->closed;
}

static void ping(struct gossip *g, uint64_t token, const struct vn_command *command)
{
    if (command->number < 1 || command->number > PINGS_MAX) {
        reply(g, token, VN_ERR_ARGUMENT, "number of Pings must be 1..10000");
        return;
    }
    bool found = false, full = false;
    for (struct peer *p = g->net->first; p; p = p->next) {
        if (!peer_ready(p) || !link_with(p, &command->addr))
            continue;
        found = true;
        full |= !net_send_pings(g->net, p, (uint32_t)command->number, command->data);
    }
    if (!found)
        reply(g, token, VN_ERR_UNKNOWN, "no ready link with this address");
    else
        reply(g, token, full ? VN_ERR_LIMIT : VN_OK, full ? "so many do not fit" : NULL);
}

static void disconnect(struct gossip *g, uint64_t token, const struct vn_addr *addr)
{
    bool found = false;
    for (struct peer *p = g->net->first; p; p = p->next) {
        if (!link_with(p, addr))
            continue;
        found = true;
        net_close(g->net, p, VN_WHY_SHUTDOWN);
    }
    reply(g, token, found ? VN_OK : VN_ERR_UNKNOWN, found ? NULL : "no link with this address");
}

/* The identity behind an address: that of a link with it, else what the address list knows; NULL if
 * the node id that counts there is not known, or the table is full. */
static struct reputation *identity_of(struct net *net, const struct vn_addr *addr)
{
    for (struct peer *p = net->first; p; p = p->next)
        if (p->rep && (addr_equal(&p->remote, addr) || peer_listens_at(p, addr)))
            return p->rep;
    uint8_t key[32];
    if (!net_addr_key(net, addr, key))
        return NULL;
    return scores_get(&net->scores, key);
}

/* So that a ban can be lifted by the same address when its link is gone. */
static void note_identity(struct net *net, const struct vn_addr *addr, const struct reputation *rep)
{
    struct addr_entry *entry = addrs_find(&net->addrs, addr);
    if (!entry || entry->id_key || !score_by_id(net->cfg.ban_by, addr))
        return;
    addr_set_key(entry, rep->key);
    entry->id_known = true;
}

static void ban(struct gossip *g, uint64_t token, const struct vn_command *command, bool lift)
{
    struct net *net = g->net;
    struct reputation *rep = identity_of(net, &command->addr);
    if (!rep) {
        reply(g, token, VN_ERR_UNKNOWN, "nobody known by this address");
        return;
    }
    note_identity(net, &command->addr, rep);
    uint64_t ns = command->number ? command->number : net->cfg.ban_ns;
    net_ban(net, rep, lift ? 0 : ns);
    reply(g, token, VN_OK, NULL);
}

static void connect_to(struct gossip *g, uint64_t token, const struct vn_addr *addr)
{
    bool ok = dialer_connect(g->net, addr);
    reply(g, token, ok ? VN_OK : VN_ERR_STATE,
          ok ? NULL : "connected already, or not an address to dial");
}

static void add_peer(struct gossip *g, uint64_t token, const struct vn_addr *addr)
{
    bool ok = net_addr_add(g->net, addr, true) != NULL;
    g->net->dial_wanted = true;
    reply(g, token, ok ? VN_OK : VN_ERR_ARGUMENT, ok ? NULL : "not an address to dial");
}

static void shut_down(struct gossip *g, uint64_t token)
{
    g->net->online = false;
    g->net->shut = true;
    miner_start(g, 0);
    for (struct peer *p = g->net->first; p; p = p->next)
        net_close(g->net, p, VN_WHY_SHUTDOWN);
    reply(g, token, VN_OK, NULL);
}

void commands_run(struct gossip *g, uint64_t token, const struct vn_command *command)
{
    switch ((enum vn_command_kind)command->kind) {
    case VN_CMD_MINE:
        mine(g, token, command->number);
        return;
    case VN_CMD_MINE_INTERVAL:
        miner_start(g, command->number);
        reply(g, token, VN_OK, NULL);
        return;
    case VN_CMD_SUBMIT_TX:
        submit_tx(g, token, command->data);
        return;
    case VN_CMD_CONNECT:
        connect_to(g, token, &command->addr);
        return;
    case VN_CMD_DISCONNECT:
        disconnect(g, token, &command->addr);
        return;
    case VN_CMD_BAN:
        ban(g, token, command, false);
        return;
    case VN_CMD_UNBAN:
        ban(g, token, command, true);
        return;
    case VN_CMD_ADD_PEER:
        add_peer(g, token, &command->addr);
        return;
    case VN_CMD_SHUTDOWN:
        shut_down(g, token);
        return;
    case VN_CMD_PING:
        ping(g, token, command);
        return;
    case VN_CMD_COUNT:
        break;
    }
    reply(g, token, VN_ERR_ARGUMENT, "unknown command");
}
