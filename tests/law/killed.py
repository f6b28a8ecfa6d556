"""iotrace killed by SIGKILL at a random moment: what happened 200 ms before and earlier is there."""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import laws
from laws import IOTRACE, Broken, law

SCALE = int(os.environ.get("IOTRACE_TEST_SCALE", "1"))
TIMES = 200 if SCALE >= 100 else 20
PROMISE = 200_000_000  # ns
HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"


def last_before(path, limit):
    """The last message that was sent before that time; -1: none."""
    with open(path, "rb") as file:
        data = file.read()
    number = -1
    for at in range(0, len(data), 8):
        sent = int.from_bytes(data[at:at + 8], "little")
        if not sent or sent > limit:
            break
        number += 1
    return number


def shown(path):
    """Numbers of the messages in the capture, by `iotrace export`, which must say that it is cut."""
    done = subprocess.run([IOTRACE, "export", path, "-f", "jsonl", "-o", "-"], capture_output=True)
    law(done.returncode == 4, f"export of {path} ends with {done.returncode}: {done.stderr}")
    law(done.stderr.count(b"\n") == 1, f"not one message: {done.stderr}")
    found = []
    for line in done.stdout.splitlines():
        if b'"type":"data"' in line and b'"dir":"out"' in line:
            found.append(int(line.split(b'"text":"')[1].split()[0]))
    return found


def run(directory, seed):
    base = os.path.join(directory, f"run{seed}")
    files = [base + ".iot", base + ".iot.zst", base + ".jsonl"]
    open(base + ".times", "wb").close()
    chance = random.Random(seed)
    argv = [IOTRACE]
    for file in files:
        argv += ["-o", file]
    tracer = subprocess.Popen([*argv, "--", PYTHON, os.path.join(HERE, "sender.py"),
                               base + ".times", str(seed)], stdout=subprocess.PIPE)
    law(tracer.stdout.readline() == b"sending\n", "the program does not start")
    time.sleep(chance.uniform(0.01, 1.2))
    killed = time.time_ns()
    os.kill(tracer.pid, signal.SIGKILL)
    tracer.wait()
    last = last_before(base + ".times", killed - PROMISE)
    counts = []
    for file in files:
        found = shown(file)
        law(found == list(range(len(found))), f"{file}: messages are missing")
        law(len(found) > last, f"{file}: killed {seed}, it ends with message {len(found) - 1}, "
                               f"but {last} was sent 200 ms before")
        counts.append(len(found))
    for file in files + [base + ".times"]:
        os.unlink(file)
    return last + 1, counts


def main():
    began = time.time_ns() % 1000000
    seeds = [int(seed) for seed in sys.argv[1:]] or range(began, began + TIMES)
    with tempfile.TemporaryDirectory() as directory:
        for seed in seeds:
            try:
                wanted, counts = run(directory, seed)
            except Broken as broken:
                print(f"FAILED: {broken} (seed {seed})")
                return 1
            print(f"seed {seed}: {wanted} sent 200 ms before, {counts} there")
    return 0


sys.exit(main())
