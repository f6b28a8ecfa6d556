"""node's https and http2 traced: its own OpenSSL, on memory BIOs."""
import os

import lib
import tls
from http_cases import COUNT, PATHS
from servers import serve_own


def serve(test, traced):
    test.need("node")
    return serve_own(test, traced, ["node", os.path.join(lib.HERE, "node_server.js")],
                     more=tls.certificate(test))


def client(test):
    _, target = serve(test, False)
    # https, and fetch of undici, speak HTTP/1.1 alone.
    for version in tls.VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        test.check_client(proxy, argv(proxy, COUNT, *PATHS[:6]), stderr=False)


def argv(proxy, count, *paths):
    return ["node", os.path.join(lib.HERE, "node_client.js"), f"https://{proxy.address}", count,
            *paths]


def check_server(test, ways, paths, count):
    test.need("curl")

    def drive(proxy):
        return tls.curls(test, proxy, paths, count)
    for way in ways:
        test.check_server(lambda traced: serve(test, traced), drive, at_least=count + 1,
                          clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output),
                          proxy_to=lambda to: tls.Proxy(test, to, *way))


def server(test):
    check_server(test, tls.WAYS, PATHS, 10)


def large_client(test):
    tls.only_full()
    _, target = serve(test, False)
    for version in tls.VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        test.check_client(proxy, argv(proxy, 1, "/100000000"), stderr=False)


def large_server(test):
    tls.only_full()
    check_server(test, tls.WAYS, ["/100000000"], 1)


lib.main(client, server, large_client, large_server)
