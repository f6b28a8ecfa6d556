"""node's https and http2 traced: its own OpenSSL, on memory BIOs."""
import os
import ssl

import lib
import tls
from http_cases import COUNT, PATHS
from servers import serve_own

WAYS = (("http/1.1",), None), (("http/1.1",), ssl.TLSVersion.TLSv1_2), (("h2",), None)


def serve(test, traced):
    test.need("node")
    return serve_own(test, traced, ["node", os.path.join(lib.HERE, "node_server.js")],
                     more=tls.certificate(test))


def client(test):
    _, target = serve(test, False)
    for protocols, version in WAYS[:2]:
        proxy = tls.Proxy(test, target, protocols, version)
        test.check_client(proxy, ["node", os.path.join(lib.HERE, "node_client.js"),
                                  f"https://{proxy.address}", COUNT, *PATHS[:6]], stderr=False)


def server(test):
    test.need("curl")
    for protocols, version in WAYS:
        def drive(proxy):
            return tls.curls(test, proxy, PATHS, 10)
        test.check_server(lambda traced: serve(test, traced), drive, at_least=11,
                          clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output),
                          proxy_to=lambda to: tls.Proxy(test, to, protocols, version))


lib.main(client, server)
