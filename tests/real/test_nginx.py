"""nginx traced: a master and its workers, which give up root when there is some to give up."""
import lib
from lib import Proxy, expect
from servers import serve_nginx


def serve(test):
    return lambda traced: serve_nginx(test, traced)


def curl(test):
    """The same connection for small and large ones, and then parallel connections."""
    test.need("curl")

    def drive(proxy):
        url = f"http://{proxy.address}"
        names = ["1", "1m", "sendfile/1", "sendfile/1m", "chunked/1", "chunked/1m", "no-such"]
        path = test.write("upload", lib.noise(5 << 20, seed=2))
        return [test.run(["curl", "-sS", *[f"{url}/{name}" for name in names * 4]]),
                test.run(["curl", "-sS", f"{url}/100m"]),
                test.run(["curl", "-sS", f"{url}/sendfile/100m"]),
                test.run(["curl", "-sS", "-o", test.path("reply"), "-T", path, f"{url}/put/it"]),
                *together(test, [["curl", "-sS", f"{url}/1m"]] * 20)]
    test.check_server(serve(test), drive, at_least=24)


def together(test, commands):
    clients = [test.begin(argv) for argv in commands]
    for client in clients:
        client.status = client.wait()
    return clients


def wrk(test):
    """Many requests on connections that wrk breaks off in the end."""
    test.need("wrk")
    seconds = 30 if lib.LARGE else 1

    def load(traced):
        server, target = serve_nginx(test, traced)
        proxy = Proxy(test, target)
        client = test.run(["wrk", "-t2", "-c50", f"-d{seconds}s", f"http://{proxy.address}/1"])
        expect(client.status == 0, f"wrk: {client.told()}")
        proxied = proxy.take()
        return server.stop(), server, proxied
    native, _, _ = load(False)
    status, server, proxied = load(True)
    expect(status == native, f"nginx ended with {status}, untraced with {native}")
    lib.oracle.compare(server.capture(), proxied, lib.oracle.SERVER, 50)


lib.main(curl, wrk)
