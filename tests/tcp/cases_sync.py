"""Catching up, by sections 5 and 6: the node asks, we answer, rightly and wrongly."""
import time
from dataclasses import replace

import vibecoin as vc
from peer import WAIT, Wrong, same
from world import case


@case("an empty node dials its seed and catches up 250 blocks")
def catches_up(world):
    seed = world.listener()
    chain = vc.chain(seed.chain[0], 1, 250)
    seed.chain = chain
    node = world.node(seeds=(seed.name,))
    peer = seed.welcome(node_id="seed")
    peer.see(chain[-1])
    for m in peer.asked:
        if isinstance(m, vc.RequestBlockRange):
            same(m.start <= m.end < m.start + vc.RANGE_MAX, True, f"at most 100 blocks in {m}")
    reader = node.ready(chain=chain)
    blocks = []
    while len(blocks) < 251:
        reader.send(vc.RequestBlockRange(len(blocks), 250))
        blocks += reader.expect_kind(vc.ResponseBlockRange).blocks
    same(blocks, chain, "the node's chain")


@case("an empty node catches up 250 blocks with one who came to it")
def catches_up_inbound(world):
    node = world.node(difficulty=3)
    chain = node.chain(250)
    node.ready(chain=chain).see(chain[-1])


@case("a node whose branch is lighter goes over to the heavier one")
def reorganises(world):
    node = world.node()
    ours = node.chain(20)
    fork = ours[:6]
    while len(fork) < 150:
        fork.append(node.child(fork[-1], state_root=bytes((7,)) * 32))
    node.teach(ours)
    peer = node.ready(chain=fork)
    peer.see(fork[-1])
    peer.send(vc.RequestBlockRange(3, 9))
    peer.expect(vc.ResponseBlockRange(fork[3:10]))


@case("a node that caught up tells the others")
def tells(world):
    node = world.node()
    chain = node.chain(30)
    watcher = node.ready(chain=chain[:1])
    watcher.fence()
    node.ready(chain=chain).see(chain[-1])
    watcher.expect(vc.NewBlock(chain[-1]))


@case("an answer may hold fewer blocks than were asked for")
def fewer(world):
    node = world.node()
    chain = node.chain(40)
    peer = node.ready(chain=chain, answers=False)
    until = time.monotonic() + WAIT
    while True:
        message = peer.take()
        if isinstance(message, vc.RequestBlockRange):
            peer.send(vc.ResponseBlockRange(chain[message.start:min(message.end, message.start + 6) + 1]))
            if message.start + 6 >= 40 or message.end >= 40:
                break
        elif not peer.answer(message):
            raise Wrong(f"received {message}")
        if time.monotonic() > until:
            raise Wrong("the node asks and asks")
    peer.answers = True
    peer.see(chain[-1])


# ---- answers that nobody asked for ----


@case("answers that nobody asked for change nothing, and are forgiven")
def unasked(world):
    node = world.node()
    chain = node.chain(3)
    peer = node.ready()
    peer.fence()
    same(peer.asked, [vc.RequestBlock(vc.NEWEST)], "asked until now")
    peer.send(vc.ResponseBlock(chain[1]), vc.ResponseBlockRange(chain[1:]), vc.ResponseBlock(None),
              vc.ResponseBlockRange([]), vc.ResponseBlockRange(chain[::-1]))
    peer.fence()
    same(peer.newest(), node.genesis, "the best block")


# ---- answers that do not fit ----


def asked_range(world):
    """A peer whom the node has asked for a range, its question, and the chain it is about."""
    node = world.node()
    chain = node.chain(60)
    peer = node.ready(chain=chain, answers=False)
    while True:
        message = peer.take()
        if isinstance(message, vc.RequestBlockRange):
            return node, peer, message, chain
        if not peer.answer(message):
            raise Wrong(f"received {message}")


def range_case(sentence, blocks):
    @case(sentence)
    def check(world):
        node, peer, asked, chain = asked_range(world)
        peer.send(vc.ResponseBlockRange(blocks(node, asked, chain)))
        peer.answers = True
        peer.expect_disconnect("ProtocolViolation")
        other = node.ready()
        other.fence()


range_case("a range that begins at another height than asked for is a violation",
           lambda node, asked, chain: chain[asked.start + 1:asked.end + 1])
range_case("a range that does not ascend one by one is a violation",
           lambda node, asked, chain: chain[asked.start:asked.start + 3] + chain[asked.start + 4:asked.end + 1])
range_case("a range with more blocks than asked for is a violation",
           lambda node, asked, chain: chain[asked.start:] +
           vc.chain(chain[-1], node.difficulty, vc.RANGE_MAX + 1)[1:])
range_case("a range whose blocks do not follow from each other ends the connection",
           lambda node, asked, chain: [chain[asked.start],
                                       node.child(replace(chain[asked.start], hash=bytes(32)))])
range_case("a range with a block that breaks a rule ends the connection",
           lambda node, asked, chain: [chain[asked.start],
                                       node.child(chain[asked.start], poh_hash=bytes(32))])


@case("a block of another height than asked for is a violation")
def other_height(world):
    node = world.node()
    ours = node.chain(20)
    node.teach(ours)
    fork = node.chain(30, state_root=bytes((7,)) * 32)
    peer = node.ready(chain=fork, answers=False)
    while True:
        message = peer.take()
        if isinstance(message, vc.RequestBlock) and message.height != vc.NEWEST:
            break
        if not peer.answer(message):
            raise Wrong(f"received {message}")
    peer.send(vc.ResponseBlock(fork[message.height + 1]))
    peer.answers = True
    peer.expect_disconnect("ProtocolViolation")


@case("a node goes on catching up with another when the one it asked leaves")
def leader_leaves(world):
    node, peer, _, chain = asked_range(world)
    other = node.ready(chain=chain)
    other.fence()
    peer.close()
    other.see(chain[-1])
