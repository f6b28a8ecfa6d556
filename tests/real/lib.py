"""What the tests with real programs share: processes, with and without iotrace, and the proxy.

    def one_byte(test):
        test.need("curl")
        ...
    lib.main(one_byte, ...)

A test process has a loopback address of its own (test.host), so that servers of tests that run at
the same time never want the same port. Whatever a test has started is gone when it ends.
"""
import ctypes
import filecmp
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../law"))
import laws
import oracle
from oracle import Failure, expect

IOTRACE = os.environ.get("IOTRACE", "iotrace")
BUILT = os.environ.get("IOTRACE_REAL", ".")  # where the proxy and the Go programs are
SCALE = int(os.environ.get("IOTRACE_TEST_SCALE", "1"))
LARGE = SCALE >= 100
with open(IOTRACE, "rb") as program:
    SANITIZED = b"__asan_init" in program.read()
PATIENCE = 1500 if LARGE else 60  # seconds for one thing to happen
PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.geteuid() == 0

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
libc = ctypes.CDLL(None)


class Skip(Exception):
    pass


class Process:
    """
    A started program; `status` is the shell's view of how it ended. `watch`: standard output can be
    awaited, `merge`: and standard error with it.
    """

    def __init__(self, test, name, argv, *, traced=False, options=(), stdin=None, watch=False,
                 merge=False, pass_fds=(), **popen):
        self.name, self.traced = name, traced
        self.stdout, self.stderr = test.path(name + ".out"), test.path(name + ".err")
        self.capture_path = test.path(name + ".jsonl")
        self.base = test.path(name)
        if traced:
            argv = [IOTRACE, *laws.options(self.base), *options, "--", *argv]
        with open(self.stdout, "wb") as out, open(self.stderr, "wb") as err:
            self.popen = subprocess.Popen(
                argv, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE if watch else out,
                stderr=subprocess.STDOUT if merge else err, start_new_session=True,
                preexec_fn=die_with_parent, pass_fds=pass_fds, **popen)
        self.pidfd = os.pidfd_open(self.popen.pid)
        self.changed = threading.Condition()
        self.seen, self.over = b"", False
        self.reader = threading.Thread(target=self._read, daemon=True) if watch else None
        if watch:
            self.reader.start()

    def _read(self):
        with open(self.stdout, "ab") as out:
            while data := os.read(self.popen.stdout.fileno(), 1 << 16):
                out.write(data)
                out.flush()
                with self.changed:
                    self.seen += data
                    self.changed.notify_all()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def await_output(self, pattern):
        """The match in what the program has written to standard output, as soon as it is there."""
        def match():
            return re.search(pattern.encode(), self.seen, re.MULTILINE)
        with self.changed:
            self.changed.wait_for(lambda: match() or self.over, PATIENCE)
            expect(match(), f"{self.name} did not write {pattern!r}: {self.told()}")
            return match()

    def await_listening(self, host, port):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection((host, port), PATIENCE).close()
                return
            except ConnectionRefusedError:
                pass
            expect(not self.ended(0.005), f"{self.name} ended at once: {self.told()}")
            expect(time.monotonic() < until, f"{self.name} does not listen: {self.told()}")

    def ended(self, seconds):
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def wait(self):
        expect(self.ended(PATIENCE), f"{self.name} does not end: {self.told()}")
        status = self.popen.wait()
        if self.reader:
            self.reader.join(PATIENCE)
            expect(not self.reader.is_alive(), f"{self.name} has left a process behind")
        return status if status >= 0 else 128 - status

    def stop(self, number=signal.SIGTERM):
        expect(not self.ended(0), f"{self.name} had ended: {self.told()}")
        self.popen.send_signal(number)
        return self.wait()

    def capture(self, layer="wire"):
        """What was captured; and each capture keeps the laws."""
        keep_laws(laws.check, self.base)
        return oracle.Capture(self.capture_path, layer)

    def told(self):
        """The end of what it has written, for messages."""
        with open(self.stdout, "rb") as out, open(self.stderr, "rb") as err:
            return f"\n    stdout {out.read()[-1000:]!r}\n    stderr {err.read()[-2000:]!r}"


def keep_laws(check, base):
    """check: laws.check, or laws.check_facts."""
    try:
        check(base)
    except laws.Broken as broken:
        raise Failure(f"a law is broken: {broken}") from None


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Proxy:
    """Records what goes through; on one port for its life, though `take` begins a new record."""
    layer = "wire"

    def __init__(self, test, target, kind="tcp", host="127.0.0.1"):
        self.test, self.target, self.kind, self.host = test, target, kind, host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(
            family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.address = address(host, self.port)
        self._begin()

    def _begin(self):
        self.directory = tempfile.mkdtemp(prefix="proxy-", dir=self.test.dir)
        self.process = self.test.start(
            [os.path.join(BUILT, "proxy"), self.kind, "--listen", f"fd:{self.socket.fileno()}",
             self.target, self.directory],
            name=os.path.basename(self.directory), pass_fds=[self.socket.fileno()])
        self.process.await_output(r"^\d+$")

    def take(self):
        """The connections since it was last called, all of them ended."""
        status = self.process.stop()
        expect(status == 0, f"the proxy failed: {self.process.told()}")
        proxied = oracle.load_index(self.directory)
        self._begin()
        return proxied


class UnixProxy:
    """The same between two paths of local sockets, once."""

    def __init__(self, test, target, listen):
        self.directory = tempfile.mkdtemp(prefix="proxy-", dir=test.dir)
        if os.path.exists(listen):
            os.unlink(listen)
        self.process = test.start([os.path.join(BUILT, "proxy"), "tcp", "--listen", f"unix:{listen}",
                                   f"unix:{target}", self.directory], name=os.path.basename(self.directory))
        self.process.await_output(r".")

    def end(self):
        status = self.process.stop()
        expect(status == 0, f"the proxy failed: {self.process.told()}")
        return oracle.load_index(self.directory)


def address(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Test:
    def __init__(self):
        pid = os.getpid()
        self.host = f"127.{64 + (pid >> 16 & 63)}.{pid >> 8 & 255}.{pid & 255}"
        self.dir = tempfile.mkdtemp(prefix="iotrace-real-")
        os.chmod(self.dir, 0o755)  # servers that give up root read here
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        kill_descendants()
        if not os.environ.get("IOTRACE_TEST_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def need(self, *programs):
        for program in programs:
            if not shutil.which(program):
                raise Skip(f"{program} is not installed")

    def free_port(self, host=None):
        """A port that no other test will take: nobody else has this address."""
        with socket.socket() as probe:
            probe.bind((host or self.host, 0))
            return probe.getsockname()[1]

    def write(self, name, content):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def _name(self, argv, traced):
        self.count += 1
        program = os.path.basename(argv[0])
        return f"{self.count}-{program}{'-traced' if traced else ''}"

    def start(self, argv, *, name=None, traced=False, **more):
        """A server: its standard output can be awaited."""
        argv = [str(arg) for arg in argv]
        return Process(self, name or self._name(argv, traced), argv, traced=traced, watch=True,
                       **more)

    def begin(self, argv, *, traced=False, **more):
        """A client, to be waited for."""
        argv = [str(arg) for arg in argv]
        return Process(self, self._name(argv, traced), argv, traced=traced, **more)

    def run(self, argv, **more):
        process = self.begin(argv, **more)
        process.status = process.wait()
        return process

    def same(self, native, traced, clean=lambda output: output, stderr=True):
        """Two ended processes: the same status, and the same output once `clean` has seen it."""
        expect(native.status == traced.status,
               f"{traced.name} ended with {traced.status}, untraced with {native.status}: "
               f"{traced.told()}")
        outputs = [(native.stdout, traced.stdout), (native.stderr, traced.stderr)]
        for one, other in outputs[:1 + stderr]:
            if filecmp.cmp(one, other, shallow=False):
                continue
            with open(one, "rb") as first, open(other, "rb") as second:
                oracle.differ(other, clean(second.read()), clean(first.read()),
                              ("traced", "untraced"))

    def check_client(self, proxy, argv, at_least=1, status=0, **same):
        """Runs a client of the proxy, then runs it traced, and compares; returns both ways' all."""
        stdin = same.pop("stdin", None)
        more = {key: same.pop(key) for key in ("env", "cwd") if key in same}

        def run(traced):
            with open(stdin or os.devnull, "rb") as file:
                process = self.run(argv, traced=traced, stdin=file, **more)
            return process, proxy.take()

        native, _ = run(False)
        expect(native.status == status, f"{native.name} cannot be used: {native.told()}")
        traced, proxied = run(True)
        self.same(native, traced, **same)
        oracle.compare(traced.capture(proxy.layer), proxied, oracle.CLIENT, at_least)
        return traced, proxied

    def check_server(self, serve, drive, at_least=1, number=signal.SIGTERM, kind="tcp",
                     proxy_to=None, tapped=False, **same):
        """
        serve(traced) starts the server and returns it with its address; drive(proxy) uses it and
        returns its clients, ended. All that once without iotrace and once with it. proxy_to(target)
        makes another proxy than the plain one. tapped: nearly all calls are to be taken by the tap.
        """
        def run(traced):
            server, target = serve(traced)
            proxy = proxy_to(target) if proxy_to else Proxy(self, target, kind)
            clients = drive(proxy)
            proxied = proxy.take()
            server.status = server.stop(number)
            return server, clients, proxy, proxied

        native, clients, _, _ = run(False)
        traced, traced_clients, proxy, proxied = run(True)
        for one, other in zip(clients, traced_clients, strict=True):
            self.same(one, other)
        self.same(native, traced, stderr=False, **same)  # that is logs, with pids and times
        capture = traced.capture(proxy.layer)
        oracle.compare(capture, proxied, oracle.SERVER, at_least)
        if tapped:
            expect_tapped(capture)
        return traced, proxied


def has_tap():
    """Can this machine record calls inside programs?"""
    done = subprocess.run([IOTRACE, "--engine", "tap", "-o", "/dev/null", "--", "true"],
                          capture_output=True, check=False)
    if done.returncode:
        expect(done.returncode == 125, f"--engine tap: {done}")
        print(f"no tap: {done.stderr}")
    return not done.returncode


def expect_tapped(capture, share=0.95):
    """So many of the calls were recorded inside the program, where this machine can do that."""
    calls = capture.events[-1]["calls"]
    if not has_tap():
        return
    print(f"calls: {calls}")
    expect(calls["tap"] >= share * (calls["tap"] + calls["stop"]), f"calls by the tap: {calls}")


def await_content(path, pattern):
    """Until a file that somebody else writes has a line that matches."""
    until = time.monotonic() + PATIENCE
    while True:
        with open(path, "rb") if os.path.exists(path) else open(os.devnull, "rb") as file:
            content = file.read()
        if re.search(pattern, content, re.MULTILINE):
            return
        expect(time.monotonic() < until, f"no {pattern} in {content[-1000:]}")
        time.sleep(0.02)


def nothing(_):
    """To `clean` output that is a log as well."""
    return b""


def noise(size, seed=1):
    """The same bytes every time, and no two places alike."""
    return random.Random(seed).randbytes(size)


def all_parents():
    """Of every process that is alive, by pid."""
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] not in (b"Z", b"X"):
            parents[int(pid)] = int(fields[1])
    return parents


def descendants():
    parents, found = all_parents(), {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def kill_descendants():
    """We are their reaper, so whatever daemons they left behind are ours, too."""
    until = time.monotonic() + PATIENCE
    while (alive := descendants()) and time.monotonic() < until:
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            pass


def run_case(case):
    started = time.monotonic()
    verdict = "ok"
    try:
        with Test() as test:
            case(test)
    except Skip as reason:
        verdict = f"skipped: {reason}"
    except Failure as failure:
        verdict = f"FAILED: {failure}"
    except Exception:
        verdict = f"FAILED: {traceback.format_exc()}"
    print(f"{case.__name__} ({time.monotonic() - started:.1f} s): {verdict}", flush=True)
    return verdict.partition(":")[0]


def main(*cases):
    """Runs the cases, or those that are named as arguments."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with the cleaning up
    names = sys.argv[1:]
    verdicts = [run_case(case) for case in cases if not names or case.__name__ in names]
    sys.exit(1 if "FAILED" in verdicts else 0 if "ok" in verdicts else 77)
