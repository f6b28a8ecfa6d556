"""redis with TLS traced: server, command line and benchmark."""
import lib
import tls
from lib import expect
from servers import serve_redis_tls

OPTIONS = ["--tls", "--insecure"]


def to(proxy, program):
    return [program, "-h", proxy.host, "-p", proxy.port, *OPTIONS]


def cli(test):
    test.need("redis-cli")
    _, target = serve_redis_tls(test, False)
    for version in tls.VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        lines = "".join(f"set key{n} value{n}\nget key{n}\n" for n in range(100))
        test.check_client(proxy, to(proxy, "redis-cli"), stdin=test.write("commands", lines))
        test.check_client(proxy, [*to(proxy, "redis-cli"), "-x", "set", "binary"],
                          stdin=test.write("binary", lib.noise(1 << 20)))
        test.check_client(proxy, [*to(proxy, "redis-cli"), "--raw", "get", "binary"])


def server(test):
    test.need("redis-benchmark")

    def drive(proxy):
        for more in [["-t", "ping,set,get", "-d", "100"], ["-t", "set,get", "-P", "16"],
                     ["-t", "set,get", "-n", "20", "-c", "4", "-d", "1000000"]]:
            client = test.run([*to(proxy, "redis-benchmark"), "--csv", "-c", "20", "-n", 1000,
                               *more])
            expect(client.status == 0, f"redis-benchmark: {client.told()}")
        return []
    for version in tls.VERSIONS:
        test.check_server(lambda traced: serve_redis_tls(test, traced), drive, at_least=40,
                          clean=lib.nothing, proxy_to=lambda to: tls.Proxy(test, to, version=version))


SIZES = [1, 1 << 14, *[100_000_000] * lib.LARGE]


def values(test):
    """Of several sizes, there and back, with both ends traced in turn."""
    test.need("redis-cli")

    def drive(proxy):
        clients = []
        for size in SIZES:
            with open(test.write("value", lib.noise(size)), "rb") as stdin:
                clients.append(test.run([*to(proxy, "redis-cli"), "-x", "set", "value"], stdin=stdin))
            clients.append(test.run([*to(proxy, "redis-cli"), "--raw", "get", "value"]))
        return clients
    for version in tls.VERSIONS:
        test.check_server(lambda traced: serve_redis_tls(test, traced), drive,
                          at_least=2 * len(SIZES), clean=lib.nothing,
                          proxy_to=lambda to: tls.Proxy(test, to, version=version))
        _, target = serve_redis_tls(test, False)
        for size in SIZES:
            proxy, value = tls.Proxy(test, target, version=version), test.write("value", lib.noise(size))
            test.check_client(proxy, [*to(proxy, "redis-cli"), "-x", "set", "value"], stdin=value)
            test.check_client(proxy, [*to(proxy, "redis-cli"), "--raw", "get", "value"])


lib.main(cli, server, values)
