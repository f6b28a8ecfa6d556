"""openssl s_client and s_server traced."""
import ssl

import lib
import tls
from lib import expect
from servers import serve_nginx_tls

VERSIONS = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


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
            for line in b"a", b"some line", b"x" * 16000, "ä".encode() * 100:
                conn.sendall(line + b"\n")
                answer = b""
                while not answer.endswith(b"\n"):
                    answer += conn.recv(1 << 16)
                expect(answer == line[::-1] + b"\n", f"not the line in reverse: {answer[:100]}")


def server(test):
    for version in VERSIONS:
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
    for version in VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        for name in "1", "16k", "1m":
            stdin = test.write("request", f"GET /{name} HTTP/1.0\r\n\r\n")
            test.check_client(proxy, ["openssl", "s_client", "-quiet", "-ign_eof", "-connect",
                                      proxy.address], stdin=stdin, clean=without_date)


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


lib.main(server, client, early_data)
