"""nginx with TLS traced."""
import lib
import tls
from lib import expect
from servers import serve_nginx_tls

CLIENTS = 100


def serve(test):
    return lambda traced: serve_nginx_tls(test, traced)


def curl(test, ways, names):
    test.need("curl")

    def drive(proxy):
        url = f"https://{proxy.address}"
        path = test.write("upload", lib.noise(5 << 20, seed=2))
        return [test.run(["curl", "-sSk", *[f"{url}/{name}" for name in names]]),
                test.run(["curl", "-sSk", "-o", test.path("reply"), "-T", path, f"{url}/put/it"])]
    for way in ways:
        test.check_server(serve(test), drive, at_least=2,
                          proxy_to=lambda to: tls.Proxy(test, to, *way))


def sizes(test):
    curl(test, tls.WAYS, ["1", "16k", "1m", "sendfile/1m", "no-such"])


def large(test):
    curl(test, tls.LARGE_WAYS, ["100m"])


def together(test):
    """Many clients at the same time, each with connections of its own."""
    test.need("curl")

    def drive(proxy):
        url = f"https://{proxy.address}"
        clients = [test.begin(["curl", "-sSk", f"{url}/1", f"{url}/16k", f"{url}/1"])
                   for _ in range(CLIENTS)]
        for client in clients:
            client.status = client.wait()
            expect(client.status == 0, f"curl: {client.told()}")
        return clients
    test.check_server(serve(test), drive, at_least=CLIENTS,
                      proxy_to=lambda to: tls.Proxy(test, to))


def busy(test):
    tls.busy(test, serve(test), "/1")


lib.main(sizes, large, together, busy)
