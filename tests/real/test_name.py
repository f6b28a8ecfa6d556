"""
--name: programs that start later. With the kernel's process connector, which only root has, they are
complete; where /proc has to be watched, what was missed at their beginning is told.
"""
import collections
import json
import os

import lib
import oracle
from lib import IOTRACE, PYTHON, ROOT, SCALE, Proxy, expect
from servers import serve_files

TIMES = 100 if SCALE >= 100 else 10

CLIENT = """
import http.client, sys
conn = http.client.HTTPConnection(sys.argv[1])
for path in sys.argv[2:]:
    conn.request("GET", path)
    conn.getresponse().read()
conn.close()
"""


def named(test, program, name):
    """A name that nobody else has: of the link that is executed."""
    link = test.path(f"{name}-{os.getpid()}"[-15:])
    os.symlink(program, link)
    return link


def listens(pid):
    """It has subscribed to the connector (protocol 11)."""
    with open("/proc/net/netlink", encoding="ascii") as lines:
        return any(line.split()[1:3] == ["11", str(pid)] for line in lines)


def begin(test, *programs):
    names = [word for program in programs for word in ("--name", os.path.basename(program))]
    tracer = test.start([IOTRACE, *lib.laws.facts_options(test.path("named")), *names], merge=True)
    while not os.path.exists(test.path("named.jsonl")) or ROOT and not listens(tracer.popen.pid):
        expect(not tracer.ended(0.005), f"iotrace has ended: {tracer.told()}")
    return tracer


def end(test, tracer):
    expect(tracer.stop(lib.signal.SIGINT) == 0, f"iotrace: {tracer.told()}")
    lib.keep_laws(lib.laws.check_facts, test.path("named"))


def later(test):
    if not ROOT:
        raise lib.Skip("the process connector is root's")
    test.need("curl")
    _, target = serve_files(test, False)
    proxy = Proxy(test, target)
    curl, python = named(test, lib.shutil.which("curl"), "curl"), named(test, PYTHON, "py")
    tracer = begin(test, curl, python)
    for _ in range(TIMES):
        for argv in [curl, "-sS", "-o", test.path("got"), f"http://{proxy.address}/1k"], \
                [python, "-c", CLIENT, proxy.address, "/1", "/1k"]:
            client = test.run(argv)
            expect(client.status == 0, f"{client.name}: {client.told()}")
    proxied = proxy.take()
    end(test, tracer)
    oracle.compare(oracle.Capture(test.path("named.jsonl"), attached=True), proxied, oracle.CLIENT,
                   2 * TIMES)


def moved_by(path):
    """By the client's address: bytes in the events, and in losses."""
    seen, lost, pairs = collections.Counter(), collections.Counter(), {}
    with open(path, encoding="utf-8") as lines:
        for event in map(json.loads, lines):
            if event.get("local"):
                pairs[event.get("conn")] = event["local"]
            if event["type"] == "data":
                seen[pairs[event["conn"]]] += event.get("len", 0)
            if event["type"] == "loss":
                lost[pairs[event["conn"]]] += event["bytes"]
    return seen, lost


def watched(test):
    """Nobody is told by the kernel, so it is found while it works."""
    if ROOT:
        raise lib.Skip("root has the process connector")
    _, target = serve_files(test, False)
    proxy = Proxy(test, target)
    python = named(test, PYTHON, "py")
    argv = [python, "-c", CLIENT, proxy.address, *["/1k"] * 100]
    tracer = begin(test, python)
    for _ in range(TIMES):
        client = test.run(argv)
        expect(client.status == 0, f"{client.name}: {client.told()}")
    proxied = proxy.take()
    end(test, tracer)
    seen, lost = moved_by(test.path("named.jsonl"))
    wanted = collections.Counter()
    for entry in proxied:
        wanted[entry["client"]] += entry["c2s"] + entry["s2c"]
    met = seen.keys() | lost.keys()
    expect(len(met) > TIMES, f"only {len(met)} of {len(wanted)} addresses are known")
    for local in met:
        expect(seen[local] + lost[local] == wanted[local],
               f"{local}: {seen[local]} bytes seen and {lost[local]} lost of {wanted[local]}")


lib.main(later, watched)
