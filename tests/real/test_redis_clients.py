"""redis-cli and redis-benchmark traced."""
import lib
from lib import Proxy
from servers import serve_redis

REQUESTS, PIPED = (30000, 100000) if lib.LARGE else (1000, 10000)


def start(test, program):
    test.need(program)
    _, target = serve_redis(test, False)
    proxy = Proxy(test, target)
    return proxy, [program, "-h", proxy.host, "-p", proxy.port]


def cli(test):
    """One command, many from standard input, a binary value, an error."""
    proxy, argv = start(test, "redis-cli")
    test.check_client(proxy, [*argv, "ping"])
    test.check_client(proxy, [*argv, "-e", "no-such-command"], status=1)
    lines = "".join(f"set key{n} value{n}\nget key{n}\nstrlen key{n}\n" for n in range(200))
    test.check_client(proxy, argv, stdin=test.write("commands", lines))
    test.check_client(proxy, [*argv, "-x", "set", "binary"],
                      stdin=test.write("binary", lib.noise(1 << 20)))
    test.check_client(proxy, [*argv, "--raw", "get", "binary"])


def pipe(test):
    """The protocol as it is: many commands without waiting for answers."""
    proxy, argv = start(test, "redis-cli")
    commands = b"".join(b"*3\r\n$3\r\nSET\r\n$6\r\n%06d\r\n$10\r\n%010d\r\n" % (n, n)
                        for n in range(PIPED))
    test.check_client(proxy, [*argv, "--pipe"], stdin=test.write("pipe", commands))


def benchmark(test):
    proxy, argv = start(test, "redis-benchmark")
    for more in ["-t", "ping,set,get,incr", "-n", REQUESTS], ["-t", "set,get", "-P", "16",
                                                              "-n", REQUESTS, "--threads", "2"]:
        test.check_client(proxy, [*argv, "--csv", "-c", "20", *more], at_least=40,
                          clean=without_speeds)


def without_speeds(output):
    return lib.re.sub(rb'"[0-9.]+"', b"N", output)


lib.main(cli, pipe, benchmark)
