"""nginx with TLS traced."""
import ssl

import lib
import tls
from lib import expect
from servers import serve_nginx_tls

CLIENTS = 100


def serve(test):
    return lambda traced: serve_nginx_tls(test, traced)


def curl(test, *protocols, version=None, names=("1", "16k", "1m", "sendfile/1m", "no-such")):
    test.need("curl")

    def drive(proxy):
        url = f"https://{proxy.address}"
        path = test.write("upload", lib.noise(5 << 20, seed=2))
        return [test.run(["curl", "-sSk", *[f"{url}/{name}" for name in names]]),
                test.run(["curl", "-sSk", "-o", test.path("reply"), "-T", path, f"{url}/put/it"])]
    test.check_server(serve(test), drive, at_least=2,
                      proxy_to=lambda to: tls.Proxy(test, to, protocols or ("http/1.1",), version))


def http_1(test):
    curl(test)


def http_2(test):
    curl(test, "h2")


def tls_1_2(test):
    curl(test, version=ssl.TLSVersion.TLSv1_2)


def large(test):
    curl(test, names=["100m"])


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


lib.main(http_1, http_2, tls_1_2, large, together)
