#!/usr/bin/python3
"""Runs a test program alone and under iotrace, and compares what it says iotrace must report.

The program prints JSON objects, one a line (expect.h):

  {"settings": 1, ...}   first line, optional:
      types    event types that are compared, "data" if not given; loss and note always are
      per      "all" (the default): all events in one order; "pid" or "tid": an order for each
      options  options for iotrace
      tap      so many calls at least must be taken by the tap, where there is one
      stops    in a started program with the tap there must be no more stops than so many
      local    only events of sockets that have this address are compared, and losses
      views    formats for people that the run is also written in, and checked for raw bytes
      stderr   pattern for iotrace's and the program's standard error, which is else empty
      may_lose true: losses are not compared
  {"same": TEXT}         must be printed with and without iotrace, in this order
  {"type": "end", ...}   what the last event must have
  {...}                  the next event must have these keys. null: must not have the key;
                         "KEY~": a pattern; "hex", "crc": the payload; "conn": a name for a number;
                         "KEY>=": a number, at least
"""
import argparse
import base64
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../law"))
import laws

SKIP = 77
HEAD = ["type", "seq", "time", "pid", "tid", "comm"]
# A new key of the schema goes here, too: docs/events.md.
KEYS = {
    "iotrace": ["schema", "version", "argv", "host", "kernel", "engine"],
    "process": ["event", "ppid", "exe", "argv", "status", "signal"],
    "socket": ["event", "fd", "conn", "family", "proto", "local", "remote", "how",
               "cred", "error"],
    "data": ["fd", "conn", "proto", "local", "remote", "path", "dir", "layer", "call", "len",
             "dur", "full", "captured", "flags", "fds", "cred", "stack", "text", "b64", "error"],
    "secret": ["line"],
    "loss": ["reason", "conn", "fd", "bytes", "calls"],
    "note": ["text"],
    "end": ["calls", "stops", "bytes", "connections", "events", "rings", "loss", "wall"],
}
# What says that something went otherwise than plainly: not there unless it is wanted.
ONLY_WANTED = {
    "data": ["full", "captured", "flags", "fds", "cred", "error"],
    "socket": ["cred", "error"],
    "process": ["status", "signal"],
}
FLAGS = ["peek", "oob", "eof", "errqueue", "trunc", "file", "ktls"]
# Controls but for the newline, and what hides or turns text around.
HIDDEN = re.compile("[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e"
                    "\u2060-\u206f\ufeff\ufff9-\ufffb]")
HELLO = b"hello from outside\n"


class Failure(Exception):
    pass


def require(condition, *what):
    if not condition:
        raise Failure(" ".join(str(w) for w in what))


# -- running

class Peer:
    """The other end of the socket that the program inherits: says hello, reads to the end."""

    def __init__(self, fds, connects, before):
        self.fds = fds
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            connected = socket.create_connection(listener.getsockname())
            accepted, _ = listener.accept()
        self.ours, self.theirs = (accepted, connected) if connects else (connected, accepted)
        if before:
            self.talk_before()
        self.received = b""
        self.thread = threading.Thread(target=self.talk, daemon=True)

    def talk_before(self):
        self.ours.sendall(b"b" * 1000)
        require(len(self.theirs.recv(1000, socket.MSG_WAITALL)) == 1000, "it did not arrive")
        self.theirs.sendall(b"b" * 234)
        require(len(self.ours.recv(234, socket.MSG_WAITALL)) == 234, "it did not arrive")

    def talk(self):
        self.ours.sendall(HELLO)
        while True:
            data = self.ours.recv(65536)
            if not data:
                return
            self.received += data

    def in_child(self):
        # First out of the way of the numbers that are wanted.
        high = os.dup(self.theirs.fileno())
        for fd in self.fds:
            os.dup2(high, fd)
        os.close(high)

    def started(self):
        self.theirs.close()
        self.thread.start()

    def ended(self):
        self.thread.join(10)
        require(not self.thread.is_alive(), "the inherited socket was not closed")
        self.ours.close()


def kill_all(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


# Stopped before it becomes the program, so that it is attached before it does anything.
WAITING = ["sh", "-c", "kill -STOP $$; exec \"$@\"", "sh"]


def status_of(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def await_stop(process, until):
    # One that skips has ended.
    while status_of(process.pid)["State"][0] not in "TZ":
        require(time.monotonic() < until, "it does not stop")
        time.sleep(0.001)


def attach(argv, process, arguments):
    """Traces a process that is stopped, and lets it go on. Returns iotrace, running."""
    until = time.monotonic() + arguments.limit
    await_stop(process, until)
    tracer = subprocess.Popen(argv + ["-p", str(process.pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              start_new_session=True)
    while status_of(process.pid)["TracerPid"] != str(tracer.pid) and tracer.poll() is None:
        require(time.monotonic() < until, "it is not attached")
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGCONT)
    return tracer


def end_attached(tracer, in_time):
    """What iotrace has said; it ends by itself when all that it follows has ended."""
    if not in_time:
        kill_all(tracer)
    _, said = tracer.communicate(timeout=30)
    require(not in_time or tracer.returncode == 0, "iotrace ended with", tracer.returncode, said)
    return said


def run(argv, arguments, stderr, tracer_argv=None):
    """
    Returns status, the program's lines, what came on a socket it inherited, and if in time. With
    tracer_argv it is attached by that.
    """
    reader, writer = os.pipe()
    env = dict(os.environ)
    peer, keep = None, []
    if arguments.socket:
        peer = Peer(arguments.socket, arguments.connects, arguments.before)
        env["IOTRACE_EXPECT_FD"] = str(writer)
        keep = [writer] + arguments.socket

    def prepare():
        # A limit that can be raised, as the tracer does it for itself.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(500, most), most))
        if peer:
            peer.in_child()

    process = subprocess.Popen(
        (WAITING if tracer_argv and not arguments.late else []) + argv, env=env, stdin=subprocess.DEVNULL, stdout=writer, stderr=stderr,
        start_new_session=True, preexec_fn=prepare, close_fds=True, pass_fds=keep)
    os.close(writer)
    if peer:
        peer.started()
    timer = threading.Timer(arguments.limit, kill_all, [process])
    timer.start()
    tracer = attach(tracer_argv, process, arguments) if tracer_argv else None
    if arguments.late and not tracer_argv:
        await_stop(process, time.monotonic() + arguments.limit)
        os.kill(process.pid, signal.SIGCONT)
    # To the end of the last process that has it, not only of the first one.
    with os.fdopen(reader, "rb") as lines:
        output = lines.read()
    status = process.wait()
    in_time = timer.is_alive()
    timer.cancel()
    if tracer:
        stderr.write(end_attached(tracer, in_time))
    if peer and in_time:
        peer.ended()
    return status, output, peer.received if peer else b"", in_time


def as_iotrace_says(status):
    return 128 - status if status < 0 else status


# -- what the program said

def parse_output(output):
    settings, lines, same, end = {}, [], [], []
    require(not output or output.endswith(b"\n"), "the program's last line is cut")
    for line in output.split(b"\n")[:-1]:
        try:
            line = json.loads(line)
        except ValueError:
            raise Failure("the program printed", line) from None
        if "settings" in line:
            settings = line
        elif "same" in line:
            same.append(line["same"])
        elif line.get("type") == "end":
            end.append(line)
        else:
            lines.append(line)
    return settings, lines, same, end


# -- what iotrace wrote

def parse_events(path):
    with open(path, "rb") as file:
        raw = file.read()
    require(raw.endswith(b"\n"), "the capture's last line is cut")
    events = []
    for line in raw.split(b"\n")[:-1]:
        try:
            text = line.decode("utf-8")
            events.append(json.loads(text, object_pairs_hook=no_twins))
        except ValueError as error:
            raise Failure("no JSON:", error, line) from None
        require(not HIDDEN.search(text), "JSON with raw bytes:", ascii(text))
    return events


# 32-bit programs have calls of their own for the same.
I386_NAMES = {"send": "sendto", "recv": "recvfrom", "recvmmsg_time64": "recvmmsg"}


def i386_view(events):
    return [{**e, "call": I386_NAMES.get(e["call"], e["call"])} if e["type"] == "data" else e
            for e in events]


def no_twins(pairs):
    require(len({key for key, _ in pairs}) == len(pairs), "a key twice:", pairs)
    return dict(pairs)


def payload(event):
    if event["type"] != "data" or not {"text", "b64"} & set(event):
        return None
    if "text" in event:
        return event["text"].encode("utf-8")
    return base64.b64decode(event["b64"], validate=True)


def check_data(event):
    error, given = "error" in event, [k for k in ("text", "b64") if k in event]
    if error:
        require("len" not in event and not given, "len or payload beside an error:", event)
        return
    require(len(given) == 1, "text or b64:", event)
    require(len(payload(event)) == event.get("captured", event["len"]),
            "payload of another length:", event)
    require("captured" not in event or event["captured"] < event["len"], "captured:", event)
    if "b64" in event:
        try:
            payload(event).decode("utf-8")
        except UnicodeDecodeError:
            return
        raise Failure("b64 for what is UTF-8:", event)


def check_form(event):
    require(event.get("type") in KEYS, "unknown type:", event)
    order = HEAD + KEYS[event["type"]]
    unknown = [key for key in event if key not in order]
    require(not unknown, "unknown keys", unknown, event)
    require(list(event) == sorted(event, key=order.index), "keys out of order:", event)
    for key, value in event.items():
        require(value is not None and value != [] or key == "argv", "no value:", key, event)
    flags = event.get("flags", [])
    require(flags == sorted(flags, key=FLAGS.index), "flags out of order:", event)
    if event["type"] == "data":
        check_data(event)


def moved(event):
    if event["type"] != "data" or {"peek", "errqueue"} & set(event.get("flags", [])):
        return 0
    return event.get("len", 0)


DATAGRAMS = {"udp", "udplite", "unix-dgram", "unix-seqpacket", "dccp", "icmp", "raw"}


def is_connection(event):
    """Who has moved something, or is connected; a datagram's connect(2) sends nothing."""
    if event["type"] != "socket":
        return True
    return (event["proto"] not in DATAGRAMS and
            (event["event"] in ("connect", "accept") or
             event["event"] == "found" and "remote" in event) and "error" not in event)


def check_totals(events):
    end = events[-1]
    for layer in ("wire", "plain"):
        for way in ("out", "in"):
            total = sum(moved(e) for e in events
                        if e["type"] == "data" and e["layer"] == layer and e["dir"] == way)
            require(end["bytes"][layer][way] == total, "total", layer, way,
                    end["bytes"][layer][way], "is not", total)
    for key in ("bytes", "calls"):
        total = sum(e[key] for e in events if e["type"] == "loss")
        require(end["loss"][key] == total, "loss", key, end["loss"][key], "is not", total)
    conns = {e["conn"] for e in events if "conn" in e and is_connection(e)}
    require(end["connections"] == len(conns), "connections", end["connections"], len(conns))


def check_events(events, began, ended):
    require(events, "no events")
    require([e.get("seq") for e in events] == list(range(1, len(events) + 1)), "seq has a gap")
    for event in events:
        check_form(event)
        # A little room, as the clock can be set.
        require(began - 10**9 <= event["time"] <= ended + 10**9, "time:", event)
        require(("pid" in event) == ("tid" in event) == ("comm" in event), "ids:", event)
    require(events[0]["type"] == "iotrace" and events[0]["schema"] == 1, "first:", events[0])
    require(events[-1]["type"] == "end", "last:", events[-1])
    require([e["type"] for e in events].count("iotrace") == 1, "two beginnings")
    require([e["type"] for e in events].count("end") == 1, "two ends")
    numbers = list(dict.fromkeys(e["conn"] for e in events if "conn" in e))
    require(numbers == list(range(1, len(numbers) + 1)), "conns are not in order:", numbers)
    check_totals(events)


# -- comparing

class Names:
    """conn: a name of the program's for each number of iotrace's, one to one."""

    def __init__(self):
        self.numbers = {}
        self.taken = set()

    def fits(self, name, number):
        if name in self.numbers:
            return self.numbers[name] == number
        if number is None or number in self.taken:
            return False
        self.numbers[name] = number
        self.taken.add(number)
        return True


def member_fits(key, wanted, event, names):
    if key == "conn" and isinstance(wanted, str):
        return names.fits(wanted, event.get("conn"))
    if key == "hex":
        return payload(event) == bytes.fromhex(wanted)
    if key == "crc":
        return payload(event) is not None and zlib.crc32(payload(event)) == wanted
    if key.endswith(">="):
        return event.get(key[:-2], 0) >= wanted
    if key.endswith("~"):
        return re.search(wanted, event.get(key[:-1], ""), re.DOTALL) is not None
    if wanted is None:
        return key not in event
    if isinstance(wanted, dict):
        return isinstance(event.get(key), dict) and not misfits(wanted, event[key], names)
    return event.get(key) == wanted and type(event.get(key)) is type(wanted)


def misfits(wanted, event, names):
    keys = [k for k in wanted if not member_fits(k, wanted[k], event, names)]
    return keys + [k for k in ONLY_WANTED.get(event.get("type"), [])
                   if k in event and k not in wanted]


def brief(event):
    shown = {k: v for k, v in event.items() if k not in ("time", "dur")}
    for key in ("text", "b64"):
        if len(shown.get(key, "")) > 120:
            shown[key] = "%s... (%d, crc %d)" % (shown[key][:100], len(shown[key]),
                                                 zlib.crc32(shown[key].encode()))
    return json.dumps(shown)


def compare(wanted, events, names, title):
    for i in range(max(len(wanted), len(events))):
        want = wanted[i] if i < len(wanted) else None
        event = events[i] if i < len(events) else None
        bad = misfits(want, event, names) if want and event else ["all"]
        if not bad:
            continue
        for j in range(max(0, i - 2), i):
            print("    fits:", brief(events[j]))
        for j in range(i, min(i + 3, len(wanted))):
            print("  wanted:", json.dumps(wanted[j]))
        for j in range(i, min(i + 3, len(events))):
            print("     got:", brief(events[j]))
        print("   conns:", names.numbers)
        raise Failure("%s: event %d of %d (%d wanted) differs in %s"
                      % (title, i + 1, len(events), len(wanted), ", ".join(bad)))


def compare_all(settings, wanted, events):
    types = set(settings.get("types", ["data"])) | {"loss", "note"}
    if settings.get("may_lose"):
        types.remove("loss")
    events = [e for e in events if e["type"] in types and
              e.get("local") == settings.get("local", e.get("local"))]
    names, per = Names(), settings.get("per", "all")
    if per == "all":
        compare(wanted, events, names, "events")
        return
    groups = {}
    for i, lines in enumerate((wanted, events)):
        for line in lines:
            groups.setdefault(line.get(per), ([], []))[i].append(line)
    for who, (some_wanted, some_events) in groups.items():
        compare(some_wanted, some_events, names, "%s %s" % (per, who))


# -- formats for people

HEADER = re.compile(r"\d\d:\d\d:\d\d\.\d{6} (iotrace: |.*\[\d+(/\d+)?\] )")


def check_view(path, view, events):
    with open(path, "rb") as file:
        raw = file.read()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failure(view, "is no UTF-8:", error) from None
    found = HIDDEN.search(text)
    require(not found, view, "has a raw", ascii(found and found[0]), "in",
            ascii(found and text[max(0, found.start() - 60):found.start() + 60]))
    require(text.endswith("\n"), view, "ends in the middle of a line")
    lines = text.split("\n")[:-1]
    heads = [line for line in lines if not line.startswith("    ")]
    for line in heads:
        require(HEADER.match(line), view, "has a line that is no event's:", ascii(line))
    require(len(heads) == len(events), view, "has", len(heads), "events, not", len(events))
    if view == "calls":
        return
    shown = bytes.fromhex("".join(line[14:64] for line in lines if line.startswith("    ")))
    there = b"".join(payload(e) or b"" for e in events)
    require(shown == there, view, "shows other bytes")


# -- attached

def attached_view(wanted, events):
    """A program that was there before: it is found, as a shell, and then executed."""
    wanted = [{**line, "event": "exec"} if line.get("event") == "start" else line
              for line in wanted]
    found = [e for e in events if e["type"] == "process" and e["event"] == "found"]
    require(len(found) == 1, "not one found process:", found)
    return wanted, [e for e in events if e not in found]


# -- the engine

def is_tapped(arguments):
    """Calls can be recorded inside the program; says why not."""
    if (arguments.attach and arguments.engine != "tap" or arguments.i386 or arguments.deny or
            arguments.engine == "stop"):
        return False
    done = subprocess.run([os.environ["IOTRACE"], "--engine", "tap", "-o", "/dev/null", "--", "true"],
                          capture_output=True, check=False)
    require(done.returncode in (0, 125), "--engine tap:", done)
    if done.returncode:
        print("no tap:", done.stderr.decode())
    return done.returncode == 0


def check_engine(arguments, settings, end):
    """At least so many calls must have been taken by the tap, or none where it is off."""
    wanted = max(arguments.tap, settings.get("tap", 0))
    if arguments.engine == "stop":
        require(not end["calls"]["tap"], "the tap was off:", end)
    elif wanted and is_tapped(arguments):
        require(end["calls"]["tap"] >= wanted, "calls by the tap,", wanted, "wanted:", end)
        # An attached program has a trap in front of what it stops at.
        require(arguments.attach or end["stops"] <= settings.get("stops", end["stops"]),
                "too many stops:", end)


# -- the whole

def trace(arguments, settings, directory, view):
    capture = os.path.join(directory, "capture.jsonl")
    shown = os.path.join(directory, "shown")
    argv = [os.environ["IOTRACE"], *laws.options(capture.removesuffix(".jsonl")),
            *settings.get("options", [])]
    if arguments.engine:
        argv += ["--engine", arguments.engine]
    if arguments.deny:
        argv = [os.path.join(os.path.dirname(arguments.command[0]), "deny"), arguments.deny] + argv
    if view:
        argv += ["-f", view, "-o", shown]
    began = time.time_ns()
    with tempfile.TemporaryFile() as errors:
        if arguments.attach:
            status, output, received, in_time = run(arguments.command, arguments, errors, argv)
        else:
            status, output, received, in_time = run(
                argv + ["--"] + arguments.command, arguments, errors)
        errors.seek(0)
        stderr = errors.read().decode("utf-8", "backslashreplace")
    ended = time.time_ns()
    if not in_time:
        print("stderr:", stderr)
        if os.path.exists(capture):
            with open(capture, "rb") as file:
                sys.stdout.buffer.write(b"".join(file.readlines()[-20:]))
        raise Failure("traced, it does not end within %d s" % arguments.limit)
    return status, output, received, stderr, capture, shown, began, ended


def check_stderr(settings, stderr):
    if "stderr" in settings:
        require(re.search(settings["stderr"], stderr, re.DOTALL), "stderr:", ascii(stderr))
    else:
        require(not stderr, "stderr:", stderr)
    require(not HIDDEN.search(stderr), "stderr has raw bytes:", ascii(stderr))


def test(arguments, view, directory):
    with tempfile.TemporaryFile() as errors:
        status, output, received, in_time = run(arguments.command, arguments, errors)
        errors.seek(0)
        stderr = errors.read().decode("utf-8", "backslashreplace")
    require(in_time, "alone, it does not end within %d s" % arguments.limit)
    if status == SKIP:
        print(stderr)
        sys.exit(SKIP)
    require(status != 99, "alone, the program says:", stderr)
    settings, _, same_alone, _ = parse_output(output)
    traced, output, reply, stderr, capture, shown, began, ended = trace(
        arguments, settings, directory, view)
    require(traced == (status if arguments.attach else as_iotrace_says(status)), "status", traced, "and alone", status, stderr)
    require(reply == received, "the peer of the inherited socket got", reply, "not", received)
    settings, wanted, same, end = parse_output(output)
    require(same == same_alone, "not as alone:\n", "\n ".join(same), "\nalone:\n",
            "\n ".join(same_alone))
    require(wanted or same, "the program wants nothing")
    events = parse_events(capture)
    check_events(events, began, ended)
    if arguments.attach:
        wanted, compared = attached_view(wanted, events)
    else:
        compared = events
    if arguments.i386:
        compared = i386_view(compared)
    if arguments.deny:
        compared = [e for e in compared
                    if e["type"] != "note" or "cannot be duplicated" not in e["text"]]
        stderr = re.sub(r"iotrace: \S+: descriptors of [^\n]*\n", "", stderr)
    compare_all(settings, wanted, compared)
    for line in end:
        bad = misfits(line, events[-1], Names())
        require(not bad, "end:", events[-1], "wanted", line)
    check_engine(arguments, settings, events[-1])
    check_stderr(settings, stderr)
    laws.check(capture.removesuffix(".jsonl"), view or "text")
    if view:
        check_view(shown, view, events)
    return settings.get("views", [])


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", metavar="FD[,FD]", default=[],
                        type=lambda text: [int(fd) for fd in text.split(",")],
                        help="the program inherits a connection there")
    parser.add_argument("--connects", action="store_true", help="its end of it has connected")
    parser.add_argument("--before", action="store_true", help="1234 bytes moved on it before")
    parser.add_argument("--attach", action="store_true",
                        help="iotrace does not start the program, but attaches to it")
    parser.add_argument("--late", action="store_true",
                        help="when the program has stopped itself, not before it begins")
    parser.add_argument("--i386", action="store_true", help="it is a 32-bit program")
    parser.add_argument("--deny", metavar="CALL[,CALL]",
                        help="iotrace may not make these calls, as in a container")
    parser.add_argument("--tap", type=int, default=0, help="calls that the tap must take, at least")
    parser.add_argument("--omit", metavar="CALL", help="iotrace does not know this call")
    parser.add_argument("--chaos", metavar="SEED",
                        help="a debug build handles what happens late and in another order")
    parser.add_argument("--engine", help="by stops, or inside the process")
    parser.add_argument("--limit", type=float, default=60, help="seconds, for each run")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.omit:
        os.environ["IOTRACE_TEST_OMIT"] = arguments.omit
    if arguments.chaos:
        os.environ["IOTRACE_CHAOS"] = arguments.chaos
    with tempfile.TemporaryDirectory() as directory:
        try:
            for view in test(arguments, None, directory):
                test(arguments, view, directory)
        except (Failure, laws.Broken) as failure:
            print("FAILED:", failure)
            sys.exit(1)


if __name__ == "__main__":
    main()
