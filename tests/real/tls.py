"""TLS for the tests with real programs: certificates, and a proxy that records the plaintext.

    proxy = tls.Proxy(test, target)             as lib.Proxy, with the traced program's peer inside
    proxy = tls.Proxy(test, target, ("h2",), version=ssl.TLSVersion.TLSv1_2)

It ends the client's TLS, begins its own with the server, and writes down what it decrypts: that is
what both programs have said to their TLS libraries, and what iotrace must have seen there.
"""
import json
import os
import select
import socket
import ssl
import threading

import lib
from lib import expect

VERSIONS = ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2
# Of a program that speaks both versions of HTTP.
WAYS = [(protocols, version) for protocols in (("http/1.1",), ("h2",)) for version in VERSIONS]
# 100 MB take their time.
LARGE_VERSIONS, LARGE_WAYS = (VERSIONS, WAYS) if lib.LARGE else (VERSIONS[:1], WAYS[:1])

WINDOW = 1 << 20  # bytes that may wait for one side before the other is not read any more


def certificate(test, name="server"):
    """Paths of a certificate for test.host and of its key, made once; others may read them."""
    cert, key = test.path(f"{name}.pem"), test.path(f"{name}.key")
    if not os.path.exists(cert):
        test.need("openssl")
        made = test.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                         "-subj", f"/CN={name}", "-addext",
                         f"subjectAltName=IP:{test.host},IP:127.0.0.1,DNS:localhost",
                         "-keyout", key, "-out", cert])
        expect(made.status == 0, f"no certificate: {made.told()}")
        os.chmod(key, 0o644)
    return cert, key


def only_full():
    if not lib.LARGE:
        raise lib.Skip("100 MB of this program are for --full")


def curls(test, proxy, paths, count):
    """`count` curls at the same time, each over all the paths, and one that posts; all ended well."""
    url = f"https://{proxy.address}"
    upload = test.write("upload", lib.noise(300000, seed=2))
    clients = [test.begin(["curl", "-sSk", *[url + path for path in paths]]) for _ in range(count)]
    clients.append(test.begin(["curl", "-sSk", "--data-binary", f"@{upload}", f"{url}/echo"]))
    for client in clients:
        client.status = client.wait()
        expect(client.status == 0, f"curl: {client.told()}")
    return clients


def _echo(context, listener):
    """What comes to it over TLS goes back; one client after the other."""
    while True:
        client, _ = listener.accept()
        try:
            with client, context.wrap_socket(client, server_side=True) as conn:
                while data := conn.recv(1000):
                    conn.sendall(data)
        except OSError:  # it left without a word
            pass


def serve_both(test):
    """An echo over TCP and one over a local socket: a port and a path."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(test))
    path = test.path("local")
    listeners = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
    listeners[1].bind(path)
    listeners[1].listen()
    for listener in listeners:
        threading.Thread(target=_echo, args=[context, listener], daemon=True).start()
    return listeners[0].getsockname()[1], path


def check_apart(test, argv):
    """
    argv(count) is a client of both that says "tcp 0" and "unix 0" on a line each, and so on to `count`.
    What it says is told of its own connection, and of none where that is not captured.
    """
    # With the second count the library's functions are seen inside the process at last.
    for count in 3, 50:
        for options in [], ["--unix"], ["--engine", "stop"]:
            traced = test.run(argv(count), traced=True, options=options)
            expect(traced.status == 0, f"it fails: {traced.told()}")
            lib.keep_laws(lib.laws.check, traced.base)
            with open(traced.capture_path, encoding="utf-8") as lines:
                told = [event for event in map(json.loads, lines)
                        if event["type"] == "data" and event["layer"] == "plain"]
            for kind, proto in ("tcp", "tcp"), ("unix", "unix-stream" if "--unix" in options else None):
                own = [event for event in told if event["text"].startswith(kind)]
                said = "".join(f"{kind} {number}\n" for number in range(count))
                for way in "out", "in":
                    text = "".join(event["text"] for event in own if event["dir"] == way)
                    expect(text == said, f"{kind} {way} {options}: {text!r}")
                for event in own:
                    expect(event.get("proto") == proto and bool(event.get("conn")) == bool(proto),
                           f"{kind} {options}: told of another connection: {event}")


class Side:
    """One end of a proxied connection: TLS without a socket of its own, as records come anyhow."""

    def __init__(self, sock, context, server_side):
        self.sock = sock
        self.encrypted, self.waiting = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.encrypted, self.waiting, server_side=server_side)
        self.pending = b""  # encrypted, taken from `waiting`
        self.ended = self.closing = self.closed = self.gone = False

    def to_send(self):
        return len(self.pending) + self.waiting.pending

    def receive(self):
        try:
            data = self.sock.recv(1 << 18)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self.encrypted.write(data)
        else:
            self.gone = True
            self.encrypted.write_eof()

    def send(self):
        self.pending = self.pending or self.waiting.read()
        if not self.pending:
            return
        try:
            self.pending = self.pending[self.sock.send(self.pending):]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:  # it reads no more
            self.pending = b""
            self.waiting.read()
            self.closed = True

    def handshake(self):
        """False if the other end has closed its socket in the middle of it."""
        while True:
            try:
                self.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                if not self.gone:
                    raise
                return False
            while self.to_send():
                select.select([], [self.sock], [], lib.PATIENCE)
                self.send()
            if done:
                return True
            select.select([self.sock], [], [], lib.PATIENCE)
            self.receive()

    def read(self):
        """What has come; None for nothing."""
        try:
            data = self.tls.read(1 << 16)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError, ssl.SSLSyscallError):
            data = b""
        self.ended = not data
        return data or None

    def close(self):
        """Says that no more comes; once the rest is sent it is the socket's end, too."""
        if not self.closing:
            self.closing = True
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
        if not self.closed and not self.to_send():
            self.closed = True
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass


class Connection:
    def __init__(self, proxy, number, client):
        self.proxy, self.number = proxy, number
        self.sent = {"c2s": bytearray(), "s2c": bytearray()}
        self.ends = {"client": lib.address(*client.getpeername()[:2]),
                     "listen": lib.address(*client.getsockname()[:2])}
        self.error = None
        self.thread = threading.Thread(target=self._run, args=[client], daemon=True)
        self.thread.start()

    def _run(self, client):
        try:
            with client, socket.create_connection(self.proxy.target, lib.PATIENCE) as server:
                self.ends["upstream_local"] = lib.address(*server.getsockname()[:2])
                self.ends["upstream_remote"] = lib.address(*server.getpeername()[:2])
                self._talk(client, server)
        except Exception as error:  # told by the test's own thread
            self.error = f"{type(error).__name__}: {error}"

    def _talk(self, client, server):
        if self.proxy.before:
            self.proxy.before(client, server, self.sent)
        for sock in client, server:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        left = Side(client, self.proxy.as_server, True)
        right = Side(server, self.proxy.as_client, False)
        if not left.handshake():
            expect(self.proxy.may_leave, "the client has gone in the middle of its handshake")
            return
        expect(right.handshake(), "the server has gone in the middle of its handshake")
        # To the end of both, so that whatever they write is heard, though nobody may want it.
        while not (left.ended and right.ended and left.closed and right.closed):
            self._pass(left, right, "c2s")
            self._pass(right, left, "s2c")
            for one, other in (left, right), (right, left):
                # Not with something undecrypted inside, which would be lost.
                if one.ended and (one.closed or one.to_send() < WINDOW):
                    other.close()
            reads = [side.sock for side, other in ((left, right), (right, left))
                     if not side.ended and (other.closed or other.to_send() < WINDOW)]
            writes = [side.sock for side in (left, right) if side.to_send() and not side.closed]
            if not reads and not writes:
                continue
            ready, writable, _ = select.select(reads, writes, [], lib.PATIENCE)
            expect(ready or writable, "a proxied connection does not go on")
            for side in left, right:
                if side.sock in ready:
                    side.receive()
                if side.sock in writable:
                    side.send()

    def _pass(self, one, other, way):
        while (not one.ended and (other.closed or other.to_send() < WINDOW) and
               (data := one.read())):
            self.sent[way] += data
            if not other.closing and not other.closed:
                other.tls.write(data)

    def entry(self, directory):
        """As of the other proxy's index."""
        entry = {"id": self.number, "proto": "tcp", "cut": False, **self.ends}
        for way, data in self.sent.items():
            entry[way], entry[way + "_path"] = len(data), f"{directory}/{self.number}.{way}"
            with open(entry[way + "_path"], "wb") as file:
                file.write(data)
        # HTTP/2: frames about the connection, which nobody need read any more.
        entry["unread"] = 300 if "h2" in self.proxy.protocols else 0
        return entry


class Proxy:
    """
    lib.Proxy for what is encrypted. before(client, server, sent) may talk on the sockets first, where
    TLS begins later. may_leave: the client can end while it makes connections that it has no use for
    any more, as Go's does; then nothing was said on them.
    """
    layer = "plain"

    def __init__(self, test, target, protocols=("http/1.1",), version=None, before=None,
                 may_leave=False):
        self.test, self.before, self.host = test, before, "127.0.0.1"
        self.may_leave = may_leave
        self.protocols = protocols
        host, _, port = target.rpartition(":")
        self.target = host, int(port)
        self.as_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.as_server.load_cert_chain(*certificate(test, "proxy"))
        self.as_client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.as_client.check_hostname = False
        self.as_client.verify_mode = ssl.CERT_NONE
        for context in self.as_server, self.as_client:
            context.set_alpn_protocols([*protocols])
            # Or half the cases would never be seen.
            context.minimum_version = context.maximum_version = version or ssl.TLSVersion.TLSv1_3
        self.listener = socket.create_server((self.host, 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.address = lib.address(self.host, self.port)
        self.lock = threading.Condition()
        self.connections, self.count = [], 0
        self.marker = None  # address of the connection that shows what was accepted before it
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, address = self.listener.accept()
            with self.lock:
                if address == self.marker:
                    client.close()
                    self.marker = None
                    self.lock.notify()
                    continue
                self.count += 1
                self.connections.append(Connection(self, self.count, client))

    def _accept_all(self):
        """A client that ended may have left connections that wait to be accepted: in their order."""
        with self.lock, socket.socket() as marker:
            marker.bind((self.host, 0))
            self.marker = marker.getsockname()
            marker.connect((self.host, self.port))
            expect(self.lock.wait_for(lambda: not self.marker, lib.PATIENCE),
                   "the proxy accepts no more")

    def take(self):
        """The connections since it was last called; all of them must come to their end."""
        self._accept_all()
        with self.lock:
            connections, self.connections = self.connections, []
        directory = os.path.join(self.test.dir, f"plain-{self.port}-{self.count}")
        os.makedirs(directory, exist_ok=True)
        entries = []
        for connection in connections:
            connection.thread.join(lib.PATIENCE)
            expect(not connection.thread.is_alive(), f"connection {connection.ends} does not end")
            expect(not connection.error, f"connection {connection.ends}: {connection.error}")
            entries.append(connection.entry(directory))
        return entries


# So many requests on one connection.
BUSY = 1000


def busy(test, serve, path, **same):
    """Once a server's functions are called often, their plaintext comes without stops."""
    test.need("curl")

    def drive(proxy):
        url = f"https://{proxy.address}{path}?[1-{BUSY}]"
        return [test.run(["curl", "-sSk", "--http1.1", "-o", os.devnull, url])]
    traced, _ = test.check_server(serve, drive, at_least=1,
                                  proxy_to=lambda to: Proxy(test, to), **same)
    end = traced.capture("plain").events[-1]
    print(f"busy: {end['stops']} stops, {end['events']} events, calls {end['calls']}")
    # Two stops a call would be four thousand and more.
    expect(end["stops"] < BUSY and end["events"] > 4 * BUSY or not lib.has_tap(), f"{end}")
