"""Blocks and transactions that come by themselves, by sections 5, 7 and 8: kept and relayed to the others when
they are new and valid, and what happens when they are not."""
import time
from dataclasses import replace

import vibecoin as vc
from peer import same
from world import TIMESTAMP, case

HALF = bytes(range(32))


def three(world, **options):
    """A node, a peer that will speak, and one that will listen."""
    node = world.node(**options)
    speaker, listener = node.ready(), node.ready()
    for peer in (speaker, listener):
        peer.fence()
    return node, speaker, listener


# ---- blocks ----


@case("a new block is stored and relayed to the others, but not back")
def block(world):
    node, speaker, listener = three(world, difficulty=16)
    found = node.child(node.genesis, ids=[HALF], state_root=HALF)
    speaker.send(vc.NewBlock(found))
    listener.expect(vc.NewBlock(found))
    speaker.fence()
    same(speaker.newest(), found, "the best block")
    late = node.ready()
    same(late.newest(), found, "the best block for a newcomer")


@case("a block that is known already goes nowhere, whoever brings it")
def block_again(world):
    node, speaker, listener = three(world)
    found = node.child(node.genesis)
    speaker.send(vc.NewBlock(found))
    listener.expect(vc.NewBlock(found))
    listener.send(vc.NewBlock(found))
    speaker.send(vc.NewBlock(found))
    for peer in (speaker, listener, speaker, listener):
        peer.fence()


@case("a relayed block has no bytes after it, even when it came with some")
def block_trailing(world):
    node, speaker, listener = three(world)
    found = node.child(node.genesis)
    speaker.send(vc.encode(vc.NewBlock(found)) + b"more")
    listener.expect(vc.NewBlock(found))  # whose own check is that nothing follows
    speaker.fence()


def bad_blocks(node, parent):
    """By the rule that each breaks; the parent is the node's best block."""
    ids, now = [HALF, vc.ZERO, vc.sha256(HALF)], int(time.time())
    good = node.child(parent, ids=ids)
    many = [vc.sha256(n.to_bytes(4, "big")) for n in range(10_001)]
    unsolved = vc.solve(replace(good), node.difficulty, good=False)
    return {
        "B0-genesis": replace(node.genesis, nonce=1),
        "B0-genesis-poh": replace(node.genesis, poh_seq=1),
        "B1-height": node.child(parent, height=parent.height + 2),
        "B1-height-low": node.child(parent, height=parent.height),
        "B3-timestamp-backwards": node.child(parent, timestamp=parent.timestamp - 1),
        "B4-tx-count": node.child(parent, ids=many),
        "B4-tx-duplicate": node.child(parent, ids=ids + ids[-1:]),
        "B5-tx-root": node.child(parent, ids=ids, tx_root=HALF),
        "B5-tx-root-zero": node.child(parent, tx_root=vc.ZERO),
        "B6-difficulty": node.child(parent, difficulty=node.difficulty + 1),
        "B6-difficulty-and-total": node.child(parent, difficulty=node.difficulty + 1,
                                              total_difficulty=parent.total_difficulty + node.difficulty + 1),
        "B7-total-difficulty": node.child(parent, total_difficulty=parent.total_difficulty),
        "B7-overflow": node.child(parent, total_difficulty=2**128 - 1),
        "B8-hash": replace(good, state_root=HALF),
        "B8-hash-nonce": replace(good, nonce=good.nonce + 1),
        "B9-work": unsolved,
        "B10-poh-seq": node.child(parent, poh_seq=parent.poh_seq + 2),
        "B10-poh-seq-max": node.child(parent, poh_seq=vc.U64),
        "B10-poh-hash": node.child(parent, poh_hash=HALF),
        "B3-before-B5": node.child(parent, timestamp=parent.timestamp - 1, tx_root=HALF),
        "B5-far-ahead": node.child(parent, timestamp=now + 7000, tx_root=HALF),
    }


@case("a block that breaks a rule ends the connection, is not relayed and not kept, whichever rule it is")
def block_invalid(world):
    node = world.node(difficulty=4)
    chain = node.chain(2)
    node.teach(chain)
    watcher = node.ready(chain=chain)
    watcher.fence()
    for rule, bad in bad_blocks(node, chain[2]).items():
        peer = node.ready(chain=chain)
        peer.fence()
        peer.send(vc.NewBlock(bad), vc.Ping(1))
        peer.expect_disconnect("ProtocolViolation")
        watcher.fence()
        same(watcher.newest(), chain[2], f"the best block after {rule}")


@case("of two blocks that differ only in what no hash covers the true one is taken, even if it comes second")
def block_copy(world):
    node, speaker, listener = three(world)
    good = node.child(node.genesis)
    bad = replace(good, poh_seq=vc.U64)
    thief = node.ready()
    thief.fence()
    thief.send(vc.NewBlock(bad))
    thief.expect_disconnect("ProtocolViolation")
    speaker.send(vc.NewBlock(good))
    listener.expect(vc.NewBlock(good))
    same(speaker.newest(), good, "the best block")


@case("a block too far ahead of the clock is dropped without a penalty; one within two hours is taken")
def block_ahead(world):
    node, speaker, listener = three(world)
    now = int(time.time())
    for _ in range(3):
        now += 1
        speaker.send(vc.NewBlock(node.child(node.genesis, timestamp=now + 7260)))
    speaker.fence()
    listener.fence()
    same(speaker.newest(), node.genesis, "the best block")
    taken = node.child(node.genesis, timestamp=now + 7100)
    speaker.send(vc.NewBlock(taken))
    listener.expect(vc.NewBlock(taken))


@case("two blocks of one second follow each other")
def block_same_second(world):
    node, speaker, _ = three(world)
    one = node.child(node.genesis, timestamp=TIMESTAMP)
    two = node.child(one, timestamp=TIMESTAMP)
    speaker.send(vc.NewBlock(one), vc.NewBlock(two))
    same(speaker.newest(), two, "the best block")


@case("a block with ten thousand transaction ids is taken")
def block_full(world):
    node, speaker, listener = three(world)
    found = node.child(node.genesis, ids=[vc.sha256(n.to_bytes(4, "big")) for n in range(10_000)])
    speaker.send(vc.NewBlock(found))
    listener.expect(vc.NewBlock(found))


@case("the heavier branch becomes the best chain; of two that are equal the one seen first stays")
def fork(world):
    node, speaker, listener = three(world)
    ours, other = node.chain(2), node.chain(3, state_root=HALF)
    for found in ours[1:]:
        speaker.send(vc.NewBlock(found))
        listener.expect(vc.NewBlock(found))
    speaker.send(vc.NewBlock(other[1]), vc.NewBlock(other[2]))
    listener.expect(vc.NewBlock(other[1]), vc.NewBlock(other[2]))
    same(speaker.newest(), ours[2], "the best block of two equal branches")
    speaker.send(vc.NewBlock(other[3]))
    listener.expect(vc.NewBlock(other[3]))
    listener.send(vc.RequestBlockRange(0, 9))
    listener.expect(vc.ResponseBlockRange(other))


@case("a block of a branch that is known to be invalid does not count, however heavy it is")
def fork_invalid(world):
    node, speaker, _ = three(world)
    bad = node.child(node.genesis, poh_hash=HALF)
    peer = node.ready(chain=[node.genesis, bad, node.child(bad)])
    peer.fence()
    peer.send(vc.NewBlock(bad))
    peer.expect_disconnect("ProtocolViolation")
    again = node.ready(chain=peer.chain)
    again.fence()
    same(speaker.newest(), node.genesis, "the best block")


# ---- orphans ----


@case("a block whose parent is missing makes the node ask for what is missing, and costs nothing")
def orphan(world):
    node, speaker, listener = three(world)
    chain = node.chain(6)
    speaker.chain = chain
    speaker.send(vc.NewBlock(chain[6]))
    speaker.see(chain[6])
    same(vc.RequestBlockRange in map(type, speaker.asked), True, "the node asked for blocks")
    listener.expect(vc.NewBlock(chain[6]))
    listener.send(vc.RequestBlockRange(0, 9))
    listener.expect(vc.ResponseBlockRange(chain))


@case("orphans that come in the wrong order join the chain when their parent comes")
def orphans(world):
    node, speaker, _ = three(world)
    chain = node.chain(5)
    speaker.answers = False  # the parents come by themselves, later
    for found in chain[:1:-1]:
        speaker.send(vc.NewBlock(found))
    teacher = node.ready(chain=chain[:2])
    teacher.send(vc.NewBlock(chain[1]))
    teacher.see(chain[5])


# ---- transactions ----


@case("a new transaction is relayed to the others, but not back")
def tx(world):
    _, speaker, listener = three(world)
    now = int(time.time())
    for data in (None, b"", b"\0", bytes(range(256)) * 40):
        sent = vc.transaction(now, data=data, nonce=len(data or b"") + (data is None))
        speaker.send(vc.NewTransaction(sent))
        listener.expect(vc.NewTransaction(sent))
    speaker.fence()


@case("a transaction that is known already goes nowhere, nor does its twin with empty data")
def tx_again(world):
    _, speaker, listener = three(world)
    sent = vc.transaction(int(time.time()))
    twin = replace(sent, data=b"")
    speaker.send(vc.NewTransaction(sent))
    listener.expect(vc.NewTransaction(sent))
    listener.send(vc.NewTransaction(sent))
    speaker.send(vc.NewTransaction(twin), vc.NewTransaction(sent))
    for peer in (speaker, listener, speaker, listener):
        peer.fence()


@case("a relayed transaction has no bytes after it, even when it came with some")
def tx_trailing(world):
    _, speaker, listener = three(world)
    sent = vc.transaction(int(time.time()))
    speaker.send(vc.encode(vc.NewTransaction(sent)) + b"more")
    listener.expect(vc.NewTransaction(sent))


@case("a transaction that breaks a rule is not relayed, and the connection stays")
def tx_invalid(world):
    _, speaker, listener = three(world)
    now = int(time.time())
    good = vc.transaction(now, nonce=99)
    for bad in (replace(good, value=2), replace(good, tx_id=HALF), replace(good, data=b"x"),
                replace(good, status=1), replace(good, block_height=1), replace(good, gas_used=1),
                replace(good, status=3, error=5), vc.transaction(now, gas_price=vc.U64, gas_limit=2),
                vc.transaction(now, value=vc.U64, gas_price=1, gas_limit=1)):
        speaker.send(vc.NewTransaction(bad))
        speaker.fence()
    listener.fence()
    speaker.send(vc.NewTransaction(good))
    listener.expect(vc.NewTransaction(good))


@case("a transaction outside the clock's window is dropped without a penalty; one just inside is taken")
def tx_clock(world):
    _, speaker, listener = three(world)
    now = int(time.time())
    for nonce in range(20):
        speaker.send(vc.NewTransaction(vc.transaction(now + 7260, nonce=nonce)),
                     vc.NewTransaction(vc.transaction(now - 3660, nonce=nonce)))
    speaker.fence()
    listener.fence()
    for timestamp in (now + 7100, now - 3500):
        sent = vc.transaction(timestamp)
        speaker.send(vc.NewTransaction(sent))
        listener.expect(vc.NewTransaction(sent))


@case("a transaction whose value and gas just fit 64 bits is taken")
def tx_greatest(world):
    _, speaker, listener = three(world)
    sent = vc.transaction(int(time.time()), value=vc.U64 - 6, gas_price=2, gas_limit=3)
    speaker.send(vc.NewTransaction(sent))
    listener.expect(vc.NewTransaction(sent))


@case("what one of twenty sends comes to the nineteen others once")
def flood(world):
    node = world.node()
    peers = [node.ready() for _ in range(20)]
    for peer in peers:
        peer.fence()
    sent = [vc.transaction(int(time.time()), nonce=n) for n in range(20)]
    for peer, one in zip(peers, sent):
        peer.send(vc.NewTransaction(one))
    for peer, one in zip(peers, sent):
        seen = sorted(peer.expect_kind(vc.NewTransaction).transaction.nonce for _ in range(19))
        same(seen, [n for n in range(20) if n != one.nonce], "received")
    for peer in peers:
        peer.fence()
