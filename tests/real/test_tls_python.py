"""
python's ssl traced: on sockets, by urllib, by asyncio (memory BIOs), as a server, and on sockets of which
some are not captured.
"""
import json
import ssl

import lib
import tls
from lib import PYTHON, expect
from servers import serve_nginx_tls, serve_own

BLOCKING = """
import socket, ssl, sys
host, port = sys.argv[1].rsplit(":", 1)
context = ssl._create_unverified_context()
for name in sys.argv[2:]:
    with socket.create_connection((host, port)) as sock, \\
            context.wrap_socket(sock, server_hostname="localhost") as conn:
        conn.sendall(f"GET /{name} HTTP/1.0\\r\\n\\r\\n".encode())
        while data := conn.recv(100000):
            sys.stdout.buffer.write(data.partition(b"Date")[0][:1] + data[-1:])
            rest = len(data)
"""

# A sandbox that allows everything, entered before there is a socket (prctl(2), seccomp(2)).
LOCKED = """
import ctypes, struct
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, struct.pack("HxxxxxxQ", 1, ctypes.addressof(code))) == 0
""" + BLOCKING.replace("import socket, ssl, sys", "")

URLLIB = """
import hashlib, ssl, sys, urllib.error, urllib.request
context = ssl._create_unverified_context()
for name in sys.argv[2:]:
    try:
        with urllib.request.urlopen(f"https://{sys.argv[1]}/{name}", context=context) as reply:
            print(name, reply.status, hashlib.sha256(reply.read()).hexdigest())
    except urllib.error.HTTPError as error:
        print(name, error, len(error.read()))
"""

ASYNCIO = """
import asyncio, hashlib, ssl, sys
host, port = sys.argv[1].rsplit(":", 1)
context = ssl._create_unverified_context()
async def get(name):
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    writer.write(f"GET /{name} HTTP/1.0\\r\\n\\r\\n".encode())
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    return name, hashlib.sha256(data.partition(b"\\r\\n\\r\\n")[2]).hexdigest()
async def main():
    for name, text in await asyncio.gather(*map(get, sys.argv[2:])):
        print(name, text)
asyncio.run(main())
"""

# Lines over TCP and over a local socket in turn, by one thread.
BOTH = """
import socket, ssl, sys
context = ssl._create_unverified_context()
conns = {}
for kind, family, address in ("tcp", socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), \\
        ("unix", socket.AF_UNIX, sys.argv[2]):
    sock = socket.socket(family)
    sock.connect(address)
    conns[kind] = context.wrap_socket(sock)
for number in range(int(sys.argv[3])):
    for kind, conn in conns.items():
        line = f"{kind} {number}\\n".encode()
        conn.sendall(line)
        answer = b""
        while not answer.endswith(b"\\n"):
            answer += conn.recv(100)
        assert answer == line, answer
"""

BOTH_ASYNCIO = """
import asyncio, ssl, sys
context = ssl._create_unverified_context()
async def main():
    conns = {"tcp": await asyncio.open_connection("127.0.0.1", int(sys.argv[1]), ssl=context),
             "unix": await asyncio.open_unix_connection(sys.argv[2], ssl=context, server_hostname="x")}
    for number in range(int(sys.argv[3])):
        for kind, (reader, writer) in conns.items():
            line = f"{kind} {number}\\n".encode()
            writer.write(line)
            answer = await reader.readline()
            assert answer == line, answer
asyncio.run(main())
"""

# Both ends of each connection in one process; the server's address is told.
ENDS = """
import asyncio, ssl, sys
to = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
to.load_cert_chain(sys.argv[1], sys.argv[2])
async def answer(reader, writer):
    while line := await reader.readline():
        writer.write(b"answer to " + line)
    writer.close()
async def ask(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ssl._create_unverified_context())
    for line in (f"{number} {count}\\n".encode() for count in range(int(sys.argv[3]))):
        writer.write(line)
        assert await reader.readline() == b"answer to " + line
    writer.close()
    await writer.wait_closed()
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=to)
    address = server.sockets[0].getsockname()
    await asyncio.gather(*(ask(address[1], number) for number in range(5)))
    print("%s:%d" % address)
asyncio.run(main())
"""

# An echo of lines, several clients at once; ended by a line of its own.
SERVER = """
import asyncio, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
async def talk(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(talk, sys.argv[3], 0, ssl=context, limit=1 << 24)
    print("listening on", server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("over")
"""

NAMES = ["1", "16k", "1m", "no-such"]
CLIENTS = 10


def start(test, version=None):
    _, target = serve_nginx_tls(test, False)
    return tls.Proxy(test, target, version=version)


def client(test, script, names, version=None, **same):
    proxy = start(test, version)
    test.check_client(proxy, [PYTHON, "-c", script, proxy.address, *names],
                      at_least=len(names), **same)


def blocking(test):
    for version in tls.VERSIONS:
        client(test, BLOCKING, NAMES * 3, version, clean=lib.nothing)


def locked(test):
    client(test, "import socket, ssl, sys\n" + LOCKED, NAMES, clean=lib.nothing)


def urllib(test):
    for version in tls.VERSIONS:
        client(test, URLLIB, NAMES * 3, version)


def asyncio(test):
    for version in tls.VERSIONS:
        client(test, ASYNCIO, NAMES * 5, version)


def large(test):
    tls.only_full()
    for version in tls.VERSIONS:
        for script in URLLIB, ASYNCIO:
            client(test, script, ["100m"], version)
        client(test, BLOCKING, ["100m"], version, clean=lib.nothing)


def asyncio_server(test):
    cert, key = tls.certificate(test)

    def serve(traced):
        return serve_own(test, traced, [PYTHON, "-u", "-c", SERVER, cert, key])

    def talk(proxy):
        context = ssl._create_unverified_context()
        with lib.socket.create_connection((proxy.host, proxy.port), lib.PATIENCE) as sock, \
                context.wrap_socket(sock) as conn:
            for size in 1, 1000, 16384, 1000000, *[100_000_000 // CLIENTS] * lib.LARGE:
                line = b"x" * (size - 1) + b"\n"
                conn.sendall(line)
                answer = b""
                while not answer.endswith(b"\n"):
                    answer += conn.recv(1 << 16)
                expect(answer == line, "not the echo")

    def drive(proxy):
        threads = [lib.threading.Thread(target=talk, args=[proxy]) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(lib.PATIENCE)
        return []
    for version in tls.VERSIONS:
        test.check_server(serve, drive, at_least=CLIENTS, number=lib.signal.SIGINT,
                          proxy_to=lambda to: tls.Proxy(test, to, version=version),
                          clean=lib.nothing)


def ends(test):
    cert, key = tls.certificate(test)
    for count, options in (1, []), (50, []), (10, ["--engine", "stop"]):
        traced = test.run([PYTHON, "-c", ENDS, cert, key, str(count)], traced=True, options=options)
        expect(traced.status == 0, f"it fails: {traced.told()}")
        lib.keep_laws(lib.laws.check, traced.base)
        with open(traced.stdout, encoding="utf-8") as out, \
                open(traced.capture_path, encoding="utf-8") as lines:
            address = out.read().strip()
            told = [event for event in map(json.loads, lines)
                    if event["type"] == "data" and event["layer"] == "plain"]
        expect(len(told) == 5 * count * 4, f"{len(told)} pieces of plaintext")
        for event in told:
            server = event["text"].startswith("answer") == (event["dir"] == "out")
            expect(event["local" if server else "remote"] == address,
                   f"told of the other end: {event}")


def local(test):
    port, path = tls.serve_both(test)
    for script in BOTH, BOTH_ASYNCIO:
        tls.check_apart(test, lambda count: [PYTHON, "-c", script, port, path, count])


lib.main(blocking, locked, urllib, asyncio, asyncio_server, ends, local, large)
