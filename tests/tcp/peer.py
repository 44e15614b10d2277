"""The other end of a link: a socket that speaks vibecoin.py, and a socket that listens.

A Peer is honest where a case does not say otherwise: while it waits for something it answers the node's
Pings, and its questions for blocks from `chain`. What a case waits for comes in time or the case fails;
WAIT is only there so that nothing hangs (VN_WAIT in the environment says otherwise, in seconds).
"""
import os
import socket
import time

import vibecoin as vc

WAIT = float(os.environ.get("VN_WAIT", 30))


class Wrong(Exception):
    """What a node did is not what the protocol says."""


def same(seen, wanted, what):
    if seen != wanted:
        raise Wrong(f"{what}: {short(seen)}, wanted {short(wanted)}")


def short(value):
    text = repr(value)
    return text if len(text) < 300 else text[:200] + "..." + text[-80:]


class Peer:
    """One connection. answers: reply to Pings and to requests for blocks instead of returning them."""

    def __init__(self, sock, chain, answers=True):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.chain, self.answers = sock, chain, answers
        self.framer = vc.Framer()
        self.frames = 0  # received
        self.asked = []  # requests that were answered
        self.hello = None  # the other side's Handshake
        self.nonce = 1 << 40

    # ---- bytes ----

    def send(self, *messages):
        """In one write. Messages, or payloads as bytes."""
        self.send_bytes(b"".join(vc.frame(m) for m in messages))

    def send_bytes(self, data):
        self.sock.settimeout(WAIT)
        try:
            self.sock.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            pass  # who reads next sees why

    def close(self):
        self.sock.close()

    # ---- messages ----

    def payload(self, until):
        """The next one; None at the end of the stream."""
        while True:
            payload = self.framer.next()
            if payload is not None:
                self.frames += 1
                return payload
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(1 << 18)
            except (ConnectionResetError, BrokenPipeError):
                data = b""
            if not data:
                return None
            self.framer.feed(data)

    def answer(self, message):
        """True if it was a question, which is answered now."""
        chain = self.chain
        if isinstance(message, vc.RequestBlock):
            height = len(chain) - 1 if message.height == vc.NEWEST else message.height
            self.send(vc.ResponseBlock(chain[height] if height < len(chain) else None))
        elif isinstance(message, vc.RequestBlockRange):
            self.send(vc.ResponseBlockRange(chain[message.start:min(message.end + 1, message.start +
                                                                    vc.RANGE_MAX)]))
        elif isinstance(message, vc.Ping) and not isinstance(message, vc.Pong):
            self.send(vc.Pong(message.nonce))
        else:
            return False
        self.asked.append(message)
        return True

    def take(self, seconds=WAIT):
        """The next message that is not answered by itself; None at the end of the stream."""
        until = time.monotonic() + seconds
        while True:
            payload = self.payload(until)
            if payload is None:
                return None
            message, used = vc.decode(payload)
            if used != len(payload):
                raise Wrong(f"{len(payload) - used} bytes follow {short(message)} in its frame")
            if not self.answers or not self.answer(message):
                return message

    # ---- expectations ----

    def expect(self, *wanted):
        for message in wanted:
            try:
                seen = self.take()
            except TimeoutError:
                raise Wrong(f"nothing came, wanted {short(message)}") from None
            same(seen, message, "received")

    def expect_kind(self, kind):
        try:
            seen = self.take()
        except TimeoutError:
            raise Wrong(f"nothing came, wanted a {kind.__name__}") from None
        if type(seen) is not kind:
            raise Wrong(f"received {short(seen)}, wanted a {kind.__name__}")
        return seen

    def expect_end(self):
        """The stream ends, without another word."""
        try:
            seen = self.take()
        except TimeoutError:
            raise Wrong("the connection stayed open") from None
        same(seen, None, "received before the end")
        self.close()

    def expect_disconnect(self, reason):
        self.expect(vc.Disconnect(reason))
        self.expect_end()

    def expect_disconnect_amid(self, reason, *kinds):
        """Messages of these kinds may come first."""
        message = self.take()
        while type(message) in kinds:
            message = self.take()
        same(message, vc.Disconnect(reason), "received")
        self.expect_end()

    def expect_cut(self):
        """The stream ends; Disconnect(ProtocolViolation) may come first [4.7, 5]."""
        try:
            seen = self.take()
        except TimeoutError:
            raise Wrong("the connection stayed open") from None
        if seen is not None:
            same(seen, vc.Disconnect("ProtocolViolation"), "received before the end")
            self.expect_end()
        self.close()

    def expect_nothing(self, seconds):
        """Silence cannot be proved; this much of it is asked for."""
        try:
            seen = self.take(seconds)
        except TimeoutError:
            return
        raise Wrong(f"received {short(seen)}, wanted silence")

    def fence(self):
        """Whatever was sent before is handled, and nothing came for it. The second Ping goes out after the
        first one's answer, so that a message which lets a Pong pass is seen, too."""
        for _ in range(2):
            self.nonce += 1
            self.send(vc.Ping(self.nonce))
            self.expect(vc.Pong(self.nonce))

    # ---- the handshake ----

    def shake(self, **fields):
        """Asks and is answered."""
        self.send(vc.Handshake(**fields))
        self.hello = self.expect_kind(vc.Handshake)
        return self

    # ---- the node's chain ----

    def newest(self):
        """The node's best block."""
        self.send(vc.RequestBlock(vc.NEWEST))
        return self.expect_kind(vc.ResponseBlock).block

    def see(self, block):
        """The node comes to this best block, while its questions are answered; it may tell of it."""
        until = time.monotonic() + WAIT
        seen = None
        while seen != block:
            if time.monotonic() > until:
                raise Wrong(f"the node is at height {seen.height}, wanted {block.height}")
            if seen:
                time.sleep(0.005)  # answers without end cost the node more and more
            self.send(vc.RequestBlock(vc.NEWEST))
            message = self.take()
            while isinstance(message, vc.NewBlock):
                message = self.take()
            if not isinstance(message, vc.ResponseBlock):
                raise Wrong(f"received {short(message)}, wanted a ResponseBlock")
            seen = message.block


class Listener:
    """Where a node can dial."""

    def __init__(self, ip, chain):
        self.chain = chain
        self.sock = socket.socket()
        self.sock.bind((ip, 0))
        self.sock.listen(64)
        self.ip, self.port = self.sock.getsockname()

    @property
    def name(self):
        return f"{self.ip}:{self.port}"

    def accept(self, answers=True):
        self.sock.settimeout(WAIT)
        try:
            sock, _ = self.sock.accept()
        except TimeoutError:
            raise Wrong(f"nobody dials {self.name}") from None
        return Peer(sock, self.chain, answers)

    def welcome(self, answers=True, **fields):
        """Accepts, and answers the Handshake that must come by itself."""
        peer = self.accept(answers)
        peer.hello = peer.expect_kind(vc.Handshake)
        peer.send(vc.Handshake(**fields))
        return peer

    def close(self):
        self.sock.close()
