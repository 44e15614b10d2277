"""What a case has: nodes under test, addresses of its own, and peers. Cases register themselves by @case and
run beside each other: each has an address block 127.x.y.*, so that neither ports nor bans meet.

A node is a process of the program under test on a data folder of its own. It must end with status 0 when it
is told to, in every case.
"""
import os
import signal
import socket
import subprocess
import tempfile
import time

import vibecoin as vc
from peer import WAIT, Listener, Peer, Wrong

CASES = []  # (sentence, function)
RUNNING = []  # processes, to be killed when all else fails
PORT = 10000 + os.getpid() % 20000
BLOCK = 16 + os.getpid() % 200  # of addresses: 127.BLOCK.case.*
TIMESTAMP = 1744067299


def case(sentence):
    def register(function):
        CASES.append((sentence, function))
        return function
    return register


class Program:
    """The binary, and which options it knows."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        done = subprocess.run([self.path, "--help"], capture_output=True, text=True, timeout=WAIT, check=False)
        self.help = done.stdout + done.stderr

    def options(self, **wanted):
        """As arguments: handshake_timeout="1s" becomes --handshake-timeout 1s."""
        found = []
        for name, value in wanted.items():
            name = "--" + name.replace("_", "-")
            if name not in self.help:
                raise Wrong(f"{self.path} has no option {name}")
            found += [name, str(value)]
        return found


class Node:
    """A running program. Options are those of the command line, with underscores."""

    def __init__(self, world, ip, port=PORT, difficulty=1, node_id="node", seeds=(), **options):
        self.world, self.ip, self.port, self.node_id = world, ip, port, node_id
        self.family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self.difficulty = difficulty
        self.genesis = vc.genesis(TIMESTAMP, difficulty)
        self.folder = os.path.join(world.folder, ip)
        self.log = self.folder + ".log"
        self.seeds, self.options = seeds, options
        self.process = None
        self.start()

    def start(self):
        ip = self.ip if self.family == socket.AF_INET else f"[{self.ip}]"
        command = [self.world.program.path, "--listen", f"{ip}:{self.port}", "--data", self.folder,
                   "--node-id", self.node_id, "--genesis", f"{TIMESTAMP}:{self.difficulty}", "--log", "info"]
        for seed in self.seeds:
            command += ["--seed-peer", seed]
        command += self.world.program.options(**self.options)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        RUNNING.append(self.process)
        self.await_service()

    def await_service(self):
        """Until it has read its folder: before, it turns everybody away with Shutdown."""
        ip, until = self.world.fresh_ip(), time.monotonic() + WAIT
        while True:
            peer = self.connect(ip, answers=False)
            peer.send(vc.Handshake(node_id="first", version="service?"))
            turned_away = peer.take() == vc.Disconnect("Shutdown")
            peer.close()
            if not turned_away:
                return
            if time.monotonic() > until:
                raise Wrong("the node turns everybody away")
            time.sleep(0.01)

    def stop(self):
        """Politely."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Wrong("the node did not end within 30 s of SIGTERM") from None
        if status != 0:
            raise Wrong(f"the node ended with status {status}")

    def kill(self):
        process, self.process = self.process, None
        if process:
            process.kill()
            process.wait()

    def connect(self, ip=None, rcvbuf=0, answers=True):
        """A connection from that address (None: a fresh one), once the node listens."""
        until = time.monotonic() + WAIT
        ip = self.ip if self.family == socket.AF_INET6 else ip or self.world.fresh_ip()
        while True:
            sock = socket.socket(self.family)
            if rcvbuf:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            sock.bind((ip, 0))
            try:
                sock.connect((self.ip, self.port))
                break
            except ConnectionRefusedError:
                sock.close()
            if self.process.poll() is not None:
                raise Wrong(f"the node ended with status {self.process.returncode} at its start")
            if time.monotonic() > until:
                raise Wrong(f"nobody listens on {self.ip}:{self.port}")
            time.sleep(0.01)
        return self.world.keep(Peer(sock, [self.genesis], answers))

    def ready(self, node_id=None, chain=None, ip=None, answers=True, rcvbuf=0):
        """A peer with its handshake done."""
        peer = self.connect(ip, rcvbuf, answers)
        peer.chain = chain or peer.chain
        return peer.shake(node_id=node_id or self.world.fresh_id())

    def teach(self, chain):
        """Gives the blocks above the genesis, in order, and sees that they are taken."""
        teacher = self.ready(chain=chain)
        for block in chain[1:]:
            teacher.send(vc.NewBlock(block))
        if teacher.newest() != chain[-1]:
            raise Wrong("the node did not take the blocks")
        teacher.send(vc.Disconnect("Shutdown"))
        teacher.expect_end()

    def chain(self, length, **fields):
        """Blocks that it would take."""
        return vc.chain(self.genesis, self.difficulty, length, **fields)

    def child(self, parent, **changed):
        return vc.child(parent, self.difficulty, **changed)


class World:
    """Of one case. With `with`: all nodes end well, all sockets are closed."""

    def __init__(self, program, number):
        self.program, self.number = program, number
        self.nodes, self.sockets = [], []
        self.ips = self.ids = 0
        self.temporary = tempfile.TemporaryDirectory(prefix="vibenet-interop-")
        self.folder = self.temporary.name

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            for node in self.nodes:
                node.kill() if kind else node.stop()
        finally:
            for node in self.nodes:
                node.kill()
            for thing in self.sockets:
                thing.close()

    def logs(self, lines):
        found = []
        for node in self.nodes:
            with open(node.log, encoding="utf-8", errors="replace") as file:
                found += [f"    {node.node_id}: {line.rstrip()}" for line in file.readlines()[-lines:]]
        return found

    def remove(self):
        self.temporary.cleanup()

    def keep(self, thing):
        self.sockets.append(thing)
        return thing

    def fresh_ip(self):
        self.ips += 1
        return f"127.{BLOCK}.{self.number}.{self.ips}"

    def fresh_id(self):
        self.ids += 1
        return f"python-{self.ids:03}"

    def node(self, ip=None, **options):
        """ip: where it listens, by default on an address of its own."""
        node = Node(self, ip or self.fresh_ip(), **options)
        self.nodes.append(node)
        return node

    def listener(self, **genesis):
        first = vc.genesis(TIMESTAMP, genesis.get("difficulty", 1))
        return self.keep(Listener(self.fresh_ip(), [first]))
