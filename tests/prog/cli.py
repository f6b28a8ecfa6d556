#!/usr/bin/python3
"""The command line: where events go, what is refused, and that the program is none the wiser.

usage: cli.py TALK [unittest's own]   TALK: talk.c, built; HOSTILE beside it. IOTRACE: the program.
"""
import faulthandler
import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

IOTRACE = os.environ["IOTRACE"]
TALK = os.path.abspath(sys.argv[1])
HOSTILE = os.path.join(os.path.dirname(TALK), "hostile")
LIMIT = 60


def events(raw):
    return [json.loads(line) for line in raw.decode("utf-8").split("\n")[:-1]]


def payload(lines, way):
    return "".join(e["text"] for e in lines if e["type"] == "data" and e["dir"] == way)


def said(count):
    return "".join("hello %d\n" % i for i in range(count))


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.marker = self.path("marker")

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_it(self, *argv, **more):
        return subprocess.run([IOTRACE, *argv], capture_output=True, timeout=LIMIT,
                              check=False, **more)

    def talk(self, *options, count=3, status=7, **more):
        return self.run_it(*options, "--", TALK, "talk", str(count), str(status), self.marker,
                           **more)

    def complete(self, lines, count=3):
        self.assertEqual([e["seq"] for e in lines], list(range(1, len(lines) + 1)))
        self.assertEqual((lines[0]["type"], lines[-1]["type"]), ("iotrace", "end"))
        self.assertEqual(payload(lines, "out"), said(count))
        self.assertEqual(payload(lines, "in"), said(count))

    def refused(self, result, *words):
        """With a message, and before the program was started."""
        self.assertEqual(result.returncode, 125, result.stderr)
        self.assertTrue(result.stderr.startswith(b"iotrace: "), result.stderr)
        for word in words:
            self.assertIn(word, result.stderr.decode())
        self.assertFalse(os.path.exists(self.marker), "the program was started")


class Usage(Case):
    def test_help_and_version(self):
        for option in ("-h", "--help", "-V", "--version"):
            result = self.run_it(option)
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            self.assertIn(b"iotrace", result.stdout)

    def test_no_program(self):
        self.refused(self.run_it(), "--help")
        self.refused(self.run_it("--"))
        self.refused(self.run_it("-o", self.path("x.jsonl")))

    def test_unknown_option(self):
        self.refused(self.talk("--frobnicate"), "--frobnicate", "--help")
        self.refused(self.talk("-Q"), "-Q")

    def test_bad_values(self):
        self.refused(self.talk("-f", "morse"), "morse")
        self.refused(self.talk("--color", "purple"), "purple")
        self.refused(self.talk("--pin=yes"), "--pin")
        self.refused(self.run_it("-o"), "-o")

    def test_program_by_path_variable(self):
        result = self.run_it("-vvvv", "true")
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"start", result.stderr)

    def test_options_of_the_program_are_its_own(self):
        result = self.run_it("-o", self.path("x.jsonl"), "echo", "-o", "y", "--", "--help")
        self.assertEqual((result.returncode, result.stdout), (0, b"-o y -- --help\n"))


class Failing(Case):
    def test_not_found(self):
        for name in ("no-such-program", self.path("nothing")):
            # Where it is looked for must be readable for all.
            result = self.run_it("--", name, env={"PATH": "/usr/bin:/bin"})
            self.assertEqual(result.returncode, 127, result.stderr)
            self.assertIn(name.encode(), result.stderr)

    def test_not_executable(self):
        with open(self.path("plain"), "w", encoding="utf-8") as file:
            file.write("no program\n")
        for name in (self.path("plain"), self.directory.name):
            result = self.run_it("--", name)
            self.assertEqual(result.returncode, 126, result.stderr)
            self.assertIn(name.encode(), result.stderr)

    def test_status(self):
        for script, status in (("exit 0", 0), ("exit 77", 77), ("exit 255", 255),
                               ("kill -TERM $$", 143), ("kill -KILL $$", 137)):
            result = self.run_it("-o", self.path("x.jsonl"), "sh", "-c", script)
            self.assertEqual((result.returncode, result.stderr), (status, b""))

    def test_under_itself(self):
        # An iotrace with LeakSanitizer has a message of that, too.
        result = self.run_it("--lsan-off", "-o", self.path("outer.jsonl"), "--", IOTRACE, "-o",
                             self.path("inner.jsonl"), "--", TALK, "talk", "1", "0", self.marker)
        self.refused(result, "trace")

    def test_killed_takes_the_program_along(self):
        """It could make no traced call without a tracer."""
        process = subprocess.Popen([IOTRACE, "-o", self.path("x.jsonl"), TALK, "pause"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        program = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
        self.assertEqual(process.wait(LIMIT), -signal.SIGKILL)
        ended, _, _ = select.select([program], [], [], LIMIT / 4)
        if not ended:
            signal.pidfd_send_signal(program, signal.SIGKILL)
        self.assertTrue(ended, "the program lives on")
        os.close(program)
        process.stdout.close()


class Outputs(Case):
    def test_live_text_is_on_standard_error(self):
        result = self.talk("-vvvv")
        self.assertEqual(result.returncode, 7)
        self.assertEqual(result.stdout, b"said on standard output\n")
        self.assertIn(b"    hello 2\n", result.stderr)
        self.assertIn(b"said on standard error\n", result.stderr)

    def test_levels(self):
        """What nobody understands is one line, its bytes with -vv; errors and totals always."""
        for level, said in (("-q", False), ("-v", False), ("-vv", True), ("-vvv", True)):
            result = self.talk(level)
            text = [line for line in result.stderr.decode().split("\n")[:-1]
                    if not line.startswith("said")]
            self.assertEqual(b"    hello 2\n" in result.stderr, said, result.stderr)
            self.assertRegex(text[-1], r"iotrace: 0 exchanges, \d connections?, ")
            self.assertEqual(any("not decoded" in line for line in text), level != "-q", text)

    def test_file_leaves_standard_error_alone(self):
        result = self.talk("-o", self.path("x.jsonl"))
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (7, b"said on standard output\n", b"said on standard error\n"))
        self.complete(events(self.read("x.jsonl")))
        mode = stat.S_IMODE(os.stat(self.path("x.jsonl")).st_mode)
        self.assertEqual(mode, 0o600)

    def test_live_beside_a_file(self):
        result = self.talk("-vvvv", "--live", "-o", self.path("x.jsonl"))
        self.assertIn(b"    hello 2\n", result.stderr)
        self.complete(events(self.read("x.jsonl")))

    def test_several(self):
        result = self.talk("-vvvv", "-f", "hex", "-o", self.path("a.jsonl"), "-o", self.path("b.txt"),
                           "-o", self.path("c"), "-o", self.path("d.jsonl"))
        self.assertEqual(result.returncode, 7)
        self.complete(events(self.read("a.jsonl")))
        self.assertEqual(self.read("a.jsonl"), self.read("d.jsonl"))
        self.assertIn(b"    hello 2\n", self.read("b.txt"))
        self.assertIn(b"68 65 6c 6c 6f 20 32 0a", self.read("c"))
        self.assertNotIn(b"    hello", self.read("c"))

    def test_standard_output(self):
        result = self.talk("-f", "jsonl", "-o", "-")
        self.assertEqual(result.returncode, 7)
        self.complete(events(result.stdout))
        self.assertEqual(sorted(result.stderr.split(b"\n")),
                         [b"", b"said on standard error", b"said on standard output"])

    def test_command(self):
        # It takes its time, and is waited for: by iotrace, so nobody waits for its outputs here.
        status = subprocess.run(
            [IOTRACE, "-f", "jsonl", "-o", "|cat > %s; sleep 0.2; mv %s %s" % (
                self.path("part"), self.path("part"), self.path("piped")), "--", TALK, "talk",
             "3", "7"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT,
            check=False).returncode
        self.assertEqual(status, 7)
        self.complete(events(self.read("piped")))

    def test_drop(self):
        """An output that takes nothing: the program goes on, and all that is not kept is counted."""
        count, gate = 20000, self.path("gate")
        os.mkfifo(gate)
        process = subprocess.Popen(
            [IOTRACE, "--drop", "--queue", "64k", "-f", "jsonl",
             "-o", "|read go < %s; cat > %s" % (gate, self.path("kept")),
             "--", TALK, "talk", str(count), "7"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # It says so when it has moved everything; only then the output goes on.
        self.assertEqual(process.stdout.readline(), b"said on standard output\n")
        with open(gate, "w", encoding="utf-8") as file:
            file.write("go\n")
        stderr = process.communicate(timeout=LIMIT)[1]
        self.assertEqual(process.returncode, 7, stderr)
        lines = events(self.read("kept"))
        losses = [e for e in lines if e["type"] == "loss"]
        self.assertEqual({e["reason"] for e in losses}, {"queue-full"}, losses)
        self.assertIn(b"queue-full", stderr)
        self.assertEqual([e["seq"] for e in lines], list(range(1, len(lines) + 1)))
        data = [e for e in lines if e["type"] == "data"]
        self.assertLess(len(data), 2 * count)
        self.assertEqual(len(data) + sum(e["calls"] for e in losses), 2 * count)
        self.assertEqual(sum(e["len"] for e in data) + sum(e["bytes"] for e in losses),
                         2 * len(said(count)))
        self.assertEqual(lines[-1]["loss"], {"bytes": sum(e["bytes"] for e in losses),
                                             "calls": sum(e["calls"] for e in losses)})

    def test_unwritable(self):
        for name in ("/nonexistent/directory/x.jsonl", self.directory.name):
            self.refused(self.talk("-o", name), name)
        self.refused(self.talk("-o", self.path("fine.jsonl"), "-o", "/nonexistent/x"), "/nonexist")
        if os.getuid():
            os.mkdir(self.path("closed"), 0o500)
            self.refused(self.talk("-o", self.path("closed/x.jsonl")), "Permission denied")

    def test_disk_full(self):
        result = self.talk("-f", "jsonl", "-o", "/dev/full", "-o", self.path("x.jsonl"),
                           count=2000)
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"/dev/full", result.stderr)
        self.assertIn(b"No space left", result.stderr)
        self.assertTrue(os.path.exists(self.marker), "the program did not go on")
        self.complete(events(self.read("x.jsonl")), 2000)

    def test_closed_output(self):
        result = self.talk("-o", "-", preexec_fn=lambda: os.close(1))
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"standard output is not complete: Bad file descriptor", result.stderr)

    def test_reader_that_goes_away(self):
        """iotrace -o - -- PROGRAM | head -1"""
        process = subprocess.Popen(
            [IOTRACE, "-f", "jsonl", "-o", "-", "--", TALK, "talk", "3000", "7", self.marker],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = json.loads(process.stdout.readline())
        self.assertEqual(first["type"], "iotrace")
        process.stdout.close()
        stderr = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(LIMIT), 7, stderr)
        self.assertTrue(os.path.exists(self.marker), "the program did not go on")

    def test_command_that_goes_away(self):
        result = self.talk("-f", "jsonl", "-o", "|head -1 > " + self.path("first"), count=3000)
        self.assertEqual(result.returncode, 7, result.stderr)
        self.assertTrue(os.path.exists(self.marker), "the program did not go on")
        self.assertEqual(json.loads(self.read("first"))["type"], "iotrace")

    def test_written_before_it_waits(self):
        """What was said is in the file while the program blocks."""
        process = subprocess.Popen([IOTRACE, "-o", self.path("x.jsonl"), TALK, "wait"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        self.assertIn(b"said", process.stdout.readline())
        until = time.monotonic() + 10
        while payload(events(self.read("x.jsonl")), "in") != said(1):
            self.assertLess(time.monotonic(), until, "it is not written")
            time.sleep(0.01)
        process.stdin.close()
        process.stdout.close()
        self.assertEqual(process.wait(LIMIT), 0)


class Engine(Case):
    """-v says why calls are not recorded inside a process; otherwise nobody is bothered."""
    SAID = b"are stopped at, not recorded inside"

    def test_explained(self):
        done = self.talk("-v", "--stack")
        self.assertIn(self.SAID + b" it: --stack needs the thread where it was", done.stderr)
        self.assertEqual(done.stderr.count(self.SAID), 1)

    # As browsers reserve all of the lowest 4 GiB.
    TAKEN = ("import ctypes, socket, sys; m = ctypes.CDLL(None).mmap; "
             "m.restype = m.argtypes = None; "
             "m(ctypes.c_long(0x7a700000), ctypes.c_long(4096), 0, 0x32, -1, ctypes.c_long(0)); "
             "print('ready', flush=True); sys.stdin.readline(); "
             "a, b = socket.socketpair(); a.send(b'hello'); assert b.recv(9) == b'hello'")
    WHY = SAID + b" it: it has mapped something where the agent"

    def test_taken(self):
        done = self.run_it("-v", "--unix", "--", sys.executable, "-c", self.TAKEN)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(self.WHY, done.stderr)

    def test_taken_attached(self):
        with subprocess.Popen([sys.executable, "-c", self.TAKEN], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as program:
            program.stdout.readline()
            with subprocess.Popen([IOTRACE, "-v", "--unix", "--engine", "tap", "-p",
                                   str(program.pid)], stderr=subprocess.PIPE) as tracer:
                said = tracer.stderr.readline()
                while said and self.WHY not in said:
                    said = tracer.stderr.readline()
                program.stdin.close()
                self.assertEqual(program.wait(LIMIT), 0)
                self.assertIn(self.WHY, said)

    def test_silent(self):
        for options in ("--stack",), ("-v", "--engine", "stop"):
            self.assertNotIn(self.SAID, self.talk(*options).stderr)


class Terminal(Case):
    def on_terminal(self, *argv, **env):
        """Standard error is a terminal: what comes there."""
        ours, theirs = pty.openpty()
        output = []

        def collect():
            try:
                while data := os.read(ours, 65536):
                    output.append(data)
            except OSError:
                pass

        reader = threading.Thread(target=collect)
        reader.start()
        environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        environment["TERM"] = "xterm"
        environment.update(env)
        result = subprocess.run([IOTRACE, *argv], stdout=subprocess.DEVNULL, stderr=theirs,
                                stdin=subprocess.DEVNULL, env=environment, timeout=LIMIT,
                                check=False)
        os.close(theirs)
        reader.join(LIMIT)
        os.close(ours)
        return result.returncode, b"".join(output)

    def colored(self, *options, **env):
        status, output = self.on_terminal("-vvvv", *options, "--", TALK, "talk", "1", "0", **env)
        self.assertEqual(status, 0)
        self.assertIn(b"hello 0", output)
        return b"\x1b[" in output

    def test_color(self):
        self.assertTrue(self.colored())
        self.assertTrue(self.colored(NO_COLOR=""))
        self.assertFalse(self.colored(NO_COLOR="1"))
        self.assertFalse(self.colored(TERM="dumb"))
        self.assertFalse(self.colored("--color", "never"))
        self.assertTrue(self.colored("--color", "always", NO_COLOR="1"))

    def test_no_color_without_terminal(self):
        self.assertNotIn(b"\x1b", self.talk().stderr)
        self.assertIn(b"\x1b[", self.talk("--color", "always").stderr)

    def test_nothing_raw(self):
        """Neither the payload's escapes nor the names' reach a terminal."""
        for options in (("--color", "never"), ("-vvv", "--color", "never"),
                        ("-vvvv", "--color", "never"), ("-f", "hex", "--color", "never"),
                        ("-f", "jsonl"), ("-f", "messages")):
            _, output = self.on_terminal(*options, "--", HOSTILE)
            text = output.replace(b"\r\n", b"\n").decode("utf-8")
            raw = {c for c in text if c != "\n" and (c < " " or "\x7f" <= c <= "\x9f")}
            self.assertFalse(raw)
            self.assertNotIn("\u202e", text)
            self.assertFalse([line for line in text.split("\n") if line.startswith("::")])


class Signals(Case):
    def start(self, *argv):
        process = subprocess.Popen([IOTRACE, "-o", self.path("x.jsonl"), TALK, *argv],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        self.assertIn(b"said", process.stdout.readline())
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stdout.close)
        return process

    def test_passed_on(self):
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            process = self.start("wait", str(int(sig)))
            process.send_signal(sig)
            self.assertEqual(process.wait(LIMIT), 3, sig)
            self.assertEqual(events(self.read("x.jsonl"))[-1]["type"], "end")

    def test_deadly_by_default(self):
        process = self.start("wait")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(LIMIT), 128 + signal.SIGTERM)
        exits = [e for e in events(self.read("x.jsonl")) if e.get("event") == "exit"]
        self.assertEqual([e["signal"] for e in exits], [signal.SIGTERM])

    def test_after_the_program(self):
        """While the last events are written there is nobody to pass it on to."""
        process = subprocess.Popen(
            [IOTRACE, "-f", "jsonl", "-o", "|cat > /dev/null; echo ended; cat <&3", "true"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **self.gate())
        self.assertEqual(process.stdout.readline(), b"ended\n")
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        self.gate_end.close()
        self.assertEqual(process.wait(LIMIT), 0)
        process.stdout.close()
        process.stderr.close()

    def gate(self):
        """A pipe as descriptor 3, whose end the test holds open."""
        reader, writer = os.pipe()
        self.gate_end = os.fdopen(writer, "wb")
        self.addCleanup(os.close, reader)
        return {"preexec_fn": lambda: os.dup2(reader, 3), "pass_fds": (3,)}

    def test_interrupted_twice(self):
        process = self.start("ignore", str(int(signal.SIGINT)))
        process.send_signal(signal.SIGINT)
        # Two that are pending at once are one: until it is gone.
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        self.assertEqual(process.returncode, 130)
        lines = events(self.read("x.jsonl"))
        self.assertEqual(lines[-1]["type"], "end")


class Descriptors(Case):
    """The program has those that it has alone: none of iotrace's, and none where there is none."""

    def open_ones(self, command, closed):
        name = self.path("fds")
        if os.path.exists(name):
            os.unlink(name)

        def close():
            for fd in closed:
                os.close(fd)

        status = subprocess.run(
            command + [TALK, "fds", name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=close, timeout=LIMIT, check=False).returncode
        self.assertEqual(status, 0, closed)
        return self.read("fds")

    def test_closed_ones(self):
        for number in range(8):
            closed = [fd for fd in range(3) if number & 1 << fd]
            alone = self.open_ones([], closed)
            traced = self.open_ones([IOTRACE, "-o", self.path("x.jsonl"), "--"], closed)
            self.assertEqual(traced, alone, closed)
            self.assertEqual(events(self.read("x.jsonl"))[-1]["type"], "end")

    def test_messages_do_not_go_into_the_capture(self):
        """A loss is said on standard error: not on what has its number where there is none."""
        for closed in ((2,), (1, 2), (0, 1, 2)):
            def close():
                for fd in closed:
                    os.close(fd)

            status = subprocess.run(
                [IOTRACE, "-o", self.path("x.jsonl"), "-o", self.path("y.jsonl"), "--", TALK,
                 "discard"], preexec_fn=close, timeout=LIMIT, check=False).returncode
            self.assertEqual(status, 4, closed)
            lines = events(self.read("x.jsonl"))
            self.assertIn("loss", [e["type"] for e in lines])
            self.assertEqual(self.read("x.jsonl"), self.read("y.jsonl"))

    def test_several_outputs(self):
        alone = self.open_ones([], [])
        traced = self.open_ones([IOTRACE, "-o", self.path("x.jsonl"), "-o", self.path("y.txt"),
                                 "-o", "|cat >/dev/null", "--"], [])
        self.assertEqual(traced, alone)

    def test_standard_input_is_the_programs(self):
        result = subprocess.run([IOTRACE, "-o", self.path("x.jsonl"), "cat"], input=b"for cat",
                                capture_output=True, timeout=LIMIT, check=False)
        self.assertEqual((result.returncode, result.stdout), (0, b"for cat"))


if __name__ == "__main__":
    # Where it hangs, should it do so.
    faulthandler.dump_traceback_later(LIMIT + 40, exit=True)
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
