"""
SIGKILL of iotrace while a server that it is attached to works, with probes in its code: the server lives.
What is planted is put back by the guardian, but not in no time; until then a handler in the process helps.
"""
import random
import re

import lib
import tls
from attach import Attached, Client, Load, check_code, pids_of
from lib import SCALE, expect
from servers import go_builds, serve_go_tls, serve_masked, serve_nginx_tls

TIMES = 200 if SCALE >= 100 else 10


def kill_all(test, serve, path, *options):
    """Returns how often the server, or a process of it, has died. options: iotrace's."""
    deaths, server = 0, None
    chance = random.Random(5)
    for turn in range(TIMES):
        if not server:
            server, target = serve(test)
            load = Load(target, path)
            expect(load.await_rounds(5), f"before anything: {load.failures}")
        pids = pids_of(server)
        attached = Attached(test, pids, f"killed-{server.name}-{turn}", *options)
        # Somewhere in the middle of what it does: hits, calls and stops.
        load.await_rounds(1 + chance.randrange(8))
        attached.process.popen.kill()
        expect(attached.process.wait() == 137, "iotrace did not die")
        alive = load.await_rounds(10) and pids_of(server) == pids
        if alive:
            await_code(pids)
            continue
        deaths += 1
        load.stop()
        lib.os.killpg(server.popen.pid, lib.signal.SIGKILL)
        server.wait()
        server = None
    if server:
        failures = load.stop()
        expect(not failures, f"clients failed: {failures}")
    return deaths


def await_code(pids):
    """The guardian has put all back."""
    waiter = lib.threading.Event()
    for _ in range(1000):
        try:
            for pid in pids:
                check_code(pid)
            return
        except lib.Failure as error:
            last = error
        waiter.wait(0.005)
    raise last


def report(name, deaths, most=1 + TIMES // 100):
    print(f"{name}: {deaths} of {TIMES} times a process of the server died with iotrace",
          flush=True)
    # Seen in 1 of 400.
    expect(deaths <= most, "that is too often")


def go(test):
    report("go", kill_all(test, lambda test: serve_go_tls(test, go_builds()[0], False), "/16384"))


def nginx(test):
    report("nginx", kill_all(test, lambda test: serve_nginx_tls(test, False), "/16k"))


def has(pid, field):
    """Whether SIGTRAP is in that set of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return int(re.search(rf"(?m)^{field}:\s*(\w+)", status.read())[1], 16) >> 4 & 1


def kill_masked(test, *options):
    """
    A trap in a thread that blocks SIGTRAP takes the handler away. Threads that were there before, and such
    that come while it is traced, of which the second ones are known to do so with the tap.
    """
    server, target = serve_masked(test, *tls.certificate(test))
    for turn in range(TIMES):
        loads = [Load(target, "/16384")]
        expect(loads[0].await_rounds(5), f"before anything: {loads[0].failures}")
        attached = Attached(test, pids_of(server), f"masked-{turn}", *options)
        for _ in range(2):
            loads.append(Load(target, "/16384"))
            expect(loads[-1].await_rounds(9), f"the server fails: {loads[-1].failures}")
        expect(has(server.popen.pid, "SigCgt"), "the handler is gone")
        for task in lib.os.listdir(f"/proc/{server.popen.pid}/task"):
            expect(not has(task, "SigBlk"), f"{task} blocks SIGTRAP")
        attached.process.popen.kill()
        expect(attached.process.wait() == 137, "iotrace did not die")
        for load in loads:
            expect(load.await_rounds(10), f"time {turn}: {load.failures} {server.told()}")
            failures = load.stop()
            expect(not failures, f"clients failed: {failures}")


def masked(test):
    kill_masked(test)


def masked_tap(test):
    kill_masked(test, "--engine", "tap")


class Births(Load):
    """A connection for each round."""

    def _work(self, path):
        while not self.over:
            client = Client(self.target)
            self._round(client, path)
            client.close()

    def _all_work(self):
        return True


def born_tap(test):
    """
    Threads that begin behind the kill, before the guardian is done, with the signals blocked that their maker
    has blocked: the agent is still there then.
    """
    deaths, arguments = 0, [*tls.certificate(test), "born"]
    server, target = serve_masked(test, *arguments)
    for turn in range(TIMES):
        load = Births(target, "/64")
        expect(load.await_rounds(5), f"before anything: {load.failures}")
        # Often while the server's first thread has it blocked itself.
        attached = Attached(test, pids_of(server), f"born-{turn}", "--engine", "tap")
        expect(load.await_rounds(20), f"the server fails: {load.failures}")
        attached.process.popen.kill()
        expect(attached.process.wait() == 137, "iotrace did not die")
        alive = load.await_rounds(20)
        load.stop()
        if not alive:
            deaths += 1
            server.wait()
            server, target = serve_masked(test, *arguments)
    # Seen in 1 of 80.
    report("born", deaths, 2 + TIMES // 20)


def mask_tap(test):
    """A thread that was there before, and blocks SIGTRAP once more at each request: the agent leaves it out."""
    server, target = serve_masked(test, *tls.certificate(test), "born")
    pids, client = pids_of(server), Client(target)
    expect(client.get("/mask") == b"blocked", "it cannot be blocked")
    attached = Attached(test, pids, "mask", "--engine", "tap")
    for _ in range(20):
        expect(client.get("/mask") == b"not blocked", "it can be blocked")
    attached.detach()
    expect(Client(target).get("/mask") == b"blocked", "it cannot be blocked again")


if __name__ == "__main__":
    lib.main(go, nginx, masked, masked_tap, born_tap, mask_tap)
