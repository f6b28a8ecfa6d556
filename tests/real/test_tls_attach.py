"""Attaching to servers with TLS and open connections: plaintext from the next call on, no traces left."""
import lib
from attach import Attached, Client, Load, check_left, own_code, pids_of
from lib import SCALE, expect
from servers import go_builds, serve_go_tls, serve_nginx_tls

CYCLES = 100 if SCALE >= 100 else 10
CLIENTS = 5


def check_attached(test, server, target, paths):
    """All that goes over connections that were there before, on which nothing moves at that moment."""
    clients = [Client(target) for _ in range(CLIENTS)]
    for client in clients:
        client.get(paths[0])
    pids = pids_of(server)
    before = {pid: own_code(pid) for pid in pids}
    attached = Attached(test, pids, f"attached-{server.name}")
    for client in clients:
        client.forget()
        for path in paths:
            client.get(path)
    talked = {client.local: (bytes(client.sent), bytes(client.received)) for client in clients}
    # Of the last calls before the detaching the ends can be missing.
    for client in clients:
        client.get(paths[0])
    said = attached.detach()
    for client in clients:
        client.get(paths[0])
        client.close()
    for pid in pids:
        check_left(pid, before[pid])
    expect("cannot" not in said, f"iotrace says: {said}")
    conns = {conn.pair[1]: conn for conn in attached.capture().conns.values() if conn.pair}
    for local, both in talked.items():
        expect(local in conns, f"{local} is not in the capture: {sorted(conns)}")
        moved = conns[local].moved[conns[local].pair]
        for way, wanted in zip(("in", "out"), both):
            lib.oracle.differ(f"{local} {way}", b"".join(moved[way])[:len(wanted)], wanted,
                              ("seen", "moved"))


def go(test):
    for build in go_builds():
        server, target = serve_go_tls(test, build, False)
        check_attached(test, server, target, ["/1", "/16384", "/300000", "/1"])
        expect(server.stop() == 0, f"the server failed: {server.told()}")


def nginx(test):
    server, target = serve_nginx_tls(test, False)
    check_attached(test, server, target, ["/1", "/16k", "/1m", "/1"])
    expect(server.stop() == 0, f"nginx failed: {server.told()}")


def cycles(test, server, target, *paths):
    load = Load(target, *paths)
    pids = pids_of(server)
    before = {pid: own_code(pid) for pid in pids}
    for turn in range(CYCLES):
        expect(load.await_rounds(5), f"after {turn} cycles: {load.failures}")
        attached = Attached(test, pids, f"cycle-{server.name}-{turn}")
        expect(load.await_rounds(20), f"in cycle {turn}: {load.failures} {attached.process.told()}")
        said = attached.detach()
        for pid in pids:
            check_left(pid, before[pid])
        capture = attached.capture()
        moved = capture.events[-1]["bytes"]["plain"]
        expect(moved["in"] and moved["out"], f"cycle {turn} has seen {moved}: {said}")
        load.check_talks(capture)
    failures = load.stop()
    expect(not failures, f"clients failed: {failures}")


def go_cycles(test):
    server, target = serve_go_tls(test, go_builds()[0], False)
    cycles(test, server, target, "/16384", "/16385", "/16386", "/16387")
    expect(server.stop() == 0, f"the server failed: {server.told()}")


def nginx_cycles(test):
    server, target = serve_nginx_tls(test, False)
    cycles(test, server, target, "/16k", "/1")
    expect(server.stop() == 0, f"nginx failed: {server.told()}")


if __name__ == "__main__":
    lib.main(go, nginx, go_cycles, nginx_cycles)
