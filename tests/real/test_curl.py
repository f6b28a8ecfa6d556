"""curl traced, against nginx."""
import lib
from lib import Proxy, expect
from oracle import read_record
from servers import serve_nginx


def start(test):
    test.need("curl")
    _, target = serve_nginx(test, False)
    proxy = Proxy(test, target)
    return proxy, f"http://{proxy.address}"


def sizes(test):
    proxy, url = start(test)
    for name in "1", "1m", "100m":
        test.check_client(proxy, ["curl", "-sS", f"{url}/{name}"])


def chunked(test):
    proxy, url = start(test)
    for name in "1", "1m":
        _, (conn,) = test.check_client(proxy, ["curl", "-sS", f"{url}/chunked/{name}"])
        head = b"".join(read_record(conn, "s2c"))[:1000]
        expect(b"\r\nTransfer-Encoding: chunked\r\n" in head, f"nginx does not chunk: {head!r}")


def keep_alive(test):
    proxy, url = start(test)
    urls = [f"{url}/{name}" for name in ["1", "1m", "chunked/1", "no-such"] * 10]
    _, proxied = test.check_client(proxy, ["curl", "-sS", *urls])
    expect(len(proxied) == 1, f"{len(proxied)} connections")


def parallel(test):
    """Many connections, and output in any order: so to files. The progress meter cannot be off."""
    proxy, url = start(test)
    argv = ["curl", "-sS", "--parallel", "--parallel-max", "20", "--parallel-immediate"]
    for number in range(40):
        argv += ["-o", test.path(f"got-{number}"), f"{url}/{'1m' if number % 8 == 0 else '1'}"]
    test.check_client(proxy, argv, at_least=2, stderr=False)


def upload(test):
    proxy, url = start(test)
    path = test.write("upload", lib.noise(5 << 20, seed=2))
    test.check_client(proxy, ["curl", "-sS", "-w", "%{http_code}", "-T", path, f"{url}/put/it"],
                      clean=lambda output: output.replace(b"201", b"204"))


def failures(test):
    """Exit statuses that are not 0: 7 is a refused connection, 22 a 404."""
    proxy, url = start(test)
    test.check_client(proxy, ["curl", "-sSf", f"{url}/no-such"], status=22)
    nobody = f"http://{test.host}:{test.free_port()}/"
    runs = [test.run(["curl", "-sS", nobody], traced=traced) for traced in (False, True)]
    expect(runs[0].status == 7, f"somebody listens: {runs[0].told()}")
    test.same(*runs, clean=without_times)
    runs[1].capture()


def without_times(output):
    return lib.re.sub(rb"after \d+ ms", b"after N ms", output)


lib.main(sizes, chunked, keep_alive, parallel, upload, failures)
