"""Attaching to servers that are at work: clients with connections that stay, and looks at memory."""
import os
import re
import socket
import ssl
import threading

import lib
from lib import IOTRACE, PATIENCE, expect


class Client:
    """A connection that is kept, and a log of what went over it since `forget`."""

    def __init__(self, target, tls=True):
        host, _, port = target.rpartition(":")
        self.conn = socket.create_connection((host, int(port)), PATIENCE)
        if tls:
            self.conn = ssl._create_unverified_context().wrap_socket(self.conn)
        self.local = lib.address(*sock_name(self.conn))
        self.forget()

    def forget(self):
        self.sent, self.received = bytearray(), bytearray()

    def get(self, path, body=b""):
        """HTTP/1.1, by hand: the bytes are to be known."""
        request = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: here\r\n"
        if body:
            request += f"Content-Length: {len(body)}\r\n"
        request = f"{request}\r\n".encode() + body
        self.conn.sendall(request)
        self.sent += request
        answer = bytearray()
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._receive()
        size = int(re.search(rb"(?i)content-length: *(\d+)", answer)[1])
        while len(answer) < end + 4 + size:
            answer += self._receive()
        return bytes(answer[end + 4:])

    def _receive(self):
        data = self.conn.recv(1 << 16)
        if not data:
            raise ConnectionError("the server has closed")
        self.received += data
        return data

    def close(self):
        self.conn.close()


def sock_name(conn):
    return conn.getsockname()[:2]


class Load:
    """
    Clients at work at the same time, each on its connections, until it is stopped; answers are checked.
    Of several paths each client asks for one: `talks` has what a round is, by the client's address.
    """

    def __init__(self, target, *paths, count=4, tls=True, each=1):
        self.target, self.tls, self.each, self.count = target, tls, each, count
        self.over, self.failures, self.rounds = False, [], 0
        self.wanted, self.talks = {}, {}
        self.changed = threading.Condition()
        self.threads = [threading.Thread(target=self._run, args=[paths[i % len(paths)]], daemon=True)
                        for i in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, path):
        try:
            self._work(path)
        except Exception as error:  # told by the test's own thread
            with self.changed:
                self.failures.append(f"{type(error).__name__}: {error}")
                self.changed.notify_all()

    def _work(self, path):
        clients = [Client(self.target, self.tls) for _ in range(self.each)]
        while not self.over:
            for client in clients:
                self._round(client, path)
        for client in clients:
            client.close()

    def _round(self, client, path):
        answer = client.get(path)
        wanted = self.wanted.setdefault(path, answer)
        expect(answer == wanted, "an answer is different from the others")
        with self.changed:
            self.talks[client.local] = bytes(client.sent), wanted
            self.rounds += 1
            self.changed.notify_all()
        client.forget()

    def check_talks(self, capture):
        """Whatever was seen of a connection is a piece of its own client's rounds, without a hole."""
        seen = {conn.pair[1]: conn for conn in capture.conns.values() if conn.pair}
        expect(seen.keys() <= self.talks.keys(), f"nobody's: {seen.keys() - self.talks.keys()}")
        for local, conn in seen.items():
            moved = conn.moved[conn.pair]
            request, answer = self.talks[local]
            bodies = re.sub(rb"HTTP/1\.1 200 .*?\r\n\r\n", b"", b"".join(moved["out"]), flags=re.S)
            for what, piece, whole in (("asked", b"".join(moved["in"]), request),
                                       ("answered", bodies, answer)):
                expect(piece in whole * (len(piece) // len(whole) + 2),
                       f"{local} has {what} something else: {piece[:60]!r}, {len(piece)} bytes")

    def _all_work(self):
        return len(self.talks) == self.count * self.each

    def await_rounds(self, more):
        """Until so many more requests were answered, and one of each client; False if one failed."""
        with self.changed:
            until = self.rounds + more
            expect(self.changed.wait_for(lambda: self.failures or self.rounds >= until and
                                         self._all_work(), PATIENCE),
                   "the server does not answer any more")
            return not self.failures

    def stop(self):
        self.over = True
        for thread in self.threads:
            thread.join(PATIENCE)
        return self.failures


# Of every attaching iotrace: test_attach_tap.py.
OPTIONS = []


class Attached:
    """iotrace on running processes; `ready` once it has all of their threads."""

    def __init__(self, test, pids, name, *options):
        self.base = test.path(name)
        self.path = self.base + ".jsonl"
        self.process = test.start([IOTRACE, *OPTIONS, *lib.laws.facts_options(self.base), *options, "-p",
                                   ",".join(map(str, pids))], name=name, merge=True)
        self.pids = pids
        self.await_all()

    def await_all(self):
        waiter = threading.Event()
        for _ in range(int(PATIENCE / 0.002)):
            if all(tracer_of(task) for pid in self.pids for task in tasks_of(pid)) and \
                    self.has_begun():
                return
            expect(not self.process.ended(0), f"iotrace has ended: {self.process.told()}")
            waiter.wait(0.002)  # nothing tells of it but what is asked here
        raise lib.Failure("iotrace does not attach")

    def has_begun(self):
        """That a process was found is told when its modules have been looked at."""
        try:
            with open(self.path, "rb") as file:
                return file.read().count(b'"event":"found"') >= len(self.pids)
        except FileNotFoundError:
            return False

    def detach(self):
        status = self.process.stop(lib.signal.SIGINT)
        expect(status == 0, f"iotrace ended with {status}: {self.process.told()}")
        with open(self.process.stdout, encoding="utf-8", errors="replace") as said:
            return said.read()

    def capture(self, layer="plain"):
        lib.keep_laws(lib.laws.check_facts, self.base)
        return lib.oracle.Capture(self.path, layer, attached=True)


def pids_of(server):
    """The process and its children."""
    parents = lib.all_parents()
    pid = server.popen.pid
    return [pid, *[child for child, parent in parents.items() if parent == pid]]


def tasks_of(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def tracer_of(task):
    try:
        with open(f"/proc/{task}/status", encoding="ascii", errors="replace") as status:
            return int(re.search(r"TracerPid:\s*(\d+)", status.read())[1])
    except OSError:
        return 1  # gone


def check_left(pid, before):
    """Nothing of ours is left."""
    check_code(pid)
    now = own_code(pid)
    expect(now == before, f"{pid} has other code mapped: {now}, before {before}")


def executable(pid):
    """What is mapped so that it can run: lists of range, protection, offset, device, inode, path."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        lines = [line.split(None, 5) for line in maps]
    return [line for line in lines if "x" in line[1]]


def own_code(pid):
    """What can run and is from no file: a server may still be loading those."""
    return [line for line in executable(pid) if len(line) == 5]


# Beginnings of what compilers fill the space between functions with, and of the rest of it.
FILLING = tuple(bytes([one]) for one in b"\x66\x90\xcc\x2e\x00\x40\x44\x80\x84\x1f") + (b"\x0f\x1f",)


def without_caves(here, there):
    """Memory, with long jumps that stand in filling, which nobody comes to any more, taken out."""
    here = bytearray(here)
    for at in range(0, len(there), 4096):
        if here[at:at + 4096] == there[at:at + 4096]:
            continue
        for byte in range(at, min(at + 4096, len(there))):
            if here[byte] == 0xe9 and here[byte] != there[byte] and \
                    there[byte:byte + 2].startswith(FILLING):
                end = byte + 5
                while here[end] == 0xcc:
                    end += 1
                here[byte:end] = there[byte:end]
    return bytes(here)


def check_code(pid, killed=False):
    """The code of all that is mapped from files is the files'."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for where, _, offset, _, _, *path in executable(pid):
            path = path[0].strip() if path else ""
            if not path.startswith("/"):
                continue
            start, end = (int(part, 16) for part in where.split("-"))
            with open(f"/proc/{pid}/root{path}", "rb", 0) as file:
                there = os.pread(file.fileno(), end - start, int(offset, 16))
            memory.seek(start)
            here = memory.read(end - start)[:len(there)]
            if killed:
                here = without_caves(here, there)
            lib.oracle.differ(f"code of {path} in {pid}", here, there, ("in memory", "in the file"))
