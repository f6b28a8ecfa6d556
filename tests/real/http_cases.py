"""The Go and node programs here are alike, and so are their tests."""
import concurrent.futures
import http.client

import lib
from lib import Proxy, expect

PATHS = ["/1", "/16384", "/1000000", "/chunked/1", "/chunked/200000", "/no-such", "/file/300000"]
COUNT = 100 if lib.LARGE else 3


def talk(proxy, number):
    """One connection that is kept; returns what was answered."""
    conn = http.client.HTTPConnection(proxy.host, proxy.port, timeout=lib.PATIENCE)
    answers = []
    for turn in range(COUNT):
        for path in PATHS:
            conn.request("GET", path)
            answers.append(conn.getresponse().read())
        body = lib.noise(1000 * number, seed=turn)
        conn.request("POST", "/echo", body)
        expect(conn.getresponse().read() == body, "not the echo")
    conn.close()
    return answers


def check_server(test, serve, tapped=False):
    seen = []

    def drive(proxy):
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            seen.append([*pool.map(lambda number: talk(proxy, number), range(20))])
        return []
    test.check_server(lambda traced: serve(test, traced), drive, at_least=20, tapped=tapped,
                      clean=lambda output: lib.re.sub(rb"on \d+", b"on N", output))
    native, traced = seen
    expect(native == traced, "the answers differ from those of the untraced server")
    sizes = [len(answer) for answer in traced[0][:5]]
    expect(sizes == [1, 16384, 1000000, 1, 200000], f"not the answers: {sizes}")


def check_client(test, serve, argv):
    _, target = serve(test, False)
    proxy = Proxy(test, target)
    test.check_client(proxy, [*argv, f"http://{proxy.address}", COUNT, *PATHS], at_least=2)
