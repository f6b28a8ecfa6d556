"""dig traced, over UDP and TCP; and the server that it asks, traced."""
import os
import socket

import lib
from lib import PYTHON, Proxy, expect
from servers import serve_own

COUNT = 500 if lib.LARGE else 10
PEERS = COUNT // 2  # at least: by chance a port is used again


def serve(test, traced, host=None):
    return serve_own(test, traced, [PYTHON, os.path.join(lib.HERE, "dns_server.py")], host)


def dig(proxy, *arguments):
    return ["dig", "-r", f"@{proxy.host}", "-p", proxy.port, "+noall", "+answer", "+tries=1",
            f"+time={lib.PATIENCE}", *arguments]


def names(count):
    return [f"name{number}.test" for number in range(count)]


def check(test, proxy, *arguments, **more):
    traced, _ = test.check_client(proxy, dig(proxy, *arguments), **more)
    with open(traced.stdout, "rb") as file:
        return file.read()


def udp(test):
    test.need("dig")
    proxy = Proxy(test, serve(test, False)[1], "udp")
    expect(b"name0.test." in check(test, proxy, "name0.test"), "no answer")
    check(test, proxy, *names(COUNT), at_least=PEERS)
    answer = check(test, proxy, "+bufsize=16000", "big.test", "TXT")
    expect(answer.count(b"\n") == 40, f"not the large answer: {answer}")
    check(test, proxy, "+ignore", "+noedns", "big.test", "TXT")
    check(test, proxy, "nil.test")


def six(test):
    test.need("dig")
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        raise lib.Skip("no IPv6")
    for kind, more in ("udp", []), ("tcp", ["+tcp"]):
        proxy = Proxy(test, serve(test, False, "::1")[1], kind, host="::1")
        expect(b"name0.test." in check(test, proxy, *more, *names(3)), "no answer")


def tcp(test):
    test.need("dig")
    proxy = Proxy(test, serve(test, False)[1], "tcp")
    check(test, proxy, "+tcp", *names(COUNT), at_least=PEERS)
    check(test, proxy, "+tcp", "+keepopen", *names(COUNT))
    answer = check(test, proxy, "+tcp", "big.test", "TXT")
    expect(answer.count(b"\n") == 40, f"not the large answer: {answer}")


def server(test):
    """
    One socket that is not connected, for many peers; and TCP. One dig after the other: they set
    SO_REUSEPORT, and then two of them can have the same port and each other's answers.
    """
    test.need("dig")
    for kind, more in ("udp", ["+bufsize=16000"]), ("tcp", ["+tcp"]):
        def drive(proxy):
            return [test.run(dig(proxy, *more, *names(COUNT), "big.test", "TXT"))
                    for _ in range(5)]
        test.check_server(lambda traced: serve(test, traced), drive, kind=kind,
                          at_least=PEERS,
                          clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output))


lib.main(udp, six, tcp, server)
