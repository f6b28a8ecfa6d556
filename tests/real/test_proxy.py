"""The proxy alone: what it records is what went through, whoever sends, however it ends."""
import os
import socket
import threading
import time

import lib
from lib import Proxy, expect
from oracle import read_record

COUNT = 1000 if lib.LARGE else 150
SIZE = 100 << 20


class Peer:
    """A server in a thread: talk(socket) for each connection, in a thread of its own."""

    def __init__(self, family, where, talk):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.bind(where)
        self.socket.listen(1024)
        threading.Thread(target=self._accept, args=(talk,), daemon=True).start()

    def _accept(self, talk):
        while True:
            conn, _ = self.socket.accept()
            threading.Thread(target=talk, args=(conn,), daemon=True).start()


def echo(conn):
    with conn:
        while data := conn.recv(1 << 18):
            conn.sendall(data)


def read_all(conn):
    parts = []
    while data := conn.recv(1 << 18):
        parts.append(data)
    return b"".join(parts)


def local(peer):
    return lib.address(*peer.socket.getsockname()[:2])


def recorded(entry):
    return [b"".join(read_record(entry, way)) for way in ("c2s", "s2c")]


def many(test):
    """Concurrent connections, each with its own bytes, matched by their addresses."""
    proxy = Proxy(test, local(Peer(socket.AF_INET, (test.host, 0), echo)))
    conns = [socket.create_connection((proxy.host, proxy.port)) for _ in range(COUNT)]
    own = {}
    for number, conn in enumerate(conns):
        data = own[lib.address(*conn.getsockname())] = lib.noise(1 + number * 7, number)
        conn.sendall(data)
    for conn in conns:
        conn.shutdown(socket.SHUT_WR)
    for conn in conns:
        expect(read_all(conn) == own[lib.address(*conn.getsockname())], "not the echo")
        conn.close()
    proxied = proxy.take()
    expect({entry["client"] for entry in proxied} == own.keys(), "not the clients")
    for entry in proxied:
        expect(recorded(entry) == [own[entry["client"]]] * 2, f"not what was sent: {entry}")
        expect(entry["listen"] == proxy.address and not entry["cut"], f"{entry}")


def bulk(test):
    """100 MB in one direction, at a speed at which the proxy is never what is waited for."""
    data = lib.noise(SIZE)

    def give(conn):
        conn.sendall(data)
        conn.close()
    proxy = Proxy(test, local(Peer(socket.AF_INET, (test.host, 0), give)))
    with socket.create_connection((proxy.host, proxy.port)) as conn:
        started = time.monotonic()
        expect(read_all(conn) == data, "not the data")
        seconds = time.monotonic() - started
    print(f"  {SIZE / seconds / 1e6:.0f} MB/s")
    entry, = proxy.take()
    expect(recorded(entry) == [b"", data], "not recorded")


def half_close(test):
    """The answer comes after the request's end; and the record goes on though nobody reads."""
    def answer(conn):
        request = read_all(conn)
        conn.sendall(request[::-1] * 1000)
        conn.close()
    proxy = Proxy(test, local(Peer(socket.AF_INET, (test.host, 0), answer)))
    for wanted in True, False:
        with socket.create_connection((proxy.host, proxy.port)) as conn:
            conn.sendall(b"request" * 1000)
            if wanted:
                conn.shutdown(socket.SHUT_WR)
                expect(read_all(conn) == b"tseuqer" * 1000000, "not the answer")
    for entry in proxy.take():
        expect(recorded(entry) == [b"request" * 1000, b"tseuqer" * 1000000], "not recorded")


def open_at_the_end(test):
    """What was sent before SIGTERM is recorded, also on connections that were not accepted yet."""
    proxy = Proxy(test, local(Peer(socket.AF_INET, (test.host, 0), echo)))
    for number in range(20):
        with socket.create_connection((proxy.host, proxy.port)) as conn:
            conn.sendall(b"x" * number)
    proxied = proxy.take()
    sizes = sorted(entry["c2s"] for entry in proxied)
    expect(sizes == [*range(20)], f"not all: {sizes}")


def six(test):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        raise lib.Skip("no IPv6")
    proxy = Proxy(test, local(Peer(socket.AF_INET6, ("::1", 0), echo)), host="::1")
    with socket.create_connection((proxy.host, proxy.port)) as conn:
        client = lib.address(*conn.getsockname()[:2])
        conn.sendall(b"six")
        conn.shutdown(socket.SHUT_WR)
        expect(read_all(conn) == b"six", "not the echo")
    entry, = proxy.take()
    expect(entry["client"] == client and entry["listen"] == proxy.address
           and entry["upstream_remote"] == proxy.target, f"not the addresses: {entry}")
    expect(recorded(entry) == [b"six"] * 2, "not recorded")


def local_sockets(test):
    """A path at both ends, which has to be cleaned up by whoever made it."""
    target, listen = test.path("target"), test.path("listen")
    peer = Peer(socket.AF_UNIX, target, echo)
    os.mkdir(test.path("record"))
    proxy = test.start([os.path.join(lib.BUILT, "proxy"), "tcp", "--listen", "unix:" + listen,
                        "unix:" + target, test.path("record")])
    proxy.await_output("^" + listen + "$")
    with socket.socket(socket.AF_UNIX) as conn:
        conn.connect(listen)
        conn.sendall(b"local")
        conn.shutdown(socket.SHUT_WR)
        expect(read_all(conn) == b"local", "not the echo")
    expect(proxy.stop() == 0, "the proxy failed")
    entry, = lib.oracle.load_index(test.path("record"))
    expect(entry["listen"] == listen and entry["upstream_remote"] == target, f"{entry}")
    expect(recorded(entry) == [b"local"] * 2, "not recorded")
    peer.socket.close()


def datagrams(test):
    """Each client has its own answers, and borders are kept, of empty ones too."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((test.host, 0))

    def answer():
        while True:
            data, peer = server.recvfrom(1 << 16)
            server.sendto(data[::-1], peer)
            server.sendto(b"", peer)
    threading.Thread(target=answer, daemon=True).start()
    proxy = Proxy(test, lib.address(*server.getsockname()), "udp")
    clients = {}
    for number in range(COUNT):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((proxy.host, proxy.port))
        client.settimeout(lib.PATIENCE)
        sent = [lib.noise(size, number) for size in (0, 1, 1400, number)]
        for data in sent:
            client.send(data)
            expect(client.recv(1 << 16) == data[::-1], "not the answer")
            expect(client.recv(1 << 16) == b"", "not the empty one")
        clients[lib.address(*client.getsockname())] = client, sent
    proxied = proxy.take()
    expect(len(proxied) == COUNT, f"{len(proxied)} clients")
    for entry in proxied:
        _, sent = clients[entry["client"]]
        expect(read_record(entry, "c2s") == sent, f"not recorded: {entry}")
        answers = [part for data in sent for part in (data[::-1], b"")]
        expect(read_record(entry, "s2c") == answers, f"not recorded: {entry}")


lib.main(many, bulk, half_close, open_at_the_end, six, local_sockets, datagrams)
