"""iotrace killed by SIGKILL at random moments of attaching, tracing and letting go: the program goes on."""
import random
import signal
import time

import lib
from attach import Load, check_code, pids_of, tasks_of, tracer_of
from lib import BUILT, HERE, IOTRACE, PYTHON, SCALE, expect
from servers import serve_go, serve_nginx, serve_node, serve_own, serve_redis
from test_attach import Program

TIMES = 170 if SCALE >= 100 else 9  # for each of six programs
PHASES = ["attach", "trace", "detach"]
ATTACHING = 0.06  # seconds that an attach takes here at most, or much longer than it takes


def is_free(pid):
    """Nobody traces a thread of it, and none was left in a stop."""
    return all(tracer_of(task) in (0, 1) for task in tasks_of(pid))


def await_free(pids):
    until = time.monotonic() + lib.PATIENCE
    while not all(map(is_free, pids)):
        expect(time.monotonic() < until, "it is traced by somebody still")
        time.sleep(0.001)


def kill_once(test, pids, chance, phase, name):
    """True if it was killed; else it had ended."""
    tracer = test.begin([IOTRACE, "-o", f"{test.path(name)}.jsonl", "-p", ",".join(map(str, pids))])
    if phase != "attach":
        while not all(tracer_of(task) for pid in pids for task in tasks_of(pid)):
            expect(not tracer.ended(0), f"iotrace has ended: {tracer.told()}")
            time.sleep(0.001)
    if phase == "detach":
        tracer.popen.send_signal(signal.SIGINT)
    # No event to wait for: the moment is to be any.
    time.sleep(chance.random() * {"attach": ATTACHING, "trace": 0.02, "detach": 0.003}[phase])
    tracer.popen.kill()
    return tracer.wait() == 137


def kill_often(test, server, load):
    chance, pids = random.Random(server.name), pids_of(server)
    killed = dict.fromkeys(PHASES, 0)
    for turn in range(TIMES):
        phase = PHASES[turn % 3]
        expect(load.await_rounds(2), f"after {turn} times: {load.failures}")
        killed[phase] += kill_once(test, pids, chance, phase, f"killed-{turn}")
        await_free(pids)
        expect(load.await_rounds(3), f"{phase}, time {turn}: {load.failures} {server.told()}")
        expect(pids_of(server) == pids, f"{phase}, time {turn}: a process is gone or another")
        check_again(pids)
    failures = load.stop()
    expect(not failures, f"clients failed: {failures}")
    expect(killed["attach"] and killed["trace"], f"it always ended before: {killed}")
    print("killed at", ", ".join(f"{phase} {count}" for phase, count in killed.items()), flush=True)


def check_again(pids):
    """What was planted in it is put back by the guardian, but not in no time."""
    until = time.monotonic() + lib.PATIENCE
    while True:
        try:
            return [check_code(pid) for pid in pids]
        except lib.Failure:
            if time.monotonic() > until:
                raise
        time.sleep(0.002)


def nginx(test):
    server, target = serve_nginx(test, False)
    kill_often(test, server, Load(target, "/16k", tls=False))


def redis(test):
    test.need("redis-benchmark")
    server, target = serve_redis(test, False)
    host, port = target.split(":")
    kill_often(test, server, Program(test, ["redis-benchmark", "-h", host, "-p", port, "-l", "-q",
                                            "-c", "10", "-t", "set,get"]))


def go(test):
    server, target = serve_go(test, False)
    kill_often(test, server, Load(target, "/1000", tls=False, each=50))


def node(test):
    server, target = serve_node(test, False)
    kill_often(test, server, Load(target, "/5000", tls=False))


def asyncio(test):
    server, target = serve_own(test, False, [PYTHON, "-B", f"{HERE}/asyncio_server.py"])
    kill_often(test, server, Load(target, "/5000", tls=False))


def storm(test):
    """A signal that iotrace was told of and has not passed on is lost with it: that is the kernel's way."""
    server, target = serve_own(test, False, [f"{BUILT}/storm_server"], more=["loose"])
    kill_often(test, server, Load(target, "/5000", tls=False))


if __name__ == "__main__":
    lib.main(nginx, redis, go, node, asyncio, storm)
