"""Go's crypto/tls traced: client and server of every Go that is installed, built in several ways."""
import ssl

import lib
import tls
from servers import go_builds, go_program, serve_go_tls

PATHS = ["/1", "/16384", "/1000000", "/chunked/200000", "/no-such", "/file/300000"]
COUNT = 20 if lib.LARGE else 2


def ways():
    return [(("h2",), None), (("http/1.1",), ssl.TLSVersion.TLSv1_2)]


def client(test):
    for build in go_builds():
        _, target = serve_go_tls(test, build, False)
        for protocols, version in ways():
            proxy = tls.Proxy(test, target, protocols, version, may_leave=True)
            test.check_client(proxy, [f"{build}/client", f"https://{proxy.address}", COUNT,
                                      *PATHS])


def server(test):
    test.need("curl")
    for build in go_builds():
        for protocols, version in ways():
            def drive(proxy):
                return tls.curls(test, proxy, PATHS, 6)
            test.check_server(lambda traced: serve_go_tls(test, build, traced), drive, at_least=7,
                              clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output),
                              proxy_to=lambda to: tls.Proxy(test, to, protocols, version))


def stacks(test):
    """That move in the middle of calls, with the buffers on them."""
    _, target = serve_go_tls(test, go_builds()[0], False)
    proxy = tls.Proxy(test, target)
    test.check_client(proxy, [go_program(test, "go_stacks"), proxy.address, 10 * COUNT, 4000],
                      at_least=8, env={"GOGC": "1"})


def large(test):
    build = go_builds()[0]
    _, target = serve_go_tls(test, build, False)
    proxy = tls.Proxy(test, target, may_leave=True)
    test.check_client(proxy, [f"{build}/client", f"https://{proxy.address}", 1, "/50000000"])


lib.main(client, server, stacks, large)
