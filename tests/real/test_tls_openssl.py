"""openssl s_client and s_server traced."""
import json
import ssl

import lib
import tls
from lib import expect
from servers import NGINX_FILES, serve_nginx_tls


HANDSHAKE, DATA = 22, 23
ALLOW_CLIENT_RENEGOTIATION = 1 << 8  # SSL_OP_; python has no name for it


def serve_echo(test, traced):
    """-rev: every line comes back with its characters in reverse order."""
    test.need("openssl")
    cert, key = tls.certificate(test)
    port = test.free_port()
    server = test.start(["openssl", "s_server", "-accept", f"{test.host}:{port}", "-cert", cert,
                         "-key", key, "-rev", "-quiet"], traced=traced)
    server.await_listening(test.host, port)
    return server, lib.address(test.host, port)


class Lines:
    """A client in the test itself: sends lines, and wants each back."""

    def __init__(self, proxy):
        context = ssl._create_unverified_context()
        with lib.socket.create_connection((proxy.host, proxy.port), lib.PATIENCE) as sock, \
                context.wrap_socket(sock) as conn:
            for line in b"", b"a", b"some line", b"x" * 16000, "ä".encode() * 100:
                conn.sendall(line + b"\n")
                answer = b""
                while not answer.endswith(b"\n"):
                    answer += conn.recv(1 << 16)
                expect(answer == line[::-1] + b"\n", f"not the line in reverse: {answer[:100]}")


def server(test):
    for version in tls.VERSIONS:
        def drive(proxy):
            for _ in range(5):
                Lines(proxy)
            return []
        test.check_server(lambda traced: serve_echo(test, traced), drive, at_least=5,
                          proxy_to=lambda to: tls.Proxy(test, to, version=version),
                          clean=lib.nothing)


def without_date(output):
    return lib.re.sub(rb"Date: .*", b"Date", output)


def client(test):
    """HTTP/1.0, so that the server ends it."""
    test.need("openssl")
    _, target = serve_nginx_tls(test, False)
    for version in tls.VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        for name in "1", "16k", "1m", *["100m"] * lib.LARGE:
            stdin = test.write("request", f"GET /{name} HTTP/1.0\r\n\r\n")
            test.check_client(proxy, ["openssl", "s_client", "-quiet", "-ign_eof", "-connect",
                                      proxy.address], stdin=stdin, clean=without_date)


def files(test):
    """-WWW: HTTP/1.0, with the files of its folder."""
    test.need("openssl", "curl")
    cert, key = tls.certificate(test)
    names = ["1", "16k", *["100m"] * lib.LARGE]
    for name in names:
        test.write(f"files/{name}", lib.noise(NGINX_FILES[name]))

    def serve(traced):
        port = test.free_port()
        server = test.start(["openssl", "s_server", "-accept", f"{test.host}:{port}", "-cert", cert,
                             "-key", key, "-WWW", "-quiet"], traced=traced, cwd=test.path("files"))
        server.await_listening(test.host, port)
        return server, lib.address(test.host, port)

    def drive(proxy):
        return [test.run(["curl", "-sSk", "--http1.0", f"https://{proxy.address}/{name}"])
                for name in names]
    for version in tls.VERSIONS:
        test.check_server(serve, drive, at_least=len(names), clean=lib.nothing,
                          proxy_to=lambda to: tls.Proxy(test, to, version=version))


def calls(test):
    """SSL_peek and its like, told but not counted; a second handshake between the lines."""
    _, target = serve_echo(test, False)
    for version in tls.VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        proxy.as_server.options |= ALLOW_CLIENT_RENEGOTIATION
        traced, _ = test.check_client(proxy, [lib.PYTHON, "-B", f"{lib.HERE}/ssl_calls.py",
                                              proxy.host, proxy.port])
        seen = {"SSL_peek": [], "SSL_read": [], "SSL_peek_ex": [], "SSL_read_ex": []}
        with open(traced.capture_path, encoding="utf-8") as lines:
            for event in map(json.loads, lines):
                if event.get("call") in seen:
                    seen[event["call"]].append(event["text"])
                    expect(("peek" in event.get("flags", ())) == ("peek" in event["call"]),
                           f"counted or not: {event}")
        for peek, read in ("SSL_peek", "SSL_read"), ("SSL_peek_ex", "SSL_read_ex"):
            expect(len(seen[read]) >= 3 and seen[peek] == seen[read],
                   f"{peek} is told as {seen[peek]}, {read} as {seen[read]}")


def records(capture, way):
    """Types of the TLS records of its only connection."""
    conn, = [conn for conn in capture.conns.values() if conn.moved]
    data, types = b"".join(conn.moved[conn.pair][way]), []
    while data:
        types.append(data[0])
        data = data[5 + int.from_bytes(data[3:5], "big"):]
    return types


def renegotiation(test):
    """TLS 1.2: once by the client, once by the server."""
    test.need("openssl")
    cert, key = tls.certificate(test)
    target = lib.address(test.host, test.free_port())
    server = test.start(["openssl", "s_server", "-accept", target, "-cert", cert, "-key", key,
                         "-tls1_2", "-client_renegotiation", "-naccept", "1"], traced=True,
                        stdin=lib.subprocess.PIPE)
    server.await_output("ACCEPT")
    client = test.start(["openssl", "s_client", "-connect", target], traced=True,
                        stdin=lib.subprocess.PIPE, merge=True)
    said = {client: b"", server: b""}

    def command(one, line):
        one.popen.stdin.write(line + b"\n")
        one.popen.stdin.flush()

    def say(one, other, line):
        command(one, line)
        other.await_output(line.decode())
        said[one] += line + b"\n"
    say(client, server, b"first of the client")
    say(server, client, b"first of the server")
    command(client, b"R")
    client.await_output("RENEGOTIATING")
    say(client, server, b"second of the client")
    say(server, client, b"second of the server")
    command(server, b"r")
    say(client, server, b"third of the client")
    # Who is told to leave before the handshake has begun can wait for ever, with or without us.
    client.await_output("(?s)second of the server.*servername")
    say(server, client, b"third of the server")
    command(client, b"Q")
    expect(client.wait() == 0 and server.wait() == 0, f"{client.told()} {server.told()}")
    for one, way, talker in ((client, "out", client), (client, "in", server),
                             (server, "out", server), (server, "in", client)):
        capture = one.capture("plain")
        conn, = [conn for conn in capture.conns.values() if conn.moved]
        lib.oracle.differ(f"{one.name} {way}", b"".join(conn.moved[conn.pair][way]), said[talker])
        types = records(one.capture("wire"), way)
        again = sum(pair == (DATA, HANDSHAKE) for pair in zip(types, types[1:]))
        expect(again >= 2, f"{one.name} {way}: no second and third handshake in {types}")


def early_data(test):
    """A second connection's first bytes, sent with its first flight: in neither side's events twice."""
    test.need("openssl")
    cert, key = tls.certificate(test)
    target, session = lib.address(test.host, test.free_port()), test.path("session")
    early = test.write("early", lib.noise(3000).hex() + "\n")
    server = test.start(["openssl", "s_server", "-accept", target, "-cert", cert, "-key", key,
                         "-early_data", "-no_anti_replay", "-naccept", "2"], traced=True,
                        stdin=lib.subprocess.PIPE)
    server.await_output("ACCEPT")

    def connect(traced, *more):
        # -nocommands: or a line that begins with Q would be a command.
        one = test.start(["openssl", "s_client", "-connect", target, *more], traced=traced,
                         stdin=lib.subprocess.PIPE)
        one.popen.stdin.write(b"a line of its own\n")
        one.popen.stdin.flush()
        server.await_output("a line of its own")
        # Behind the ticket.
        server.popen.stdin.write(b"an answer\n")
        server.popen.stdin.flush()
        one.await_output("an answer")
        server.seen = b""
        one.popen.stdin.write(b"Q\n")
        one.popen.stdin.close()
        expect(one.wait() == 0, f"s_client: {one.told()}")
        return one
    connect(False, "-sess_out", session)
    client = connect(True, "-sess_in", session, "-early_data", early)
    expect(server.wait() == 0, f"s_server: {server.told()}")
    with open(early, "rb") as file:
        sent = file.read() + b"a line of its own\n"
    for one, way, role in (client, "out", 0), (server, "in", 1):
        conn = [conn for _, conn in sorted(one.capture("plain").conns.items()) if conn.pair][role]
        lib.oracle.differ(f"{one.name} {way}", b"".join(conn.moved[conn.pair][way]), sent)


def dtls(test):
    """Datagrams: the plaintext is told of the UDP socket that the library was given."""
    test.need("openssl")
    cert, key = tls.certificate(test)
    target = lib.address(test.host, test.free_port())
    server = test.start(["openssl", "s_server", "-dtls", "-accept", target, "-cert", cert, "-key", key],
                        stdin=lib.subprocess.PIPE)
    server.await_output("ACCEPT")
    client = test.start(["openssl", "s_client", "-dtls", "-connect", target], traced=True,
                        stdin=lib.subprocess.PIPE)
    for one, other, line in (client, server, "asked"), (server, client, "answered"):
        one.popen.stdin.write(line.encode() + b"\n")
        one.popen.stdin.flush()
        other.await_output(line)
    client.popen.stdin.write(b"Q\n")
    client.popen.stdin.close()
    expect(client.wait() == 0, f"s_client: {client.told()}")
    lib.keep_laws(lib.laws.check, client.base)
    with open(client.capture_path, encoding="utf-8") as lines:
        told = [event for event in map(json.loads, lines)
                if event["type"] == "data" and event["layer"] == "plain"]
    expect([(event["dir"], event["text"]) for event in told] ==
           [("out", "asked\n"), ("in", "answered\n")], f"not what was said: {told}")
    expect(all(event.get("proto") == "udp" and event.get("conn") == told[0].get("conn") for event in told),
           f"not of its connection: {told}")


lib.main(server, client, files, calls, renegotiation, early_data, dtls)
