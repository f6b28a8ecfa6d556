"""The reader in docs/capture-format.md, as it stands there, gives a capture's events."""
import ast
import os
import re
import subprocess
import sys
import tempfile

import laws
from laws import IOTRACE, Broken, law

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = os.path.join(HERE, "../../docs/capture-format.md")
TALKER = ["/usr/bin/python3", os.path.join(HERE, "talker.py")]


def reader():
    with open(DOCUMENT, encoding="utf-8") as file:
        found = re.findall(r"^```python\n(.*?)^```$", file.read(), re.DOTALL | re.MULTILINE)
    law(len(found) == 1 and found[0].count("\n") == 3, f"three lines: {found}")
    return found[0]


def read(path):
    """The events that it prints, and what it says on standard error."""
    done = subprocess.run(["/usr/bin/python3", "-c", reader(), path], capture_output=True)
    return [ast.literal_eval(line) for line in done.stdout.decode().splitlines()], done.stderr


def whole(base):
    events, said = read(base + ".iot")
    law(not said, f"it fails: {said}")
    with open(base + ".jsonl", "rb") as file:
        lines = file.readlines()
    law(len(events) == len(lines) > 20, f"{len(events)} events of {len(lines)}")
    for event, line in zip(events, lines):
        law(laws.same_event(event, line), f"{event} is {line!r}")
    return events


def torn(base, events):
    """Cut in the last event, all others are given, and then it fails."""
    with open(base + ".iot", "rb") as file:
        data = file.read()
    with open(base + ".torn", "wb") as file:
        file.write(data[:-10])
    given, said = read(base + ".torn")
    law(given == events[:-1], f"{len(given)} events of {len(events)}")
    law(b"CBORDecodeEOF" in said, f"it says {said}")


def parts(base):
    """A rotated capture's parts behind each other: `next` between them, `iotrace` once more."""
    found = []
    while os.path.exists(name := f"{base}.{len(found)}.iot" if found else base + ".iot"):
        found.append(read(name)[0])
    law(len(found) > 1, "there is one part")
    for number, events in enumerate(found):
        law(events[0]["type"] == "iotrace" and events[0]["seq"] == 1 and
            events[0].get("part", 0) == number, f"part {number} begins with {events[0]}")
    ends = [events[-1] for events in found]
    law([end.get("file") for end in ends[:-1]] == [os.path.basename(f"{base}.{number}.iot")
                                                  for number in range(1, len(found))] and
        ends[-1]["type"] == "end", f"the parts end with {ends}")


def main():
    with tempfile.TemporaryDirectory() as home:
        for name, *options in ["run"], ["rotated", "--rotate", "4k"]:
            base = os.path.join(home, name)
            subprocess.run([IOTRACE, *laws.options(base), *options, "--", *TALKER, "20"],
                           stdin=subprocess.DEVNULL, check=True)
        try:
            torn(os.path.join(home, "run"), whole(os.path.join(home, "run")))
            parts(os.path.join(home, "rotated"))
        except Broken as broken:
            print(f"FAILED: {broken}")
            return 1
    return 0


sys.exit(main())
