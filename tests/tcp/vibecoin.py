"""VibeCoin's wire protocol 0.1, written from its document and sharing nothing with the core: what the two
disagree about, one of them has wrong.

Encoding is that of bincode 1.3: little-endian numbers of fixed length, lengths and counts as u64, enum
variants as u32. A payload is one message; a frame is its length as a big-endian u32 and the payload. Rules
are named as in the golden vectors ("B5-tx-root"). Numbers in brackets are sections of the document.
"""
import hashlib
import struct
from dataclasses import dataclass, field, replace

FRAME_MAX = 10 * 1024 * 1024
NEWEST = 2**64 - 1
U64 = 2**64 - 1
RANGE_MAX = 100
VERSION = "0.1.0"
ZERO = bytes(32)

(HANDSHAKE, NEW_BLOCK, NEW_TRANSACTION, REQUEST_BLOCK, RESPONSE_BLOCK, REQUEST_RANGE, RESPONSE_RANGE, PING,
 PONG, DISCONNECT) = range(10)
REASONS = ("Shutdown", "ProtocolViolation", "IncompatibleVersion", "TooManyConnections",
           "DuplicateConnection", "Timeout")
STATUSES = ("Pending", "Included", "Confirmed", "Failed")
ERRORS = ("InsufficientBalance", "InvalidNonce", "OutOfGas", "ExecutionError", "InvalidSignature", "Other")


class Undecodable(Exception):
    """A payload that is no message."""


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- numbers, strings, lists [2] ----


class Reader:
    """Reads from the front of a payload; raises Undecodable where bytes are missing or wrong."""

    def __init__(self, data):
        self.data, self.at = memoryview(data), 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        if count > self.left():
            raise Undecodable(f"{count} bytes wanted, {self.left()} left")
        self.at += count
        return bytes(self.data[self.at - count:self.at])

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def u16(self):
        return self.number(2)

    def u32(self):
        return self.number(4)

    def u64(self):
        return self.number(8)

    def variant(self, count):
        index = self.u32()
        if index >= count:
            raise Undecodable(f"variant {index} of {count}")
        return index

    def count(self, least):
        """Of elements that take at least so many bytes each."""
        count = self.u64()
        if count * least > self.left():
            raise Undecodable(f"{count} elements announced, {self.left()} bytes left")
        return count

    def option(self):
        tag = self.take(1)[0]
        if tag > 1:
            raise Undecodable(f"option {tag}")
        return tag == 1

    def data_list(self):
        return self.take(self.count(1))

    def text(self):
        try:
            return self.data_list().decode("utf-8", "strict")
        except UnicodeDecodeError as error:
            raise Undecodable(str(error)) from error


def u32(value):
    return struct.pack("<I", value)


def u64(value):
    return struct.pack("<Q", value)


def data_list(data):
    return u64(len(data)) + data


def text(value):
    return data_list(value.encode())


def address(ip, port):
    """ip: its 4 or 16 bytes."""
    return u32(0 if len(ip) == 4 else 1) + ip + struct.pack("<H", port)


# ---- blocks and transactions [3] ----


@dataclass
class Block:
    height: int = 0
    hash: bytes = ZERO
    prev_hash: bytes = ZERO
    timestamp: int = 0
    transactions: list = field(default_factory=list)
    state_root: bytes = ZERO
    tx_root: bytes = ZERO
    nonce: int = 0
    poh_seq: int = 0
    poh_hash: bytes = ZERO
    difficulty: int = 0
    total_difficulty: int = 0

    LEAST = 224

    def encode(self):
        return b"".join((u64(self.height), self.hash, self.prev_hash, u64(self.timestamp),
                         u64(len(self.transactions)), *self.transactions, self.state_root, self.tx_root,
                         u64(self.nonce), u64(self.poh_seq), self.poh_hash, u64(self.difficulty),
                         self.total_difficulty.to_bytes(16, "little")))

    @classmethod
    def decode(cls, r):
        head = (r.u64(), r.take(32), r.take(32), r.u64())
        ids = [r.take(32) for _ in range(r.count(32))]
        return cls(*head, ids, r.take(32), r.take(32), r.u64(), r.u64(), r.take(32), r.u64(), r.number(16))


@dataclass
class Transaction:
    tx_id: bytes = ZERO
    sender: bytes = ZERO
    recipient: bytes = ZERO
    value: int = 0
    gas_price: int = 0
    gas_limit: int = 0
    gas_used: int = 0
    nonce: int = 0
    timestamp: int = 0
    block_height: int = 0
    data: bytes = None
    status: int = 0
    error: int = 0

    def encode(self):
        data = b"\0" if self.data is None else b"\1" + data_list(self.data)
        status = u32(self.status) + (u32(self.error) if self.status == 3 else b"")
        return b"".join((self.tx_id, self.sender, self.recipient, u64(self.value), u64(self.gas_price),
                         u64(self.gas_limit), u64(self.gas_used), u64(self.nonce), u64(self.timestamp),
                         u64(self.block_height), data, status))

    @classmethod
    def decode(cls, r):
        fields = [r.take(32) for _ in range(3)] + [r.u64() for _ in range(7)]
        data = r.data_list() if r.option() else None
        status = r.variant(len(STATUSES))
        return cls(*fields, data, status, r.variant(len(ERRORS)) if status == 3 else 0)


# ---- the ten messages [3] ----


@dataclass
class Handshake:
    version: str = VERSION
    node_id: str = "python"
    ip: bytes = bytes((127, 0, 0, 1))
    port: int = 0
    KIND = HANDSHAKE

    def body(self):
        return text(self.version) + text(self.node_id) + address(self.ip, self.port)

    @classmethod
    def decode(cls, r):
        return cls(r.text(), r.text(), r.take(16 if r.variant(2) else 4), r.u16())


@dataclass
class NewBlock:
    block: Block
    KIND = NEW_BLOCK

    def body(self):
        return self.block.encode()

    @classmethod
    def decode(cls, r):
        return cls(Block.decode(r))


@dataclass
class NewTransaction:
    transaction: Transaction
    KIND = NEW_TRANSACTION

    def body(self):
        return self.transaction.encode()

    @classmethod
    def decode(cls, r):
        return cls(Transaction.decode(r))


@dataclass
class RequestBlock:
    height: int
    KIND = REQUEST_BLOCK

    def body(self):
        return u64(self.height)

    @classmethod
    def decode(cls, r):
        return cls(r.u64())


@dataclass
class ResponseBlock:
    block: Block = None
    KIND = RESPONSE_BLOCK

    def body(self):
        return b"\0" if self.block is None else b"\1" + self.block.encode()

    @classmethod
    def decode(cls, r):
        return cls(Block.decode(r) if r.option() else None)


@dataclass
class RequestBlockRange:
    start: int
    end: int
    KIND = REQUEST_RANGE

    def body(self):
        return u64(self.start) + u64(self.end)

    @classmethod
    def decode(cls, r):
        return cls(r.u64(), r.u64())


@dataclass
class ResponseBlockRange:
    blocks: list
    KIND = RESPONSE_RANGE

    def body(self):
        return u64(len(self.blocks)) + b"".join(block.encode() for block in self.blocks)

    @classmethod
    def decode(cls, r):
        return cls([Block.decode(r) for _ in range(r.count(Block.LEAST))])


@dataclass
class Ping:
    nonce: int
    KIND = PING

    def body(self):
        return u64(self.nonce)

    @classmethod
    def decode(cls, r):
        return cls(r.u64())


@dataclass
class Pong(Ping):
    KIND = PONG


@dataclass
class Disconnect:
    reason: str
    KIND = DISCONNECT

    def body(self):
        return u32(REASONS.index(self.reason))

    @classmethod
    def decode(cls, r):
        return cls(REASONS[r.variant(len(REASONS))])


MESSAGES = (Handshake, NewBlock, NewTransaction, RequestBlock, ResponseBlock, RequestBlockRange,
            ResponseBlockRange, Ping, Pong, Disconnect)


def encode(message):
    return u32(message.KIND) + message.body()


def decode(payload):
    """The message and the bytes it took: what follows them is ignored [2]."""
    r = Reader(payload)
    message = MESSAGES[r.variant(len(MESSAGES))].decode(r)
    return message, r.at


# ---- frames [1] ----


class FrameTooLong(Exception):
    """A prefix announces more than a frame may hold."""


def frame(message):
    """Of a message, or of any bytes."""
    payload = message if isinstance(message, (bytes, bytearray)) else encode(message)
    if len(payload) > FRAME_MAX:
        raise FrameTooLong(len(payload))
    return struct.pack(">I", len(payload)) + payload


class Framer:
    """Bytes in, in any pieces; payloads out."""

    def __init__(self):
        self.buffer, self.at = bytearray(), 0

    def feed(self, data):
        self.buffer += data

    def next(self):
        """A payload, or None when more bytes are needed."""
        if len(self.buffer) - self.at < 4:
            return None
        length, = struct.unpack_from(">I", self.buffer, self.at)
        if length > FRAME_MAX:
            raise FrameTooLong(length)
        end = self.at + 4 + length
        if len(self.buffer) < end:
            return None
        payload = bytes(self.buffer[self.at + 4:end])
        self.at = end
        if self.at == len(self.buffer) or self.at > 1 << 16:
            del self.buffer[:self.at]
            self.at = 0
        return payload


def compatible(ours, theirs):
    """[4.4]"""
    return ours.split(".")[0] == theirs.split(".")[0]


# ---- the rules of blocks [7] ----


def target(difficulty):
    return (2**256 - 1) // difficulty


def tx_root(ids):
    """R(ids)."""
    if not ids:
        return sha256(b"empty_tx_root")
    level = list(ids)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [sha256(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def hash_text(block):
    """B8, all but the nonce at its end."""
    return (f"{block.height}:{block.prev_hash.hex()}:{block.timestamp}:{block.state_root.hex()}:"
            f"{block.tx_root.hex()}:").encode()


def block_hash(block):
    return sha256(hash_text(block) + str(block.nonce).encode())


def poh_hash(parent):
    return sha256(parent.hash + (1).to_bytes(8, "big"))


def genesis(timestamp, difficulty):
    block = Block(timestamp=timestamp, difficulty=difficulty, total_difficulty=difficulty)
    block.hash = block_hash(block)
    return block


def solve(block, difficulty, good=True):
    """Sets nonce and hash so that B8 holds and B9 does (or does not: not with difficulty 1)."""
    text, limit = hash_text(block), target(difficulty)
    nonce = 0
    while True:
        digest = sha256(text + str(nonce).encode())
        if (int.from_bytes(digest, "big") <= limit) == good:
            block.nonce, block.hash = nonce, digest
            return block
        nonce += 1


def child(parent, difficulty, /, ids=(), state_root=ZERO, timestamp=None, **changed):
    """A solved child. `changed` are fields that are to be otherwise than the rules want; those that the
    hash covers are changed before it is made."""
    block = Block(height=parent.height + 1, prev_hash=parent.hash,
                  timestamp=parent.timestamp + 1 if timestamp is None else timestamp,
                  transactions=list(ids), state_root=state_root, tx_root=tx_root(ids),
                  poh_seq=parent.poh_seq + 1, poh_hash=poh_hash(parent), difficulty=difficulty,
                  total_difficulty=parent.total_difficulty + difficulty)
    after = {name: changed.pop(name) for name in ("hash", "nonce") if name in changed}
    return replace(solve(replace(block, **changed), difficulty), **after)


def chain(first, difficulty, length, state_root=ZERO):
    """first and `length` children of it, one after the other."""
    blocks = [first]
    for _ in range(length):
        blocks.append(child(blocks[-1], difficulty, state_root=state_root))
    return blocks


def check_block(block, parent, difficulty, now):
    """"ok", or the first rule that is broken, of a block whose parent is known."""
    ids = block.transactions
    total = parent.total_difficulty + block.difficulty
    rules = (("B1-height", block.height == parent.height + 1),
             ("B2-prev-hash", block.prev_hash == parent.hash),
             ("B3-timestamp-backwards", block.timestamp >= parent.timestamp),
             ("B3-timestamp-ahead", block.timestamp <= now + 7200),
             ("B4-tx-count", len(ids) <= 10_000),
             ("B4-tx-duplicate", len(set(ids)) == len(ids)),
             ("B5-tx-root", block.tx_root == tx_root(ids)),
             ("B6-difficulty", block.difficulty == difficulty),
             ("B7-total-difficulty", block.total_difficulty == total < 2**128),
             ("B8-hash", block.hash == block_hash(block)),
             ("B9-work", int.from_bytes(block.hash, "big") <= target(difficulty)),
             ("B10-poh-seq", block.poh_seq == parent.poh_seq + 1),
             ("B10-poh-hash", block.poh_hash == poh_hash(parent)))
    return next((name for name, holds in rules if not holds), "ok")


# ---- the rules of transactions [8] ----


def tx_id(tx):
    numbers = (tx.value, tx.gas_price, tx.gas_limit, tx.nonce, tx.timestamp)
    return sha256(tx.sender + tx.recipient + b"".join(n.to_bytes(8, "big") for n in numbers) +
                  (tx.data or b""))


def transaction(timestamp, **fields):
    """With the id that belongs to it, unless `fields` has another."""
    tx = replace(Transaction(sender=sha256(b"sender"), recipient=sha256(b"recipient"), value=1, gas_price=1,
                             gas_limit=21000, timestamp=timestamp), **fields)
    return tx if "tx_id" in fields else replace(tx, tx_id=tx_id(tx))


def check_tx(tx, now):
    rules = (("T1-id", tx.tx_id == tx_id(tx)),
             ("T2-not-pending", tx.status == 0 and tx.block_height == 0 and tx.gas_used == 0),
             ("T3-overflow", tx.value + tx.gas_price * tx.gas_limit <= U64),
             ("T4-too-old", tx.timestamp >= now - 3600),
             ("T4-ahead", tx.timestamp <= now + 7200))
    return next((name for name, holds in rules if not holds), "ok")
