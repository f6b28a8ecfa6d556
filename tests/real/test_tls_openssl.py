"""openssl s_client and s_server traced."""
import ssl

import lib
import tls
from lib import expect

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


def client(test):
    """-quit after its standard input's end would lose answers, so the server ends: HTTP/1.0."""
    from servers import serve_nginx_tls
    test.need("openssl")
    _, target = serve_nginx_tls(test, False)
    for version in VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        for name in "1", "16k", "1m":
            stdin = test.write("request", f"GET /{name} HTTP/1.0\r\n\r\n")
            test.check_client(proxy, ["openssl", "s_client", "-quiet", "-ign_eof", "-connect",
                                      proxy.address], stdin=stdin)


lib.main(server, client)
