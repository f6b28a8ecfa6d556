"""redis-server traced: 20 clients at once, pipelines, and large values."""
import lib
from servers import serve_redis

REQUESTS = 30000 if lib.LARGE else 2000


def benchmark(test):
    """What it prints are speeds; it fails where an answer is wrong."""
    test.need("redis-benchmark")

    def drive(proxy):
        for more in [["-t", "ping,set,get,incr,lpush,lrange_100,mset", "-d", "100"],
                     ["-t", "set,get", "-P", "16", "-d", "1000"],
                     ["-t", "set,get", "-n", "40", "-c", "4", "-d", "1000000"]]:
            client = test.run(["redis-benchmark", "-h", proxy.host, "-p", proxy.port, "--csv",
                               "-c", "20", "-n", REQUESTS, *more])
            lib.expect(client.status == 0, f"redis-benchmark: {client.told()}")
        return []
    test.check_server(lambda traced: serve_redis(test, traced), drive, at_least=60,
                      clean=lib.nothing, tapped=True)


lib.main(benchmark)
