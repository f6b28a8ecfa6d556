"""What a user does with captures: parts, compression, following, pipes, selection, damage."""
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import laws
from laws import IOTRACE, Broken, law

HERE = os.path.dirname(os.path.abspath(__file__))
TALKER = ["/usr/bin/python3", os.path.join(HERE, "talker.py")]
PATIENCE = 60
# As a person has it: goldens are not made where CI is set.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "CI"}


def path(name):
    return os.path.join(HOME, name)


def iotrace(*argv, status=0, stdin=subprocess.DEVNULL, message="", **more):
    """Standard output; the status and that standard error matches are checked."""
    done = subprocess.run([IOTRACE, *argv], stdin=stdin, capture_output=True, timeout=PATIENCE,
                          env=ENVIRONMENT, **more)
    said = done.stderr.decode("utf-8", "backslashreplace")
    law(done.returncode == status, f"{argv} ends with {done.returncode}: {said}")
    law(re.fullmatch(message, said, re.DOTALL), f"{argv} says {said!r}")
    return done.stdout


def trace(*options, count=20):
    return iotrace("-vvvv", *options, "--", *TALKER, str(count))


def read(name):
    with open(path(name), "rb") as file:
        return file.read()


def write(name, data):
    with open(path(name), "wb") as file:
        file.write(data)
    return path(name)


def show(*argv, **more):
    return iotrace("show", "-vvvv", *argv, **more)


def parts(name):
    found = [path(name + ".iot")]
    while os.path.exists(path(f"{name}.{len(found)}.iot")):
        found.append(path(f"{name}.{len(found)}.iot"))
    return found


def rotate():
    trace("-o", path("r.iot"), "-o", path("r.txt"), "-o", path("r.jsonl"), "--rotate", "20k")
    files, text = parts("r"), read("r.txt")
    law(len(files) > 3, f"{len(files)} parts")
    law(max(map(os.path.getsize, files)) < 20480 + 8192, "a part is too large")
    law(all(read(file).startswith(b"\xd9\xd9\xf7") for file in files), "a part is not tagged")
    law(show(files[0]) == text, "the parts are not the whole")
    law(iotrace("export", files[0], "-f", "jsonl", "-o", "-") == read("r.jsonl"), "export")
    law(show("-", stdin=subprocess.Popen(["cat", *files], stdout=subprocess.PIPE).stdout) == text,
        "the parts behind each other are not the whole")
    tail = show(files[2])
    law(tail.splitlines()[0] == text.splitlines()[0], "a part does not begin as the whole")
    law(text.endswith(tail.split(b"\n", 1)[1]), "a part's rest is not the whole's end")
    os.rename(files[3], path("away"))
    cut = show(files[0], status=4, message=r".*r\.3\.iot, cannot be read\n")
    law(text.startswith(cut) and cut, "what is there is not shown")
    shutil.copy(files[0], files[3])
    show(files[0], status=4, message=r".*cannot be read\n")
    for file in files:
        os.unlink(file)


def rotate_compressed():
    trace("-o", path("z.iot.zst"), "-o", path("z.txt"), "--rotate", "10k")
    law(os.path.exists(path("z.1.iot.zst")), "there is no second part")
    law(show(path("z.iot.zst")) == read("z.txt"), "the parts are not the whole")


def compress():
    trace("--compress", "-o", path("c.iot"), "-o", path("c.jsonl.zst"), "-o", path("c.txt"),
          "-o", path("c.pcapng.zst"), count=300)
    law(show(path("c.iot")) == read("c.txt"), "compressed, it is another")
    law(show(path("c.jsonl.zst")) == read("c.txt"), "compressed, it is another")
    law(read("c.iot").startswith(b"\x28\xb5\x2f\xfd"), "it is not compressed")
    law(os.path.getsize(path("c.txt")) > 0 and read("c.txt")[:4] != b"\x28\xb5\x2f\xfd", "text is")
    plain = iotrace("export", path("c.iot"), "-f", "iot", "-o", "-")
    law(len(plain) > 1.2 * len(read("c.iot")), "it is not smaller")
    if shutil.which("zstd"):
        done = subprocess.run(["zstd", "-dc", path("c.iot")], capture_output=True)
        law(done.stdout == plain, "zstd reads another")


def follow():
    """Shown while it is being written, to its end."""
    for name in "f.iot", "f.iot.zst", "f.jsonl":
        tracer = subprocess.Popen(
            [IOTRACE, "-vvvv", "-o", path(name), "-o", path("f.txt"), "--", *TALKER, "3"],
            stdin=subprocess.PIPE)
        until = time.monotonic() + PATIENCE
        while not os.path.exists(path(name)) and time.monotonic() < until:
            time.sleep(0.01)
        follower = subprocess.Popen([IOTRACE, "show", "-vvvv", "--follow", path(name)],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        await_output(follower, b"question 0")
        for _ in range(3):
            tracer.stdin.write(b"\n")
            tracer.stdin.flush()
        rest, errors = follower.communicate(timeout=PATIENCE)
        law(tracer.wait() == 0, "the trace fails")
        law(follower.returncode == 0 and not errors, f"{name}: {errors}")
        law(SEEN[follower.pid] + rest == read("f.txt"), f"{name}: followed, it is another")
        os.unlink(path(name))


SEEN = {}


def await_output(process, what):
    SEEN[process.pid] = b""
    while what not in SEEN[process.pid]:
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        law(ready, f"no {what} in {SEEN[process.pid]}")
        data = os.read(process.stdout.fileno(), 65536)
        law(data, f"no {what} before the end: {SEEN[process.pid]}")
        SEEN[process.pid] += data


def pipe():
    """Live through a pipe: what happens is shown before the program ends."""
    tracer = subprocess.Popen([IOTRACE, "-vvvv", "-f", "iot", "-o", "-", "-o", path("p.txt"),
                               "--", *TALKER, "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    shower = subprocess.Popen([IOTRACE, "show", "-vvvv", "-"], stdin=tracer.stdout, stdout=subprocess.PIPE)
    tracer.stdout.close()
    await_output(shower, b"question 0")
    law(b"question 1" not in SEEN[shower.pid], "it knows the future")
    tracer.stdin.write(b"\n\n")
    tracer.stdin.close()
    rest, _ = shower.communicate(timeout=PATIENCE)
    law(tracer.wait() == 0 and shower.returncode == 0, "it fails")
    law(SEEN[shower.pid] + rest == read("p.txt"), "through a pipe it is another")


def selection():
    """What is left out by show is what is left out live; numbers stay."""
    trace("-o", path("s.iot"))
    whole = show("-f", "jsonl", path("s.iot")).splitlines()
    out = show("-f", "jsonl", "--dir", "out", path("s.iot")).splitlines()
    law(out == [line for line in whole if b'"dir":"in"' not in line], "--dir")
    law(len(show("--match", "question 7$", path("s.iot"), "-f", "jsonl").splitlines()) <
        len(out), "--match")
    iotrace("export", path("s.iot"), "--dir", "out", "-o", path("s2.iot"))
    law(show("-f", "jsonl", path("s2.iot")).splitlines() == out, "exported and shown")


def levels():
    """The view of conversations, too, is the same live and shown, whatever it shows."""
    for level in [], ["-q"], ["-v"], ["-vv"], ["-vvv"], ["-f", "messages"]:
        iotrace(*level, "-o", path("l.iot"), "-o", "|cat >" + path("l.out"), "--", *TALKER, "20")
        shown = iotrace("show", *level, path("l.iot"))
        law(shown == read("l.out"), f"{level}: shown, it is another")
        law(shown, f"{level} shows nothing")


def max_bytes():
    trace("-o", path("m.iot"), "-o", path("m.txt"))
    short = show("--max-bytes", "10", "-f", "jsonl", path("m.iot"))
    law(b'"text":"question 1"' in short and b"question 10\\n" not in short, "--max-bytes")
    law(b'"captured":10,' in short, "captured")


def relative():
    lines = show("--relative", path("m.iot")).splitlines()
    heads = [line for line in lines if not line.startswith(b"    ") or line[4:5] != b" "]
    law(re.match(rb" +0\.000000 iotrace: ", lines[0]), f"{lines[0]}")
    times = [float(line.split()[0]) for line in heads if re.match(rb" *\d+\.\d{6} ", line)]
    law(len(times) > 50 and times == sorted(times) and times[-1] < PATIENCE, "times")


def colors():
    plain, colored = show(path("m.iot")), show("--color", "always", path("m.iot"))
    law(b"\x1b" not in plain and b"\x1b[" in colored, "--color")
    law(re.sub(rb"\x1b\[\d*m", b"", colored) == plain, "colours change the text")


def damage():
    """One message, and status 4."""
    whole = read("m.iot")
    cases = {
        "": (b"", r"iotrace: [^\n]* is empty\n"),
        "foreign": (b"#!/bin/sh\necho hello\n", r"iotrace: [^\n]* is no capture\n"),
        "cut": (whole[:-10], r"iotrace: [^\n]* ends in the middle of an event: from byte (\d+) on "
                             r"(\d+) are lost; it has no end[^\n]*\n"),
        "hole": (whole[:2000] + b"\xff" * 100 + whole[2100:],
                 r"iotrace: [^\n]* is damaged at byte \d+: \d+ bytes in 1 place cannot be read, "
                 r"\d+ events are missing there\n"),
        "killed": (whole[:whole.rindex(b"\xb8", 0, len(whole) - 20)], r"[^\n]* has no end[^\n]*\n"),
    }
    for name, (data, message) in cases.items():
        file = write("d-" + name, data)
        text = show(file, status=4, message=message)
        law(bool(text) == (len(data) > 1000), f"{name}: {len(text)} bytes shown")
        iotrace("export", file, "-o", path("d.jsonl"), status=4, message=message)
        iotrace("summary", file, status=4, message=message)


def failures():
    iotrace("show", path("is-not-there"), status=125, message="iotrace: cannot open .*No such.*\n")
    iotrace("show", status=125, message="iotrace: iotrace show: name one capture.*\n")
    iotrace("export", path("m.iot"), status=125, message=".*name the output with -o, .*\n")
    iotrace("export", path("m.iot"), "-o", path("m.iot"), status=125, message=".* is read: .*\n")
    iotrace("show", "--no-such", path("m.iot"), status=125, message=".*no option.*\n")
    iotrace("show", "-f", "no-such", path("m.iot"), status=125, message=".*no format.*\n")
    iotrace("export", path("m.iot"), "-o", "/dev/full", "-f", "jsonl", status=125,
            message=".*not complete: No space.*\n")
    law(len(read("m.iot")) > 10000, "the capture was overwritten")
    with open("/dev/full", "wb", 0) as full:
        told = subprocess.run([IOTRACE, "summary", path("m.iot")], stdout=full, stderr=subprocess.PIPE,
                              timeout=PATIENCE, check=False)
    law(told.stderr == b"iotrace: standard output is not complete: No space left on device\n",
        f"{told.stderr}")


def doubtful():
    """Of what is damaged no comparison vouches, and no rule is said to be unused without a word."""
    lines = show("-f", "jsonl", path("m.iot")).splitlines(keepends=True)
    # A stretch twice, and one cut off.
    write("twice.jsonl", b"".join(lines[:12] + lines[8:]))
    write("short.jsonl", b"".join(lines[:-2]) + lines[-2][:20])
    write("status.jsonl", b"".join(re.sub(rb'"status":\d+}', b'"status":65536}', line)
                                   for line in lines))
    for name, why in (("twice.jsonl", b"go back"), ("short.jsonl", b"is damaged"),
                      ("status.jsonl", b"status is 65536")):
        said = iotrace("diff", path(name), path(name), status=4, message=".*")
        law(why in said, f"{said}")
        said = iotrace("check", path("x.iogold"), "--update", "--from", path(name), status=4,
                       message=".*")
        iotrace("rules", "--explain", path(name), status=4,
                message=f".*{name} is incomplete: .*{why.decode()}.*")
        law(why in said and not os.path.exists(path("x.iogold")), f"{said}")


def file_limit():
    """A small RLIMIT_FSIZE, beyond which the agent's ring is, too, ends neither iotrace nor the program."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    said = ".*not complete: File too large; .*\n"
    iotrace("export", path("m.iot"), "-o", path("limited.jsonl"), status=125, message=said,
            preexec_fn=limit)
    out = iotrace("-vvvv", "-o", "-", "--", *TALKER, "20", preexec_fn=limit, message=".*")
    law(out.count(b"sendto") + out.count(b"write") >= 20, f"{out[:300]}")
    iotrace("-o", path("limited.iot"), "--", *TALKER, "2000", status=125, message=said,
            preexec_fn=limit)
    marked = iotrace("-q", "--", "sh", "-c", "kill -XFSZ $$", status=128 + signal.SIGXFSZ, message=".*")
    law(not marked, f"{marked}")


def closed_reader():
    """`iotrace show | head -1` is no failure, and does not go on reading."""
    shower = subprocess.Popen(f"'{IOTRACE}' show '{path('m.iot')}' | head -1", shell=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = shower.communicate(timeout=PATIENCE)
    law(out.count(b"\n") == 1 and not errors, f"{out} {errors}")


def memory():
    """What a file claims costs nothing; one large message is cut, and that is said."""
    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (96 << 20, 96 << 20))
    head = b"\xd9\xd9\xf7\xa7\x64type\x64data\x63seq\x01\x64time\x02\x63dir\x62in\x65layer\x64wire"
    with open(path("huge.iot"), "wb") as file:
        file.write(head + b"\x63len\x1a\x30\0\0\0\x67payload\x5a\x30\0\0\0")
        file.truncate(len(head) + 22 + 0x30000000)
    text = iotrace("show", "-vvvv", path("huge.iot"), message="iotrace: .* 1 messages are longer than "
                   "16777216 bytes and were cut; --max-bytes allows more\n",
                   preexec_fn=None if SANITIZED else limit)
    law(b"805306368 bytes (16777216 kept)" in text[:300], f"{text[:300]}")
    write("claim.iot", head + b"\x63len\x1b\x7f\xff\xff\xff\xff\xff\xff\xff"
                              b"\x67payload\x5b\x7f\xff\xff\xff\xff\xff\xff\xff")
    show(path("claim.iot"), status=4, message=".*ends in the middle of an event.*\n",
         preexec_fn=None if SANITIZED else limit)
    os.unlink(path("huge.iot"))


LARGE = (1000 if int(os.environ.get("IOTRACE_TEST_SCALE", "1")) >= 100 else 100) << 20


def large():
    """However large it is, showing it takes at most 64 MB: here captures behind each other, which are one."""
    whole, times = read("m.iot"), 0
    with open(path("large.iot"), "wb") as file:
        while file.tell() < LARGE:
            file.write(whole)
            times += 1
    lines = most = 0
    with subprocess.Popen([IOTRACE, "show", "-vvvv", path("large.iot")],
                          stdout=subprocess.PIPE) as shower:
        while block := shower.stdout.read(1 << 18):
            lines += block.count(b"\n")
            most = resident(shower.pid) or most
    os.unlink(path("large.iot"))
    law(shower.returncode == 0, f"it ends with {shower.returncode}")
    law(lines == times * read("m.txt").count(b"\n"), f"{lines} lines")
    print(f"{most >> 20} MiB for {LARGE >> 20} MiB")
    law(most and (SANITIZED or most <= 64e6), f"{most} bytes of memory")


def resident(pid):
    """The most that its memory ever was, in bytes; 0 when it has ended. (wait4 tells our own as well.)"""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status.read(), re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def terminal(argv, env):
    """Runs it on a terminal of its own; what that has shown, and the status."""
    pid, master = pty.fork()
    if not pid:
        os.execve(argv[0], argv, dict(os.environ, **env))
    shown = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(master)
    return shown, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def pager():
    iot, paged = os.path.abspath(IOTRACE), path("paged")
    env = {"PAGER": f"cat >'{paged}'", "TERM": "xterm", "NO_COLOR": ""}
    shown, status = terminal([iot, "show", "-vvvv", path("m.iot")], env)
    law(status == 0 and not shown, f"not all went to the pager: {shown[:100]}")
    law(re.sub(rb"\x1b\[\d*m", b"", read("paged")) == read("m.txt"), "the pager got another text")
    law(b"\x1b[" in read("paged"), "the pager got no colours")
    for more in ["--no-pager"], []:
        shown, status = terminal([iot, "show", "-vvvv", *more, path("m.iot")],
                                 dict(env, PAGER=env["PAGER"] if more else "", NO_COLOR="1"))
        law(status == 0 and shown.replace(b"\r\n", b"\n").count(b"\n") ==
            read("m.txt").count(b"\n"), "without a pager it goes to the terminal")


def binary_to_terminal():
    shown, status = terminal([os.path.abspath(IOTRACE), "show", "-f", "iot", path("m.iot")], {})
    law(status == 125 and b"not for a terminal" in shown, f"{shown}")


def progress():
    """A bar for what takes more than a second."""
    data = read("m.iot")
    command = f"(head -c 5000 '{path('m.iot')}'; sleep 1.3; tail -c +5001 '{path('m.iot')}') | " \
              f"'{os.path.abspath(IOTRACE)}' export - -o '{path('b.jsonl')}'"
    shown, status = terminal(["/bin/sh", "-c", command], {})
    law(status == 0 and b" MB/s" in shown, f"{shown}")
    law(read("b.jsonl").count(b"\n") == show("-f", "jsonl", path("m.iot")).count(b"\n"), "lines")
    shown, status = terminal([os.path.abspath(IOTRACE), "export", path("m.iot"), "-o",
                              path("b.jsonl")], {})
    law(status == 0 and not shown, f"{shown}")


def modes():
    """They hold secrets."""
    for name in "m.iot", "b.jsonl", "c.iot":
        law(os.stat(path(name)).st_mode & 0o777 == 0o600, name)


SANITIZED = b"__asan_init" in open(IOTRACE, "rb").read()
CASES = [rotate, rotate_compressed, compress, follow, pipe, selection, levels, max_bytes, relative, colors,
         damage, failures, doubtful, file_limit, closed_reader, memory, large, pager, binary_to_terminal, progress,
         modes]

signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
failed = False
with tempfile.TemporaryDirectory() as HOME:
    for case in CASES:
        if len(sys.argv) > 1 and case.__name__ not in sys.argv[1:] + ["max_bytes"]:
            continue
        started = time.monotonic()
        try:
            case()
            verdict = "ok"
        except Broken as broken:
            verdict, failed = f"FAILED: {broken}", True
        except Exception:
            verdict, failed = f"FAILED: {traceback.format_exc()}", True
        print(f"{case.__name__} ({time.monotonic() - started:.1f} s): {verdict}", flush=True)
sys.exit(failed)
