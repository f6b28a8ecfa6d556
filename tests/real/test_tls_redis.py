"""redis with TLS traced: server, command line and benchmark."""
import ssl

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
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
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
    test.check_server(lambda traced: serve_redis_tls(test, traced), drive, at_least=40,
                      clean=lib.nothing, proxy_to=lambda to: tls.Proxy(test, to))


lib.main(cli, server)
