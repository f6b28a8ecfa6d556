"""A program under Valgrind, which reads its code instead of running it: breakpoints would end it."""
import json

import lib
from lib import expect
from servers import serve_nginx_tls


def valgrind(test, *options):
    test.need("valgrind", "curl")
    _, target = serve_nginx_tls(test, False)
    argv = ["valgrind", "-q", "curl", "-sk", f"https://{target}/16k"]
    native = test.run(argv)
    traced = test.run(argv, traced=True, options=options)
    expect(native.status == 0, f"valgrind cannot be used: {native.told()}")
    test.same(native, traced, stderr=False)
    with open(traced.capture_path, encoding="utf-8") as lines:
        losses = [event["reason"] for event in map(json.loads, lines)
                  if event["type"] == "loss"]
    expect(losses == ["no-plaintext"], f"lost: {losses}")


def by_stops(test):
    valgrind(test, "--engine", "stop")


def inside(test):
    valgrind(test)


lib.main(by_stops, inside)
