"""Go's crypto/tls traced: client and server of every Go that is installed, built in several ways."""
import lib
import tls
from servers import go_builds, go_program, serve_go_tls

PATHS = ["/1", "/16384", "/1000000", "/chunked/200000", "/no-such", "/file/300000"]
COUNT = 20 if lib.LARGE else 2


def ways(number):
    """All of them in one build, each half of them in the others."""
    return tls.WAYS if lib.LARGE or not number else [tls.WAYS[1], tls.WAYS[2]]


def check_client(test, build, target, way, count, *paths):
    proxy = tls.Proxy(test, target, *way, may_leave=True)
    test.check_client(proxy, [f"{build}/client", f"https://{proxy.address}", count, *paths])


def client(test):
    for number, build in enumerate(go_builds()):
        _, target = serve_go_tls(test, build, False)
        for way in ways(number):
            check_client(test, build, target, way, COUNT, *PATHS)


def check_server(test, build, way, count, paths):
    test.need("curl")
    test.check_server(lambda traced: serve_go_tls(test, build, traced),
                      lambda proxy: tls.curls(test, proxy, paths, count), at_least=count + 1,
                      clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output),
                      proxy_to=lambda to: tls.Proxy(test, to, *way))


def server(test):
    for number, build in enumerate(go_builds()):
        for way in ways(number):
            check_server(test, build, way, 6, PATHS)


def stacks(test):
    """That move in the middle of calls, with the buffers on them."""
    _, target = serve_go_tls(test, go_builds()[0], False)
    proxy = tls.Proxy(test, target)
    test.check_client(proxy, [go_program(test, "go_stacks"), proxy.address, 10 * COUNT, 4000],
                      at_least=8, env={"GOGC": "1"})


def large_client(test):
    """What it gets it sends back."""
    build = go_builds()[0]
    _, target = serve_go_tls(test, build, False)
    for way in tls.LARGE_WAYS:
        check_client(test, build, target, way, 1, "/100000000" if lib.LARGE else "/50000000")


def large_server(test):
    tls.only_full()
    for way in tls.WAYS:
        check_server(test, go_builds()[0], way, 1, ["/100000000"])


def busy(test):
    for build in go_builds():
        tls.busy(test, lambda traced, build=build: serve_go_tls(test, build, traced), "/100",
                 clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output))


lib.main(client, server, stacks, large_client, large_server, busy)
