"""Other namespaces, a chroot, another user: the same events as outside, wherever iotrace stands."""
import json
import os
import re

import lib
from attach import tracer_of
from lib import BUILT, IOTRACE, PYTHON, ROOT, expect

TALK = os.path.join(os.path.dirname(os.path.abspath(BUILT)), "prog/talk")
COUNT = 20

# A new network namespace's loopback is down.
UP = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x41))
os.execvp(sys.argv[1], sys.argv[1:])
"""
RAISE = [PYTHON, "-c", UP]
# All that there is, but from another root.
CHROOT = ["unshare", *([] if ROOT else ["-U", "-r"]), "-m", "sh", "-c",
          "mount --rbind / \"$0\" && exec chroot \"$0\" \"$@\""]
SPACES = {
    "net": ["unshare", "-n", *RAISE] if ROOT else ["unshare", "-U", "-r", "-n", *RAISE],
    "user": ["unshare", "-U", "-r"],
    "unmapped": ["unshare", "-U"],
    "pid": ["unshare", *([] if ROOT else ["-U", "-r"]), "-p", "-f", "--mount-proc"],
    "all": ["unshare", "-U", "-r", "-n", "-i", "-u", "-p", "-f", "--mount-proc", *RAISE],
    "chroot": CHROOT,
}
if ROOT:
    SPACES["ordinary"] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

# By a child, as a namespace's first process cannot stop itself.
WAITING = ["sh", "-c", "sh -c \"$0\" sh \"$@\"; exit $?", "kill -STOP $$; exec \"$@\""]


def facts(base):
    """What the program's events say, but for what is another each time."""
    found, ports, conns = [], {}, {}
    lib.keep_laws(lib.laws.check_facts, base)
    with open(base + ".jsonl", encoding="utf-8") as lines:
        for event in map(json.loads, lines):
            if event.get("comm") != "talk" and event["type"] not in ("loss", "note"):
                continue
            if event["type"] == "process" and event["event"] != "exit":
                continue
            for key in "seq", "time", "dur", "pid", "tid":
                event.pop(key, None)
            for key in "local", "remote":
                if key in event:
                    event[key] = re.sub(r"\d+$", lambda port: str(
                        ports.setdefault(port[0], len(ports) + 1)), event[key])
            if "conn" in event:
                event["conn"] = conns.setdefault(event["conn"], len(conns) + 1)
            found.append(event)
    return found


def same_facts(what, facts_here, facts_there):
    for one, other in zip(facts_here, facts_there):
        expect(one == other, f"{what}: {one}, outside {other}")
    expect(len(facts_here) == len(facts_there),
           f"{what}: {len(facts_here)} events, outside {len(facts_there)}")


def wrapped(test, name):
    wrapper = SPACES[name]
    if wrapper is CHROOT:
        root = test.path("root")
        os.makedirs(root, exist_ok=True)
        # The path is the shell's $0.
        return [*wrapper, root]
    return wrapper


def run(test, argv):
    done = test.run(argv)
    expect(done.status == 9, f"{argv} ended with {done.status}: {done.told()}")


def attach(test, argv, base):
    """Attached to the program that waits in its namespace, from out here."""
    waiting = test.begin(argv)
    while not (stopped := [pid for pid in lib.descendants() if is_stopped(pid)]):
        expect(not waiting.ended(0.002), f"{argv}: {waiting.told()}")
    tracer = test.begin([IOTRACE, *lib.laws.facts_options(base), "-p", stopped[0]])
    while not tracer_of(stopped[0]):
        expect(not tracer.ended(0.002), f"iotrace: {tracer.told()}")
    os.kill(stopped[0], lib.signal.SIGCONT)
    expect(waiting.wait() == 9, f"{argv}: {waiting.told()}")
    expect(tracer.wait() == 0, f"iotrace: {tracer.told()}")


def is_stopped(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def check(test, name):
    test.need("unshare", "setpriv")
    if not os.path.exists(TALK):
        raise lib.Skip("the test programs were not built")
    here = wrapped(test, name)
    if test.run([*here, "true"]).status:
        raise lib.Skip("this machine or user cannot have it")
    talk = [TALK, "talk", str(COUNT), "9"]
    os.mkdir(test.path("open"))
    os.chmod(test.path("open"), 0o777)
    paths = {way: test.path(f"open/{way}") for way in ("outside", "in", "across", "attached")}
    run(test, [IOTRACE, *lib.laws.facts_options(paths["outside"]), "--", *talk])
    wanted = facts(paths["outside"])
    expect(sum(event["type"] == "data" for event in wanted) == 2 * COUNT, f"not the events: {wanted}")
    run(test, [*here, os.path.abspath(IOTRACE), *lib.laws.facts_options(paths["in"]), "--", *talk])
    same_facts(f"{name}, iotrace in it", facts(paths["in"]), wanted)
    run(test, [IOTRACE, *lib.laws.facts_options(paths["across"]), "--", *here, *talk])
    same_facts(f"{name}, iotrace outside", facts(paths["across"]), wanted)
    attach(test, [*here, *WAITING, *talk], paths["attached"])
    same_facts(f"{name}, attached from outside", facts(paths["attached"]), wanted)


def case_of(name):
    def case(test):
        check(test, name)
    case.__name__ = name
    return case


lib.main(*map(case_of, SPACES))
