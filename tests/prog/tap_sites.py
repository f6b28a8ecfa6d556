#!/usr/bin/python3
"""`iotrace probes -p` lists the sites of a process that the tap has patched.

usage: tap_sites.py PROGRAM   one that talks by the calls that it prints, and waits: waits.c
"""
import os
import re
import subprocess
import sys

IOTRACE = os.environ["IOTRACE"]
LINE = re.compile(r"^  (\S+)\+0x([0-9a-f]+) at 0x([0-9a-f]+) \((pun|cave)\)$", re.MULTILINE)


def listed(pid):
    done = subprocess.run([IOTRACE, "probes", "-p", str(pid)], capture_output=True, check=True)
    assert not done.stderr, done
    return done.stdout.decode()


def check(engine):
    with subprocess.Popen([IOTRACE, "--engine", engine, "-o", "/dev/null", "--", sys.argv[1]],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as traced:
        pid = int(traced.stdout.readline())
        text = listed(pid)
        traced.stdin.close()
    assert traced.returncode == 0, traced.returncode
    found = LINE.findall(text)
    if engine == "stop":
        assert not found and "recorded inside" not in text, text
        return
    assert "recorded inside" in text, text
    # Each is where a system call instruction stands in the file.
    for path, offset, _, _ in found:
        with open(path, "rb") as file:
            file.seek(int(offset, 16))
            code = file.read(2)
        assert code == b"\x0f\x05", (path, offset, code)
    # It accepts, writes and reads, each by one site.
    assert len(found) == 3 and len(set(found)) == 3, text


if subprocess.run([IOTRACE, "--engine", "tap", "-o", "/dev/null", "--", "true"],
                  check=False).returncode:
    sys.exit(77)
check("tap")
check("stop")
