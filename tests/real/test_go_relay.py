"""A Go program traced that passes connections on by splice: bytes that it never has in memory."""
import concurrent.futures

import lib
import oracle
from http_cases import talk
from lib import Proxy, expect
from servers import go_program, serve_go, serve_own


def relay(test):
    """A proxy on either side of it."""
    program = go_program(test, "go_relay")
    _, target = serve_go(test, False)
    behind = Proxy(test, target)
    server, address = serve_own(test, True, [program, behind.address])
    before = Proxy(test, address)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = [*pool.map(lambda number: talk(before, number), range(10))]
    expect(all(each == answers[0] for each in answers), "not the same answers")
    seen_before, seen_behind = before.take(), behind.take()
    expect(server.stop() == 0, f"the relay failed: {server.told()}")
    capture = server.capture()
    oracle.compare(capture, seen_before, oracle.SERVER, 10)
    oracle.compare(capture, seen_behind, oracle.CLIENT, 10)


lib.main(relay)
