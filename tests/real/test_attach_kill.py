"""iotrace killed by SIGKILL at random moments of attaching, tracing and letting go: the program goes on."""
import random
import signal
import time

import attach
import lib
from attach import Load, check_code, executable, pids_of, tasks_of, tracer_of
from lib import BUILT, HERE, IOTRACE, PYTHON, SCALE, expect
from servers import serve_go, serve_masked, serve_nginx, serve_node, serve_own, serve_redis
from test_attach import Program

TIMES = 170 if SCALE >= 100 else 9  # for each of seven programs
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
    tracer = trace(test, pids, name)
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
            return [check_code(pid, killed=True) for pid in pids]
        except lib.Failure:
            if time.monotonic() > until:
                raise
        time.sleep(0.002)


# `syscall` and a jump to itself: what injected calls are made from, 32 bytes before a mapping's end.
PERCH, PERCH_AT = b"\x0f\x05\xeb\xfe", 32


def is_on_perch(pid):
    """A call is being injected, or was when iotrace died."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for where, prot, *_ in executable(pid):
            end = int(where.split("-")[1], 16)
            if prot[0] == "r" and end < 1 << 47 and \
                    lib.os.pread(memory.fileno(), 4, end - PERCH_AT) == PERCH:
                return True
    return False


def guardians():
    return [pid for pid in lib.descendants() if name_of(pid) == "iotrace-guard"]


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
            return comm.read().strip()
    except OSError:
        return None


def trace(test, pids, name):
    return test.begin([IOTRACE, *attach.OPTIONS, "-o", f"{test.path(name)}.jsonl", "-p",
                       ",".join(map(str, pids))])


def kill_on_perch(test, pids):
    """In the middle of an injection; the guardian, which is returned, is stopped before it can help."""
    for turn in range(1000):
        tracer = trace(test, pids, f"perch-{turn}")
        while not any(map(is_on_perch, pids)) and not all(map(tracer_of, pids)):
            expect(not tracer.ended(0), f"iotrace has ended: {tracer.told()}")
        tracer.popen.send_signal(signal.SIGSTOP)
        guardian = guardians()
        if guardian and any(map(is_on_perch, pids)):
            lib.os.kill(guardian[0], signal.SIGSTOP)
            tracer.popen.kill()
            tracer.wait()
            if any(map(is_on_perch, pids)):
                return guardian[0]
            lib.os.kill(guardian[0], signal.SIGCONT)
        else:
            tracer.popen.kill()
            tracer.wait()
        await_free(pids)
        while guardians():
            time.sleep(0.001)
    raise lib.Failure("it is never met in the middle of an injection")


def has_open(pid, path):
    try:
        return path in [lib.os.readlink(f"/proc/{pid}/fd/{fd}")
                        for fd in lib.os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False


def late_guardian(test):
    """Who attaches next waits for it: else its threads would be taken from where they have to come back."""
    server, target = serve_nginx(test, False)
    load, pids = Load(target, "/16k", tls=False), pids_of(server)
    for turn in range(max(2, TIMES // 4)):
        expect(load.await_rounds(2), f"after {turn} times: {load.failures}")
        guardian = kill_on_perch(test, pids)
        await_free(pids)
        tracer = trace(test, pids, f"next-{turn}")
        while not has_open(tracer.popen.pid, f"/proc/{pids[0]}/mem"):
            expect(is_free(pids[0]), "it does not wait for the guardian")
            expect(not tracer.ended(0), f"iotrace has ended: {tracer.told()}")
        expect(all(map(is_free, pids)), "it does not wait for the guardian")
        lib.os.kill(guardian, signal.SIGCONT)
        while not all(map(tracer_of, pids)):
            expect(not tracer.ended(0), f"iotrace has ended: {tracer.told()}")
            time.sleep(0.001)
        expect(tracer.stop(signal.SIGINT) == 0, f"iotrace failed: {tracer.told()}")
        expect(load.await_rounds(3), f"time {turn}: {load.failures} {server.told()}")
        expect(pids_of(server) == pids, f"time {turn}: a process is gone or another")
        check_again(pids)
        expect(not any(map(is_on_perch, pids)), "somebody is left on a perch")
    failures = load.stop()
    expect(not failures, f"clients failed: {failures}")


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


def masked(test):
    server, target = serve_masked(test)
    kill_often(test, server, Load(target, "/5008", tls=False))


def storm(test):
    """A signal that iotrace was told of and has not passed on is lost with it: that is the kernel's way."""
    server, target = serve_own(test, False, [f"{BUILT}/storm_server"], more=["loose"])
    kill_often(test, server, Load(target, "/5000", tls=False))


# It has breakpoints, as libssl is there, and so have its children.
FORKS = """
import os, ssl, sys
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[1])):
    if not os.fork():
        os._exit(0)
    os.wait()
child = os.fork()
if child:
    print("child", child, flush=True)
sys.stdin.readline()
"""
MANY = 1500


def children(test):
    """Of processes that have children all the time, the guardian knows the last one, too."""
    parent = test.start([PYTHON, "-c", FORKS, MANY], stdin=lib.subprocess.PIPE)
    parent.await_output(r"^ready$")
    attached = attach.Attached(test, [parent.popen.pid], "children")
    parent.popen.stdin.write(b"\n")
    parent.popen.stdin.flush()
    child = int(parent.await_output(r"^child (\d+)$")[1])
    pids = [parent.popen.pid, child]
    for pid in pids:
        expect(tracer_of(pid), f"{pid} is not traced")
        try:
            check_code(pid)
        except lib.Failure:
            continue
        raise lib.Failure(f"nothing was planted in {pid}")
    attached.process.popen.kill()
    attached.process.wait()
    await_free(pids)
    check_again(pids)
    parent.popen.stdin.close()
    expect(parent.wait() == 0, f"it has failed: {parent.told()}")


if __name__ == "__main__":
    lib.main(nginx, redis, go, node, asyncio, masked, storm, late_guardian, children)
