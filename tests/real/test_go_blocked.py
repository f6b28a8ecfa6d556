"""A Go program with goroutines in the site of all its system calls while that is patched."""
import lib
from lib import BUILT, expect

# Two rounds, four connections, 500 messages there and back.
MESSAGES = 2 * 4 * 500 * 2


def blocked(test):
    native, traced = (test.run([f"{BUILT}/go_blocked"], traced=traced, env={"GOGC": "1"})
                      for traced in (False, True))
    test.same(native, traced)
    capture = traced.capture()
    lib.expect_tapped(capture)
    for way in "out", "in":
        moved = sum(len(data) for conn in capture.conns.values() for ways in conn.moved.values()
                    for data in ways[way])
        wanted = sum(len(f"connection {i}, message {j}\n") for i in range(4) for j in range(500))
        expect(moved == 2 * 2 * wanted, f"{way}: {moved} bytes, not {4 * wanted}")


lib.main(blocked)
