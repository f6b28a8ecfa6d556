"""Plaintext of a Go program's TLS connections that are closed while it writes to them."""
import lib
from lib import expect
from servers import go_program

LINES = b"".join(b"line %d\n" % i for i in range(1, 21))


def closed(test, *options):
    argv = [go_program(test, "go_closed")]
    native = test.run(argv)
    traced = test.run(argv, traced=True, options=options)
    test.same(native, traced)
    capture = traced.capture("plain")
    sent = [b"".join(ways["out"]) for conn in capture.conns.values()
            for ways in conn.moved.values() if ways["out"]]
    expect(sent == [LINES] * 16, f"sent: {sent}")
    over = set()
    for event in capture.events:
        expect(event.get("conn") not in over, f"behind its connection's end: {event}")
        if event["type"] == "socket" and event["event"] == "close":
            over.add(event["conn"])
    expect(len(over) == 33, f"{len(over)} sockets were closed")


def by_stops(test):
    closed(test, "--engine", "stop")


def inside(test):
    closed(test, "--engine", "tap")


lib.main(by_stops, inside)
