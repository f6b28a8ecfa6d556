"""
Attaching to programs at work and letting them go, again and again: no client notices, and connections
that were wholly inside a trace are complete.
"""
import re
import resource
import signal

import lib
import oracle
from attach import Attached, Client, Load, check_left, own_code, pids_of, tasks_of, tracer_of
from lib import BUILT, HERE, PYTHON, SCALE, Proxy, expect
from servers import (go_builds, postgres_program, serve_go, serve_nginx, serve_node, serve_own, serve_postgres,
                     serve_redis)

CYCLES = 200 if SCALE >= 100 else 3 if lib.SANITIZED else 10


class Program:
    """A load that is a program of its own, on connections of its own."""

    def __init__(self, test, argv, bad=r"[Ee]rror|Non-2xx", **more):
        self.process, self.bad = test.begin(argv, **more), bad

    def await_rounds(self, _):
        return not self.process.ended(0)

    @property
    def failures(self):
        said = self.process.told()
        return [said] if self.process.ended(0) or re.search(self.bad, said) else []

    def stop(self):
        failures = self.failures
        if not failures:
            self.process.stop(signal.SIGINT)
            said = self.process.told()
            failures = [said] if re.search(self.bad, said) else []
        return failures


def cycles(test, server, target, load, inside, pids=None, jit=False):
    """inside(proxy): talks on connections that begin and end while iotrace is attached."""
    proxy = Proxy(test, target)
    pids = pids or pids_of(server)
    before = {pid: own_code(pid) for pid in pids}
    for turn in range(CYCLES):
        expect(load.await_rounds(5), f"after {turn} cycles: {load.failures}")
        attached = Attached(test, pids, f"cycle-{turn}")
        inside(proxy)
        proxied = proxy.take()
        expect(load.await_rounds(1), f"in cycle {turn}: {load.failures}")
        said = attached.detach()
        check_gone(pids, before, jit)
        expect("cannot" not in said, f"cycle {turn}: iotrace says: {said}")
        oracle.compare(attached.capture("wire"), proxied, oracle.SERVER)
        lib.os.unlink(attached.path)
        lib.os.unlink(attached.base + ".iot")
    failures = load.stop()
    expect(not failures, f"clients failed: {failures}")
    expect(not server.ended(0), f"the server has ended: {server.told()}")


def check_gone(pids, before, jit):
    for pid in pids:
        tasks = tasks_of(pid)
        expect(tasks, f"{pid} has ended")
        for task in tasks:
            expect(tracer_of(task) in (0, 1), f"{task} of {pid} is traced still")
        if not jit:
            check_left(pid, before[pid])


def get(*paths):
    def inside(proxy):
        client = Client(proxy.address, tls=False)
        for path in paths:
            client.get(path)
        client.close()
    return inside


def finish(server, status=0, number=signal.SIGTERM):
    ended = server.stop(number)
    expect(ended == status, f"the server ended with {ended}: {server.told()}")


def nginx(test):
    test.need("wrk")
    server, target = serve_nginx(test, False)
    load = Program(test, ["wrk", "-t1", "-c8", "-d10000s", f"http://{target}/16k"])
    cycles(test, server, target, load, get("/1", "/16k", "/sendfile/1m", "/1"))
    finish(server)


def redis(test):
    test.need("redis-benchmark", "redis-cli")
    server, target = serve_redis(test, False)
    host, port = target.split(":")
    load = Program(test, ["redis-benchmark", "-h", host, "-p", port, "-l", "-q", "-c", "10",
                          "-t", "set,get,lrange_100"])

    def inside(proxy):
        client = test.run(["redis-cli", "-h", proxy.host, "-p", proxy.port, "eval",
                           "return string.rep('x', 100000)", "0"])
        expect(client.status == 0, f"redis-cli: {client.told()}")
    cycles(test, server, target, load, inside)
    finish(server)


def go(test):
    """A thousand goroutines, each with a connection that it waits on: more than users may have open."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server, target = serve_go(test, False)
    load = Load(target, "/100", count=4, tls=False, each=250)
    expect(load.await_rounds(1000), f"at the beginning: {load.failures}")
    cycles(test, server, target, load, get("/1", "/300000", "/file/100000"))
    finish(server)


def go_linked(test):
    """Linked by C's linker: the tables of functions are of C's alone."""
    for build in [path for path in go_builds() if path.endswith("-linked")]:
        server, target = serve_own(test, False, [f"{build}/server"])
        load = Load(target, "/100", tls=False)
        cycles(test, server, target, load, get("/1", "/300000"))
        finish(server)


def node(test):
    server, target = serve_node(test, False)
    load = Load(target, "/5000", tls=False)
    cycles(test, server, target, load, get("/1", "/300000"), jit=True)
    finish(server)


def postgres(test):
    server, target = serve_postgres(test, False, ["-c", "autovacuum=off"])
    host, port = target.split(":")
    own = len(pids_of(server))
    script = test.write("bench", "\\set n random(1, 1000)\nselect repeat('x', :n), :n;\n")
    load = Program(test, [postgres_program("pgbench"), "-h", host, "-p", port, "-U", "tester", "-n",
                          "-f", script, "-c", "4", "-T", "10000", "postgres"],
                   r"(?i)error|fatal|abort|failed", cwd="/")
    while len(pids_of(server)) < own + 4:
        expect(load.await_rounds(1), f"pgbench: {load.failures}")

    def inside(proxy):
        client = test.run([postgres_program("psql"), "-X", "-h", proxy.host, "-p", proxy.port,
                           "-U", "tester", "-c", "select md5(i::text) from generate_series(1, 1000) i",
                           "postgres"], cwd="/")
        expect(client.status == 0, f"psql: {client.told()}")
    cycles(test, server, target, load, inside)
    finish(server, number=signal.SIGINT)


def asyncio(test):
    server, target = serve_own(test, False, [PYTHON, "-B", f"{HERE}/asyncio_server.py"])
    load = Load(target, "/5000", tls=False)
    cycles(test, server, target, load, get("/1", "/300000"))
    finish(server)


def storm(test):
    server, target = serve_own(test, False, [f"{BUILT}/storm_server"])
    load = Load(target, "/5000", tls=False)
    cycles(test, server, target, load, get("/1", "/300000"))
    finish(server)


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def await_state(pid, *states):
    until = lib.time.monotonic() + lib.PATIENCE
    while state_of(pid) not in states:
        expect(lib.time.monotonic() < until, f"{pid} is in state {state_of(pid)}, not {states}")
        lib.time.sleep(0.001)


def stopped(test):
    """It stays stopped, whatever comes and goes; what comes to it meanwhile is there afterwards."""
    server, target = serve_own(test, False, [PYTHON, "-B", f"{HERE}/asyncio_server.py"])
    pid = server.popen.pid
    proxy = Proxy(test, target)
    client = Client(target, tls=False)
    client.get("/1")
    before = own_code(pid)
    for turn in range(CYCLES):
        server.popen.send_signal(signal.SIGSTOP)
        await_state(pid, "T")
        attached = Attached(test, [pid], f"stopped-{turn}")
        await_state(pid, "T", "t")
        proxied = []
        if turn % 2:
            server.popen.send_signal(signal.SIGCONT)
            get("/1", "/5000")(proxy)
            proxied = proxy.take()
            server.popen.send_signal(signal.SIGSTOP)
            await_state(pid, "T", "t")
        said = attached.detach()
        await_state(pid, "T")
        expect(tracer_of(pid) == 0 and "cannot" not in said, f"cycle {turn}: {said}")
        check_left(pid, before)
        expect(state_of(pid) == "T", "it runs")
        oracle.compare(attached.capture("wire"), proxied, oracle.SERVER, len(proxied))
        server.popen.send_signal(signal.SIGCONT)
        expect(client.get("/10") == b"0123456789", "not the answer")
    client.close()
    finish(server)


# Large, so that it is often met in fork; with a library that is probed. A child too many is nobody's.
FORKS = """
import os, ssl
memory = bytearray(100_000_000)
print("begins", flush=True)
while True:
    child = os.fork()
    if not child:
        os._exit(0)
    assert os.waitpid(-1, 0) == (child, 0)
"""

# What a stop interrupts, and is not made again by the kernel (signal(7)); Python's own would do that.
BLOCKS = """
import ctypes, select
libc = ctypes.CDLL(None, use_errno=True)
poll, event = select.epoll(), ctypes.create_string_buffer(64)
while True:
    result = libc.epoll_wait(poll.fileno(), event, 1, 100)
    print("error" if result else "round", ctypes.get_errno(), flush=True)
"""


# Threads that end while they are let go; the main one stays.
THREADS = """
import socket, ssl, threading
def talk(one, other):
    one.sendall(b"hello")
    assert other.recv(5) == b"hello"
def make():
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    while True:
        threads = [threading.Thread(target=talk, args=ends) for ends in ((one, other), (other, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
for _ in range(3):
    threading.Thread(target=make).start()
print("begins", flush=True)
"""


def unnoticed(test, script, turns, pause):
    """It goes on as it does alone, wherever it is when it is let go."""
    process = test.start([PYTHON, "-u", "-c", script])
    process.await_output(r"begins|round")
    pid = process.popen.pid
    before = own_code(pid)
    for turn in range(turns):
        attached = Attached(test, [pid], f"unnoticed-{turn}")
        lib.time.sleep(pause * (turn + 1) / turns)  # any moment
        attached.detach()
        lib.time.sleep(pause / 10)
        expect(not process.ended(0), f"it has ended: {process.told()}")
        expect(tracer_of(pid) == 0, "it is traced still")
        check_left(pid, before)
    expect("error" not in process.told(), process.told()[-300:])
    process.stop(signal.SIGKILL)


def forks(test):
    unnoticed(test, FORKS, 2 * CYCLES, 0.2)


def blocks(test):
    unnoticed(test, BLOCKS, min(CYCLES, 20), 0.5)


def threads(test):
    unnoticed(test, THREADS, 2 * CYCLES, 0.2)


if __name__ == "__main__":
    lib.main(nginx, redis, go, go_linked, node, postgres, asyncio, stopped, storm, forks, blocks,
             threads)
