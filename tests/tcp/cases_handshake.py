"""Handshakes, by section 4 of the protocol: who speaks first, versions, ids, what may stand in its place."""
import socket
import time

import vibecoin as vc
from peer import same
from world import PORT, TIMESTAMP, case


def first_words(node_id):
    """A handshake and two messages that are answered at once, and the answers."""
    genesis = vc.genesis(TIMESTAMP, 1)
    sent = (vc.Handshake(node_id=node_id), vc.Ping(7), vc.RequestBlock(0))
    return b"".join(vc.frame(m) for m in sent), (vc.Pong(7), vc.ResponseBlock(genesis))


# ---- inbound ----


@case("a node answers a handshake with its own id, version and listening address, and speaks only then")
def answers(world):
    node = world.node(node_id="the node")
    peer = node.connect()
    peer.expect_nothing(0.2)
    peer.shake(node_id="python")
    same(peer.hello, vc.Handshake(vc.VERSION, "the node", socket.inet_aton(node.ip), PORT), "its Handshake")
    peer.fence()


@case("a node that listens on IPv6 says so in its handshake, and hears of such addresses")
def ipv6(world):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return  # this machine has no IPv6
        port = probe.getsockname()[1]
    ip = socket.inet_pton(socket.AF_INET6, "::1")
    peer = world.node(ip="::1", port=port).ready()
    same(peer.hello, vc.Handshake(vc.VERSION, "node", ip, port), "its Handshake")
    peer.fence()
    mapped = bytes(10) + b"\xff\xff" + bytes((127, 0, 0, 1))
    world.node().connect().shake(node_id="mapped", ip=mapped, port=1).fence()


@case("a handshake and what follows it may come in two pieces, cut anywhere, or all in one")
def two_pieces(world):
    node = world.node(max_inbound=200)
    length = len(first_words("python-000")[0])
    peers = [(node.connect(), *first_words(f"python-{cut:03}"), cut) for cut in range(1, length + 1)]
    for peer, data, _, cut in peers:
        peer.send_bytes(data[:cut])
    time.sleep(0.1)  # so that the pieces are read apart
    for peer, data, _, cut in peers:
        peer.send_bytes(data[cut:])
    for peer, _, wanted, _ in peers:
        peer.expect_kind(vc.Handshake)
        peer.expect(*wanted)


@case("a handshake and what follows it may come byte by byte")
def byte_by_byte(world):
    peer = world.node().connect()
    data, wanted = first_words("python")
    for byte in data:
        peer.send_bytes(bytes((byte,)))
        time.sleep(0.002)
    peer.expect_kind(vc.Handshake)
    peer.expect(*wanted)


@case("versions are compatible when the text before the first dot is equal")
def versions(world):
    node = world.node()
    for version in ("0.1.0", "0", "0.9.7", "0.", "0..", "0.x.1", "0. ", "0.\0", "0." + "9" * 5000):
        peer = node.connect().shake(node_id=world.fresh_id(), version=version)
        peer.fence()
    for version in ("1.0.0", "00.1", "", " 0.1", "0x.1", "1", ".0", "0,1.0", "٠.1.0"):
        peer = node.connect()
        peer.send(vc.Handshake(version, world.fresh_id()))
        peer.expect_disconnect("IncompatibleVersion")


@case("a node id may be any text, as long or odd as it likes")
def odd_ids(world):
    node = world.node()
    for node_id in ("x", "a\0b\nc\"d\\e", "узел-\N{CHAINS}", "n" * 300, "n" * 299, "'; DROP TABLE addr; --", "%s%n"):
        node.connect().shake(node_id=node_id).fence()


@case("of two connections with one id the newer gets DuplicateConnection and the older stays")
def duplicate(world):
    node = world.node()
    older = node.ready("same")
    newer = node.connect()
    newer.send(vc.Handshake(node_id="same"))
    newer.expect_disconnect("DuplicateConnection")
    older.fence()
    older.send(vc.Disconnect("Shutdown"))
    older.expect_end()
    node.ready("same").fence()


@case("an id that another connection has begun to spell does not belong to it yet")
def duplicate_half(world):
    node = world.node()
    half = node.connect()
    half.send_bytes(vc.frame(vc.Handshake(node_id="same"))[:-1])
    node.ready("same").fence()
    half.send_bytes(vc.frame(vc.Handshake(node_id="same"))[-1:])
    half.expect_disconnect("DuplicateConnection")


@case("who comes with the node's own id gets DuplicateConnection")
def own_id(world):
    node = world.node(node_id="me")
    peer = node.connect()
    peer.send(vc.Handshake(node_id="me"))
    peer.expect_disconnect("DuplicateConnection")
    node.ready("me too").fence()


@case("another message in place of the handshake is a violation, and is not answered")
def other_message(world):
    node = world.node()
    block = node.chain(1)[1]
    watcher = node.ready()
    for message in (vc.NewBlock(block), vc.NewTransaction(vc.transaction(int(time.time()))), vc.RequestBlock(0),
                    vc.ResponseBlock(block), vc.RequestBlockRange(0, 9), vc.ResponseBlockRange([block])):
        peer = node.connect()
        peer.send(message, vc.Handshake(node_id=world.fresh_id()))
        peer.expect_disconnect("ProtocolViolation")
    watcher.fence()
    same(watcher.newest(), node.genesis, "the best block")


@case("a Ping before the handshake ends the connection, with a Pong or without")
def ping_first(world):
    peer = world.node().connect(answers=False)
    peer.send(vc.Ping(3))
    seen = peer.take()
    if seen == vc.Pong(3):
        seen = peer.take()
    same(seen, vc.Disconnect("ProtocolViolation"), "received")
    peer.expect_end()


@case("a Pong before the handshake is ignored")
def pong_first(world):
    peer = world.node().connect()
    peer.send(vc.Pong(3))
    peer.shake()
    peer.fence()


@case("a Disconnect before the handshake closes without a word, whatever its reason")
def disconnect_first(world):
    node = world.node()
    for reason in vc.REASONS:
        peer = node.connect()
        peer.send(vc.Disconnect(reason))
        peer.expect_end()
    node.ready().fence()


@case("a frame that does not decode before the handshake closes without a Handshake")
def undecodable_first(world):
    node = world.node()
    hello = vc.encode(vc.Handshake())
    for payload in (b"", b"\7", hello[:-1], b"\x0a\0\0\0" + hello[4:], hello[:4] + b"\xff" * 8 + hello[12:]):
        peer = node.connect()
        peer.send(payload)
        peer.expect_cut()


@case("a handshake with bytes after it counts, and the answer has none")
def trailing(world):
    peer = world.node().connect()
    peer.send(vc.encode(vc.Handshake()) + b"more")
    peer.expect_kind(vc.Handshake)
    peer.fence()


@case("a second handshake is a violation")
def second(world):
    node = world.node()
    for node_id in ("python", "somebody else"):
        peer = node.ready("python")
        peer.send(vc.Handshake(node_id=node_id))
        peer.expect_disconnect("ProtocolViolation")


@case("a handshake that is not complete in time ends with Timeout, however slowly its bytes come")
def too_slow(world):
    node = world.node(handshake_timeout="1s")
    silent, slow = node.connect(), node.connect()
    data = vc.frame(vc.Handshake())
    began = time.monotonic()
    for byte in data[:12]:
        slow.send_bytes(bytes((byte,)))
        time.sleep(0.1)
    silent.expect_disconnect("Timeout")
    slow.expect_disconnect("Timeout")
    if time.monotonic() - began < 0.9:
        same("early", "after a second", "the Timeout")


# ---- outbound ----


@case("a node dials its seed, speaks first, and is ready after the answer")
def dials(world):
    seed = world.listener()
    node = world.node(node_id="dialler", seeds=(seed.name,))
    peer = seed.welcome(node_id="seed")
    same(peer.hello, vc.Handshake(vc.VERSION, "dialler", socket.inet_aton(node.ip), PORT), "its Handshake")
    peer.fence()


@case("the answer to a dialling node may come byte by byte, with more behind it")
def dials_bytes(world):
    seed = world.listener()
    world.node(seeds=(seed.name,))
    peer = seed.accept()
    peer.expect_kind(vc.Handshake)
    data, wanted = first_words("seed")
    for byte in data:
        peer.send_bytes(bytes((byte,)))
        time.sleep(0.002)
    peer.expect(*wanted)


@case("a node that dials refuses an answer of another version")
def dials_version(world):
    seeds = {version: world.listener() for version in ("1.0.0", "00.1", "")}
    world.node(seeds=[seed.name for seed in seeds.values()])
    for version, seed in seeds.items():
        peer = seed.welcome(node_id=f"seed {version}", version=version)
        peer.expect_disconnect("IncompatibleVersion")


@case("a node that dials takes an answer of a compatible version")
def dials_compatible(world):
    seed = world.listener()
    world.node(seeds=(seed.name,))
    seed.welcome(node_id="seed", version="0.99").fence()


@case("a node that dials holds another message in the answer's place for a violation")
def dials_other(world):
    seed = world.listener()
    world.node(seeds=(seed.name,))
    peer = seed.accept()
    peer.expect_kind(vc.Handshake)
    peer.send(vc.RequestBlock(0))
    peer.expect_disconnect("ProtocolViolation")


@case("a node that reaches itself notices")
def dials_itself(world):
    seed = world.listener()
    world.node(node_id="me", seeds=(seed.name,))
    seed.welcome(node_id="me").expect_disconnect("DuplicateConnection")


@case("a node that dials gives a silent other side up with Timeout")
def dials_silence(world):
    seed = world.listener()
    world.node(seeds=(seed.name,), handshake_timeout="1s")
    peer = seed.accept()
    peer.expect_kind(vc.Handshake)
    peer.expect_disconnect("Timeout")


@case("a node dials again when a seed has closed")
def dials_again(world):
    seed = world.listener()
    world.node(seeds=(seed.name,))
    seed.accept().close()
    seed.welcome(node_id="seed").fence()


def crossing(world, ours):
    """The node dials us while we dial it, with one id; our answer to its dial comes last."""
    seed = world.listener()
    node = world.node(node_id="m", seeds=(seed.name,))
    theirs = seed.accept()
    theirs.expect_kind(vc.Handshake)
    dialled = node.ready(ours)
    theirs.send(vc.Handshake(node_id=ours))
    return dialled, theirs


@case("of crossing dials the one stays that the smaller id dialled: ours")
def crossing_ours(world):
    ours, theirs = crossing(world, "a")
    theirs.expect_disconnect("DuplicateConnection")
    ours.fence()


@case("of crossing dials the one stays that the smaller id dialled: the node's")
def crossing_theirs(world):
    ours, theirs = crossing(world, "z")
    ours.expect_disconnect("DuplicateConnection")
    theirs.fence()
