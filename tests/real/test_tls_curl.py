"""curl traced, over TLS: OpenSSL with BIOs of curl's own."""
import lib
import tls
from servers import serve_nginx_tls


def start(test, protocols=("http/1.1",), version=None):
    test.need("curl")
    _, target = serve_nginx_tls(test, False)
    proxy = tls.Proxy(test, target, protocols, version)
    return proxy, ["curl", "-sSk"], f"https://{proxy.address}"


def fetch(test, ways, names):
    for protocols, version in ways:
        proxy, argv, url = start(test, protocols, version)
        test.check_client(proxy, [*argv, *[f"{url}/{name}" for name in names]])


def sizes(test):
    fetch(test, tls.WAYS, ["1", "16k", "1m", "no-such"])


def large(test):
    fetch(test, tls.LARGE_WAYS, ["100m"])


def parallel(test):
    proxy, argv, url = start(test)
    argv += ["--parallel", "--parallel-max", "20", "--parallel-immediate", "--http1.1"]
    for number in range(40):
        argv += ["-o", test.path(f"got-{number}"), f"{url}/{'1m' if number % 8 == 0 else '16k'}"]
    test.check_client(proxy, argv, at_least=2, stderr=False)


def upload(test):
    proxy, argv, url = start(test)
    path = test.write("upload", lib.noise(5 << 20, seed=2))
    test.check_client(proxy, [*argv, "-w", "%{http_code}", "-T", path, f"{url}/put/it"],
                      clean=lambda output: output.replace(b"201", b"204"))


lib.main(sizes, large, parallel, upload)
