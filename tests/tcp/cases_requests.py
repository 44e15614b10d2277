"""Ready connections, by section 5: Pings, requests for blocks, the end; and frames, by section 1."""
import json
import os
import struct

import vibecoin as vc
from peer import Wrong, same
from world import case

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "vibecoin-wire.json")


# ---- Ping, Pong, Disconnect ----


@case("Pings are answered in order, each with its nonce")
def pings(world):
    peer = world.node().ready()
    nonces = (0, 1, vc.U64, 5, 5, 1 << 63)
    peer.send(*(vc.Ping(n) for n in nonces))
    peer.expect(*(vc.Pong(n) for n in nonces))


@case("five thousand Pings at once are answered in order")
def ping_flood(world):
    peer = world.node().ready()
    peer.send(*(vc.Ping(n) for n in range(5000)))
    peer.expect(*(vc.Pong(n) for n in range(5000)))


@case("a Pong that nobody asked for is ignored")
def pong(world):
    peer = world.node().ready()
    peer.send(vc.Pong(0), vc.Pong(12345))
    peer.fence()


@case("a Disconnect ends the connection without a reply, whatever its reason")
def disconnect(world):
    node = world.node()
    for reason in vc.REASONS:
        peer = node.ready()
        peer.fence()
        peer.send(vc.Disconnect(reason), vc.Ping(1))
        peer.expect_end()
    node.ready().fence()


@case("a node that is told to end says Shutdown to everybody")
def shutdown(world):
    seed = world.listener()
    node = world.node(seeds=(seed.name,))
    peers = [seed.welcome(node_id="seed"), node.ready(), node.ready()]
    for peer in peers:
        peer.fence()
    node.stop()
    for peer in peers:
        peer.expect_disconnect("Shutdown")


# ---- requests ----


@case("RequestBlock is answered with the block of that height, the newest, or none")
def request_block(world):
    node = world.node()
    chain = node.chain(5)
    node.teach(chain)
    peer = node.ready(chain=chain)
    for height in (0, 3, 5):
        peer.send(vc.RequestBlock(height))
        peer.expect(vc.ResponseBlock(chain[height]))
    for height in (6, 1 << 32, 1 << 63, vc.U64 - 1):
        peer.send(vc.RequestBlock(height))
        peer.expect(vc.ResponseBlock(None))
    peer.send(vc.RequestBlock(vc.NEWEST))
    peer.expect(vc.ResponseBlock(chain[5]))


@case("RequestBlockRange is inclusive, gives at most a hundred blocks, and leaves out what there is not")
def request_range(world):
    node = world.node()
    chain = node.chain(150)
    node.teach(chain)
    peer = node.ready(chain=chain)
    for start, end, wanted in ((0, 0, chain[:1]), (3, 7, chain[3:8]), (0, 99, chain[:100]),
                               (0, 100, chain[:100]), (1, 100, chain[1:101]), (10, 150, chain[10:110]),
                               (148, 200, chain[148:]), (150, 150, chain[150:]), (151, 160, []), (7, 3, []),
                               (0, vc.U64, chain[:100]), (140, vc.U64, chain[140:]),
                               (vc.U64 - 50, vc.U64, []), (vc.U64, vc.U64, []), (vc.U64, 0, [])):
        peer.send(vc.RequestBlockRange(start, end))
        peer.expect(vc.ResponseBlockRange(wanted))


@case("many requests in one write are answered in order")
def requests_at_once(world):
    node = world.node()
    chain = node.chain(20)
    node.teach(chain)
    peer = node.ready(chain=chain)
    peer.send(*(vc.RequestBlock(h % 21) for h in range(100)))
    peer.expect(*(vc.ResponseBlock(chain[h % 21]) for h in range(100)))


@case("a range that exceeds 10 MiB is answered with the longest part that fits")
def range_too_long(world):
    node = world.node()
    ids = [vc.sha256(bytes((n % 256, n // 256))) for n in range(10_000)]
    chain = [node.genesis]
    for _ in range(35):
        chain.append(node.child(chain[-1], ids=ids))
    node.teach(chain)
    peer = node.ready(chain=chain)
    fits = (vc.FRAME_MAX - 12) // (vc.Block.LEAST + 32 * len(ids))
    peer.send(vc.RequestBlockRange(1, 35))
    peer.expect(vc.ResponseBlockRange(chain[1:1 + fits]))


# ---- frames ----


@case("bytes after a message in its frame are ignored")
def trailing(world):
    peer = world.node().ready()
    peer.send(vc.encode(vc.Ping(1)) + b"\xff" * 100, vc.encode(vc.Ping(2)) + vc.encode(vc.Ping(3)), vc.Ping(4))
    peer.expect(vc.Pong(1), vc.Pong(2), vc.Pong(4))


@case("a frame of exactly 10 MiB is taken")
def longest(world):
    peer = world.node().ready()
    ping = vc.encode(vc.Ping(1))
    peer.send(ping + bytes(vc.FRAME_MAX - len(ping)), vc.Ping(2))
    peer.expect(vc.Pong(1), vc.Pong(2))


@case("a frame longer than 10 MiB ends the connection on its prefix alone")
def too_long(world):
    node = world.node()
    for length in (vc.FRAME_MAX + 1, 0x0c000000, 1 << 31, (1 << 32) - 1):
        peer = node.ready()
        peer.fence()
        peer.send_bytes(struct.pack(">I", length))
        peer.expect_cut()
    node.ready().fence()


@case("what follows a frame that is too long is not listened to")
def too_long_flood(world):
    node = world.node()
    peer = node.ready()
    peer.fence()
    peer.send_bytes(struct.pack(">I", vc.FRAME_MAX + 1) + vc.frame(vc.Ping(1)) * 50_000)
    peer.expect_cut()


@case("a frame without a payload ends the connection")
def empty(world):
    peer = world.node().ready()
    peer.fence()
    peer.send_bytes(bytes(4))
    peer.expect_cut()


@case("every golden payload that does not decode ends the connection, and the node lives on")
def undecodable(world):
    with open(VECTORS, encoding="utf-8") as file:
        vectors = [v for v in json.load(file)["negative"] if v.get("bincode") == "error"]
    node = world.node(max_inbound=100)
    peers = []
    for vector in vectors:
        payload = bytes.fromhex(vector["payload"])
        peer = node.ready()
        peer.fence()
        peer.send(payload[:-1] if "prefixes_tried" in vector else payload, vc.Ping(1))
        peers.append((peer, vector["name"]))
    for peer, name in peers:
        try:
            peer.expect_cut()
        except Wrong as wrong:
            raise Wrong(f"{name}: {wrong}") from None
    if len(peers) < 40:
        raise Wrong(f"only {len(peers)} vectors")
    node.ready().fence()


@case("the end of a stream inside a frame is an ordinary end")
def truncated(world):
    node = world.node()
    for data in (b"\0", b"\0\0\0\x0c", vc.frame(vc.Ping(1))[:-1], struct.pack(">I", vc.FRAME_MAX) + bytes(99)):
        for ready in (False, True):
            peer = node.ready("again") if ready else node.connect()
            if ready:
                peer.fence()
            peer.send_bytes(data)
            peer.sock.shutdown(1)
            peer.expect_end()
    node.ready("again").fence()


@case("messages cut at any place, and many in one piece, are the same messages")
def any_chunks(world):
    node = world.node()
    chain = node.chain(3)
    node.teach(chain)
    sent = (vc.Ping(1), vc.RequestBlock(2), vc.Pong(9), vc.RequestBlockRange(0, 3), vc.Ping(2))
    wanted = (vc.Pong(1), vc.Pong(2), vc.ResponseBlock(chain[2]), vc.ResponseBlockRange(chain))
    data = b"".join(vc.frame(m) for m in sent)
    peer = node.ready(chain=chain)
    for step in (1, 2, 3, 5, 7, 11, 13, 17, len(data)):
        for at in range(0, len(data), step):
            peer.send_bytes(data[at:at + step])
        seen = [peer.take() for _ in wanted]
        for pong in (True, False):  # each kind in its order; Pongs may go before answers
            same(*([m for m in messages if isinstance(m, vc.Pong) == pong] for messages in (seen, wanted)),
                 f"received for pieces of {step} bytes")
