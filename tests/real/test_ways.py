"""Servers whose bytes move in other ways than by read and write: the same bytes as the oracle's."""
import concurrent.futures
import os
import socket
import struct

import lib
import oracle
from attach import Client
from lib import BUILT, HERE, PYTHON, Proxy, address, expect
from servers import postgres_program, serve_files, serve_node, serve_own, serve_postgres

COUNT = 50 if lib.LARGE else 3

HAPROXY = """
global
    maxpipes 64
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
    option splice-request
    option splice-response
listen all
    bind {listen}
    http-reuse never
    server one {target}
"""


def together(count, work):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [*pool.map(work, range(count))]


def flags_of(capture):
    return {flag for event in capture.events for flag in event.get("flags", ())}


def haproxy(test):
    """Both sides of it: what it accepts, and what it connects to."""
    test.need("haproxy", "curl")
    _, target = serve_files(test, False)
    behind = Proxy(test, target)
    backs = []

    def serve(traced):
        port = test.free_port()
        conf = test.write("haproxy.cfg", HAPROXY.format(listen=address(test.host, port),
                                                        target=behind.address))
        server = test.start(["haproxy", "-db", "-f", conf], traced=traced)
        server.await_listening(test.host, port)
        behind.take()
        return server, address(test.host, port)

    def drive(proxy):
        clients = [test.begin(["curl", "-sS", *[f"http://{proxy.address}/1m"] * COUNT])
                   for _ in range(5)]
        for client in clients:
            client.status = client.wait()
        backs.append(behind.take())
        return clients
    traced, _ = test.check_server(serve, drive, at_least=5, clean=lib.nothing)
    capture = traced.capture()
    oracle.compare(capture, backs[1], oracle.CLIENT, 5)
    expect("splice" in {event.get("call") for event in capture.events}, "haproxy did not splice")
    expect("file" in flags_of(capture), "no bytes from a pipe")


def burst(proxy, number):
    """Datagrams to the echo server, several on their way at once; each answer is one of them."""
    sent = {struct.pack("<II", number, turn) + lib.noise(1 + turn * 97 % 1400) for turn in range(COUNT * 20)}
    waiting = sorted(sent)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(lib.PATIENCE)
        sock.connect((proxy.host, proxy.port))
        while waiting:
            batch, waiting = waiting[:10], waiting[10:]
            for data in batch:
                sock.send(data)
            for _ in batch:
                answer = sock.recv(1 << 16)
                expect(answer in sent, "not what was sent")
                sent.remove(answer)


def echo_streams(proxy, number):
    data = lib.noise(100000 * (number + 1), number)
    with socket.create_connection((proxy.host, proxy.port), lib.PATIENCE) as conn:
        sender = concurrent.futures.ThreadPoolExecutor(1).submit(conn.sendall, data)
        got = b""
        while len(got) < len(data):
            got += conn.recv(1 << 16)
        sender.result()
    expect(got == data, "not the echo")


def check_echo(test, program):
    if not os.path.exists(program):
        raise lib.Skip("it was not built")

    def serve(traced):
        return serve_own(test, traced, [program])

    def check(kind, work):
        def drive(proxy):
            together(5, lambda number: work(proxy, number))
            return []
        return test.check_server(serve, drive, kind=kind, at_least=5,
                                 clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output))[0]
    calls = {event.get("call") for event in check("udp", burst).capture().events}
    expect(calls >= {"recvmmsg", "sendmmsg"} or calls >= {"recvmmsg_time64", "sendmmsg"},
           f"the calls were {calls}")
    check("tcp", echo_streams)


def mmsg(test):
    check_echo(test, f"{BUILT}/echo_server")


def i386(test):
    check_echo(test, f"{BUILT}/echo_server_i386")


def question(number):
    name = b"".join(bytes([len(part)]) + part for part in (b"name%d" % number, b"test"))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + name + struct.pack(">BHH", 0, 1, 1)


def dns(test):
    """Many that ask at the same time."""
    def ask(proxy, client):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(lib.PATIENCE)
            sock.connect((proxy.host, proxy.port))
            for number in range(COUNT * 20):
                sock.send(question(client * 1000 + number))
                expect(sock.recv(1 << 16)[:2] == question(client * 1000 + number)[:2], "not the answer")

    def drive(proxy):
        together(20, lambda number: ask(proxy, number))
        return []
    test.check_server(
        lambda traced: serve_own(test, traced, [PYTHON, os.path.join(HERE, "dns_server.py")]), drive,
        kind="udp", at_least=20, clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output))


def prefork(test):
    def get(proxy, number):
        client = Client(proxy.address, tls=False)
        expect(len(client.get(f"/{1600 * (number + 1)}")) == 1600 * (number + 1), "not the answer")
        client.close()

    def drive(proxy):
        for _ in range(COUNT):
            together(10, lambda number: get(proxy, number))
        return []
    traced, _ = test.check_server(
        lambda traced: serve_own(test, traced, [PYTHON, os.path.join(HERE, "prefork_server.py")]),
        drive, at_least=10 * COUNT, clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output))
    who = {}
    for event in traced.capture().events:
        if event["type"] == "data" and event["len"]:
            who.setdefault(event["conn"], set()).add(event["pid"])
    expect(sum(len(pids) == 2 for pids in who.values()) >= 10 * COUNT, "two processes to each connection")


def moved_on(capture, end, path):
    """Of each local connection to that path: what came in and what went out."""
    found = []
    for conn in capture.conns.values():
        for pair, moved in conn.moved.items():
            if conn.proto == "unix-stream" and pair[end] == path:
                found.append((b"".join(moved["in"]), b"".join(moved["out"])))
    return sorted(both for both in found if any(both))


def postgres(test):
    """The same over a local socket: the client traced, then the server."""
    psql, where = postgres_program("psql"), test.path("sockets")
    os.mkdir(where)
    os.chmod(where, 0o777)
    options = ["-c", f"unix_socket_directories={where}", "-c", "autovacuum=off"]

    def talk(port, traced, number):
        return test.run([psql, "-X", "-h", where, "-p", port, "-U", "tester", "-c",
                         f"select {number}, md5(i::text) from generate_series(1, 2000) i", "postgres"],
                        traced=traced, options=["--unix"] if traced else (), cwd="/")
    for server_traced in False, True:
        server, target = serve_postgres(test, server_traced, options,
                                        ["--unix"] if server_traced else ())
        port = target.rpartition(":")[2]
        real, front = f"{where}/.s.PGSQL.{port}", f"{where}/.s.PGSQL.1"
        proxy = lib.UnixProxy(test, real, front)
        clients = [talk("1", not server_traced, number) for number in range(COUNT)]
        for client in clients:
            expect(client.status == 0, f"psql: {client.told()}")
        proxied = proxy.end()
        expect(server.stop(lib.signal.SIGINT) == 0, f"postgres: {server.told()}")
        expect(len(proxied) == COUNT, f"{len(proxied)} connections")
        if server_traced:
            seen = moved_on(server.capture(), 0, real)
            ways = ("c2s", "s2c")
        else:
            seen = sorted(sum((moved_on(client.capture(), 1, front) for client in clients), []))
            ways = ("s2c", "c2s")
        wanted = sorted(tuple(b"".join(oracle.read_record(entry, way)) for way in ways)
                        for entry in proxied)
        expect(len(seen) == len(wanted), f"{len(seen)} connections seen, not {len(wanted)}")
        for one, other in zip(seen, wanted):
            for number in 0, 1:
                oracle.differ(f"{real} {ways[number]}", one[number], other[number])


def node(test):
    """libuv would use io_uring; without it, it falls back."""
    def get(proxy, number):
        client = Client(proxy.address, tls=False)
        expect(len(client.get(f"/{1 + number * 10000}")) == 1 + number * 10000, "not the answer")
        client.close()

    def drive(proxy):
        together(5, lambda number: get(proxy, number))
        return []
    os.environ["UV_USE_IO_URING"] = "1"
    traced, _ = test.check_server(lambda traced: serve_node(test, traced, ["--no-io-uring"]), drive,
                                  at_least=5,
                                  clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output))
    end = traced.capture().events[-1]
    expect(not end.get("rings"), f"there were rings: {end}")


lib.main(haproxy, mmsg, i386, dns, prefork, postgres, node)
