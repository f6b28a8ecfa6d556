"""The tap and the stops tell the same bytes, whatever comes in between: signals, children, kills."""
import base64
import collections
import json
import os
import subprocess
import sys
import tempfile
import time

from laws import IOTRACE, Broken, law

SCALE = int(os.environ.get("IOTRACE_TEST_SCALE", "1"))
TIMES = 100 if SCALE >= 100 else 10
PATIENCE = 60  # seconds
PROGRAM = sys.argv[1]
SIZE = 12 * 100000
CHILDREN = 6
STREAMS = 2 * CHILDREN + 2
ENDS = 0  # what becomes of a child: engines.c


def stream(number):
    return b"".join(b"%04d%08x" % (number, i) for i in range(SIZE // 12))


WANTED = [stream(number) for number in range(STREAMS)]


def run(directory, engine, seed):
    """The events of one run, and how much of each stream was received."""
    capture, sizes = os.path.join(directory, engine + ".jsonl"), os.path.join(directory, "sizes")
    argv = [IOTRACE, "--engine", engine, "-o", capture, "--", PROGRAM, str(seed), sizes]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as done:
        try:
            _, said = done.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            done.kill()
            raise Broken(f"{engine}: it hangs") from None
    law(done.returncode == 0 and not said, f"{engine}: it ends with {done.returncode}: {said}")
    with open(capture, "rb") as lines:
        events = [json.loads(line) for line in lines]
    with open(sizes, encoding="ascii") as lines:
        return events, [int(line) for line in lines]


def payload(event):
    return event["text"].encode() if "text" in event else base64.b64decode(event.get("b64", ""))


def streams(events):
    """What was sent and what was received of each."""
    pieces = collections.defaultdict(list)
    for event in events:
        if event["type"] == "data" and event.get("len"):
            law(len(payload(event)) == event["len"], f"not whole: {event}")
            ends = event["local"], event["remote"]
            pieces[event["dir"], *(ends if event["dir"] == "out" else ends[::-1])].append(
                payload(event))
    found = {"out": {}, "in": {}}
    for (way, *_), data in pieces.items():
        data = b"".join(data)
        number = int(data[:4])
        law(number not in found[way], f"stream {number} is there twice, {way}")
        found[way][number] = data
    return found


def check(engine, events, sizes):
    for event in events:
        law(event["type"] != "loss", f"{engine}: {event}")
    law(not any(events[-1]["loss"].values()), f"{engine}: {events[-1]}")
    found = streams(events)
    for number in range(STREAMS):
        sent, received = (found[way].get(number, b"") for way in ("out", "in"))
        where = f"{engine}, stream {number}"
        law(sizes[number] == SIZE or number // 2 % 3 != ENDS or number >= 2 * CHILDREN,
            f"{where}: the program received {sizes[number]} bytes")
        # What a killed process had sent is there to the last byte.
        for way, data in (("sent", sent), ("received", received)):
            law(len(data) == sizes[number],
                f"{where}: {len(data)} of {sizes[number]} bytes {way}")
            law(data == WANTED[number][:len(data)], f"{where}: other bytes {way}")


def has_tap():
    done = subprocess.run([IOTRACE, "--engine", "tap", "-o", "/dev/null", "--", "true"],
                          capture_output=True, check=False)
    law(done.returncode in (0, 125), f"--engine tap: {done}")
    if done.returncode:
        print(done.stderr.decode())
    return done.returncode == 0


def compare(seed):
    with tempfile.TemporaryDirectory() as directory:
        told = []
        for engine in "tap", "stop":
            began = time.monotonic()
            events, sizes = run(directory, engine, seed)
            check(engine, events, sizes)
            calls = events[-1]["calls"]
            law(calls["tap"] == 0 if engine == "stop" else calls["tap"] > calls["stop"] / 2,
                f"{engine}: calls {calls}")
            told.append(f"{engine}: {calls} in {time.monotonic() - began:.1f} s")
        print(f"seed {seed}: {', '.join(told)}", flush=True)


def main():
    began = time.time_ns() % 1000000
    if not has_tap():
        return 77
    for seed in [int(seed) for seed in sys.argv[2:]] or range(began, began + TIMES):
        try:
            compare(seed)
        except Broken as broken:
            print(f"FAILED: {broken} (seed {seed})")
            return 1
    return 0


sys.exit(main())
