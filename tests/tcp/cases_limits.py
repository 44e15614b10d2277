"""Limits, bans, time and restarts, by sections 4 to 6."""
import time

import vibecoin as vc
from peer import WAIT, Wrong, same
from world import case

LOCALHOST = "127.0.0.1"  # where bans go by id; elsewhere by address


# ---- too many ----


@case("above the inbound limit a newcomer gets TooManyConnections, until somebody leaves")
def too_many(world):
    node = world.node(max_inbound=3)
    peers = [node.ready() for _ in range(3)]
    for _ in range(2):
        newcomer = node.connect()
        newcomer.send(vc.Handshake(node_id=world.fresh_id()))
        newcomer.expect_disconnect("TooManyConnections")
    for peer in peers:
        peer.fence()
    peers[1].send(vc.Disconnect("Shutdown"))
    peers[1].expect_end()
    node.ready().fence()


@case("with an inbound limit of 0 nobody gets in, and the node still dials")
def none_in(world):
    seed = world.listener()
    node = world.node(max_inbound=0, seeds=(seed.name,))
    seed.welcome(node_id="seed").fence()
    newcomer = node.connect()
    newcomer.send(vc.Handshake(node_id=world.fresh_id()))
    newcomer.expect_disconnect("TooManyConnections")


@case("a crowd that connects and says nothing does not keep others out")
def crowd(world):
    node = world.node(max_inbound=4)
    silent = [node.connect(LOCALHOST) for _ in range(200)]
    node.ready().fence()
    same(len(silent), 200, "silent connections")


# ---- bans ----


def refused(node, **connect):
    """A handshake from there is answered by ProtocolViolation alone, before or after it is heard."""
    node_id = connect.pop("node_id")
    peer = node.connect(**connect)
    peer.send(vc.Handshake(node_id=node_id))
    peer.expect_disconnect("ProtocolViolation")


def offend(node, peer):
    """By an invalid block, from a score of 0: a quick answer before it would be a point."""
    peer.answers = False
    peer.send(vc.NewBlock(node.child(node.genesis, poh_hash=bytes(32))))
    peer.expect_disconnect_amid("ProtocolViolation", vc.RequestBlock)


@case("an invalid block bans an address: any id from there is refused, others are not")
def ban_address(world):
    node, ip = world.node(), world.fresh_ip()
    offend(node, node.ready("bad", ip=ip))
    refused(node, node_id="bad", ip=ip)
    refused(node, node_id="innocent", ip=ip)
    node.ready("bad").fence()


@case("on 127.0.0.1 an invalid block bans an id: others from there are not refused")
def ban_id(world):
    node = world.node()
    offend(node, node.ready("bad", ip=LOCALHOST))
    refused(node, node_id="bad", ip=LOCALHOST)
    node.ready("good", ip=LOCALHOST).fence()


@case("a ban outlives a restart")
def ban_kept(world):
    node, ip = world.node(), world.fresh_ip()
    offend(node, node.ready("bad", ip=ip))
    offend(node, node.ready("bad", ip=LOCALHOST))
    node.stop()
    node.start()
    refused(node, node_id="another", ip=ip)
    refused(node, node_id="bad", ip=LOCALHOST)
    node.ready().fence()


@case("a node does not go on dialling a seed that it banned")
def ban_seed(world):
    seed = world.listener()
    node = world.node(seeds=(seed.name,))
    offend(node, seed.welcome(node_id="seed"))
    seed.sock.settimeout(3.0)  # a reconnect would come after two
    try:
        seed.sock.accept()
    except TimeoutError:
        return
    raise Wrong("it dialled again")


@case("two protocol violations ban")
def two_violations(world):
    node, ip = world.node(), world.fresh_ip()
    for _ in range(2):
        peer = node.ready("bad", ip=ip, answers=False)
        peer.send(vc.Handshake(node_id="bad"))
        peer.expect_disconnect_amid("ProtocolViolation", vc.RequestBlock)
    refused(node, node_id="bad", ip=ip)


@case("ten invalid transactions ban, and no fewer")
def ten_transactions(world):
    node = world.node()
    peer = node.ready(answers=False)
    peer.expect(vc.RequestBlock(vc.NEWEST))
    for n in range(10):
        peer.fence()
        peer.send(vc.NewTransaction(vc.transaction(int(time.time()), tx_id=bytes((n,)) * 32)))
    peer.expect_disconnect("ProtocolViolation")


# ---- time ----


@case("a silent connection gets a Ping and then Timeout, though bytes of a frame trickle in; a lively one stays")
def idle(world):
    node = world.node(ping_after="500ms", idle_timeout="1500ms")
    silent, slow = (node.ready(answers=False) for _ in range(2))
    lively = node.ready()
    heard = {silent: [], slow: []}
    slow.send_bytes(vc.frame(vc.encode(vc.Ping(1)) + bytes(1000))[:7])
    until = time.monotonic() + WAIT
    while not all(vc.Disconnect("Timeout") in messages for messages in heard.values()):
        if time.monotonic() > until:
            raise Wrong("no Timeout came")
        slow.send_bytes(b"\0")
        lively.send(vc.Pong(0))
        for peer, messages in heard.items():
            try:
                messages.append(peer.take(0.05))
            except TimeoutError:
                pass
    for messages in heard.values():
        kinds = [type(m) for m in messages[:messages.index(vc.Disconnect("Timeout"))]]
        same(vc.Ping in kinds, True, "a Ping came first")
    lively.fence()


@case("requests that nobody answers do not end a connection that is alive")
def unanswered(world):
    node = world.node(response_timeout="300ms")
    chain = node.chain(10)
    mute = node.ready(chain=chain, answers=False)
    mute.send(vc.NewBlock(chain[10]))
    until = time.monotonic() + 1.5
    seen = []
    while time.monotonic() < until:
        try:
            seen.append(mute.take(0.2))
        except TimeoutError:
            pass
        mute.send(vc.Pong(0))
    same({type(m) for m in seen} <= {vc.RequestBlock, vc.RequestBlockRange, vc.Ping}, True, "only questions")
    node.ready(chain=chain).see(chain[10])


# ---- who reads slowly ----


@case("who asks for much and reads nothing gets all of it in the end, and others do not wait")
def slow_reader(world):
    node = world.node()
    ids = [vc.sha256(n.to_bytes(4, "big")) for n in range(1000)]
    chain = [node.genesis]
    for _ in range(300):
        chain.append(node.child(chain[-1], ids=ids))
    node.teach(chain)
    slow = node.ready(chain=chain, rcvbuf=4096)
    slow.fence()
    starts = (1, 101, 201) * 2
    slow.send(*(vc.RequestBlockRange(start, start + 99) for start in starts))
    for _ in range(20):
        node.ready().fence()
    for start in starts:
        slow.expect(vc.ResponseBlockRange(chain[start:start + 100]))
    slow.fence()


@case("who asks without end and never reads is cut off")
def never_reads(world):
    node = world.node()
    ids = [vc.sha256(n.to_bytes(4, "big")) for n in range(1000)]
    chain = [node.genesis]
    for _ in range(100):
        chain.append(node.child(chain[-1], ids=ids))
    node.teach(chain)
    greedy = node.ready(chain=chain, rcvbuf=4096)
    request = vc.frame(vc.RequestBlockRange(1, 100)) * 1000
    greedy.sock.settimeout(0.2)
    sent = 0
    until = time.monotonic() + WAIT
    try:
        while time.monotonic() < until:
            greedy.sock.sendall(request)
            sent += 1000
    except (ConnectionResetError, BrokenPipeError, TimeoutError):
        pass  # cut off, or not read any more: both bound what it costs
    else:
        raise Wrong(f"{sent} requests were taken in")
    node.ready().fence()


# ---- restarts ----


@case("a restart keeps the chain, and goes on from there")
def restart(world):
    node = world.node(difficulty=2)
    chain = node.chain(120)
    node.teach(chain)
    node.stop()
    node.start()
    peer = node.ready()
    peer.see(chain[-1])  # it may answer while it still loads
    for start in (0, 100):
        peer.send(vc.RequestBlockRange(start, start + 99))
        peer.expect(vc.ResponseBlockRange(chain[start:start + 100]))
    chain.append(node.child(chain[-1]))
    peer.send(vc.NewBlock(chain[-1]))
    same(peer.newest(), chain[-1], "the best block")


@case("a node that was killed comes back with a chain that holds, and catches up")
def killed(world):
    node = world.node()
    chain = node.chain(200)
    node.teach(chain)
    node.kill()
    node.start()
    peer = node.ready()
    kept = peer.newest()
    same(kept, chain[kept.height], "its best block")
    node.ready(chain=chain).see(chain[-1])
