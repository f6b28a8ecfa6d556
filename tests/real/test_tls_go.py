"""Go's crypto/tls traced: client and server of every Go that is installed, built in several ways."""
import glob
import os
import ssl

import lib
import tls
from lib import BUILT, Skip, expect
from servers import serve_own

PATHS = ["/1", "/16384", "/1000000", "/chunked/200000", "/no-such", "/file/300000"]
COUNT = 20 if lib.LARGE else 2


def builds():
    found = sorted(glob.glob(f"{BUILT}/go_tls/*/client"))
    if not found:
        raise Skip("they were built without go")
    return [os.path.dirname(path) for path in found]


def serve(test, build, traced):
    cert, key = tls.certificate(test)
    return serve_own(test, traced, [f"{build}/server"], more=[cert, key])


def ways():
    return [(("h2",), None), (("http/1.1",), ssl.TLSVersion.TLSv1_2)]


def client(test):
    for build in builds():
        _, target = serve(test, build, False)
        for protocols, version in ways():
            proxy = tls.Proxy(test, target, protocols, version)
            test.check_client(proxy, [f"{build}/client", f"https://{proxy.address}", COUNT,
                                      *PATHS])


def server(test):
    test.need("curl")
    for build in builds():
        for protocols, version in ways():
            def drive(proxy):
                url = f"https://{proxy.address}"
                path = test.write("upload", lib.noise(300000, seed=2))
                clients = [test.begin(["curl", "-sSk", *[url + name for name in PATHS]])
                           for _ in range(6)]
                clients.append(test.begin(["curl", "-sSk", "--data-binary", f"@{path}",
                                           f"{url}/echo"]))
                for one in clients:
                    one.status = one.wait()
                    expect(one.status == 0, f"curl: {one.told()}")
                return clients
            test.check_server(lambda traced: serve(test, build, traced), drive, at_least=7,
                              clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output),
                              proxy_to=lambda to: tls.Proxy(test, to, protocols, version))


def large(test):
    build = builds()[0]
    _, target = serve(test, build, False)
    proxy = tls.Proxy(test, target)
    test.check_client(proxy, [f"{build}/client", f"https://{proxy.address}", 1, "/50000000"])


lib.main(client, server, large)
