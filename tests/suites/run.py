#!/usr/bin/python3
"""
Other projects' tests, alone and with iotrace in front: each must end as it does alone.

    tests/suites/run.py [--iotrace PATH] [--engine auto|stop]... [--keep DIR] [SUITE[:TEST]...]

Without names all of them. A test that ends otherwise is run again on its own, alone and traced,
some times, as many of these tests depend on the machine's speed. differences.txt has those that
differ by their nature, and why. Exit status 1: another one differs; 77: nothing could be run.
"""
import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
AGAIN = 3
LIMIT = 1800  # seconds for a suite


class Skip(Exception):
    pass


class Python:
    """CPython's, where Debian's libpython3.11-testsuite is installed."""

    def __init__(self, module, excluded=()):
        self.module, self.excluded = module, excluded

    def prepare(self, _):
        if subprocess.run([PYTHON, "-c", "import test.test_socket"], capture_output=True).returncode:
            raise Skip("libpython3.11-testsuite is not installed")

    def command(self, tests, out):
        names = [test.removeprefix("test.") for test in tests] or [self.module]
        more = [word for pattern in self.excluded for word in ("-x", pattern)]
        return [PYTHON, "-B", os.path.join(HERE, "verdicts.py"), out, *more, *names], None

    def verdicts(self, out, _):
        with open(out, encoding="utf-8") as lines:
            return dict(line.split() for line in lines)

    def single(self, test):
        """Of a class as a whole there is only the class."""
        return re.sub(r"^\w+ \((.*)\)$", r"\1", test)


class Go:
    """Of the Go that is installed, in -test.short."""
    # As many threads as can be in a breakpoint at once, and stacks and buffers that move at any time.
    BUSY = {"flags": ["-test.cpu=8"], "env": {"GOGC": "1"}}

    def __init__(self, package, excluded=(), flags=(), env=None):
        self.package, self.excluded, self.flags, self.env = package, excluded, flags, env

    def prepare(self, directory):
        go = shutil.which("go")
        if not go:
            raise Skip("go is not installed")
        self.program = os.path.join(directory, self.package.replace("/", "_") + ".test")
        env = dict(os.environ, GO111MODULE="off", GOTOOLCHAIN="local", GOFLAGS="",
                   GOCACHE=os.environ.get("GOCACHE", os.path.join(directory, "go-cache")),
                   HOME=directory)
        root = subprocess.run([go, "env", "GOROOT"], capture_output=True, text=True, check=True,
                              env=env).stdout.strip()
        self.where = os.path.join(root, "src", self.package)
        if not os.path.isdir(self.where):
            raise Skip("Go's sources are not installed")
        if not os.path.exists(self.program):
            subprocess.run([go, "test", "-c", "-o", self.program, self.package], check=True, env=env)

    def command(self, tests, _):
        wanted = ["-test.run", "^(" + "|".join(tests) + ")$"] if tests else []
        return [self.program, "-test.short", "-test.v", f"-test.timeout={LIMIT}s", *self.flags,
                *wanted], self.where

    def verdicts(self, _, said):
        found = re.findall(r"^\s*--- (PASS|FAIL|SKIP): (\S+)", said, re.MULTILINE)
        return {name: verdict for verdict, name in found if
                not any(fnmatch.fnmatch(name, one) for one in self.excluded)}

    def single(self, test):
        return test.partition("/")[0]


class Libevent:
    """Built from Debian's source package; libevent.sh makes it."""
    excluded = ()

    def prepare(self, directory):
        self.where = os.environ.get("IOTRACE_LIBEVENT", os.path.join(directory, "libevent"))
        self.program = os.path.join(self.where, "bin/regress")
        if not os.path.exists(self.program):
            raise Skip("libevent was not built: tests/suites/libevent.sh")

    def command(self, tests, _):
        # With the slow ones, which also are those about time, there would be no end of it.
        return [self.program, "--verbose", *(tests or ["..", ":http/..", ":dns/bufferevent_connect_hostname.."])], \
            self.where

    def verdicts(self, _, said):
        names = re.findall(r"^(?:\[forking\] )?([\w/]+): .*?(?:\[(\w+)\s*\]|(OK|FAILED|SKIPPED|DISABLED))",
                           said, re.MULTILINE)
        return {name: one or other for name, one, other in names}

    def single(self, test):
        return test


# VSOCK: without a loopback of that kind, as in some virtual machines, it waits for ever.
SUITES = {
    "python-socket": Python("test_socket", ["*VSOCK*"]),
    "python-select": Python("test_select"),
    "python-subprocess": Python("test_subprocess"),
    "python-asyncio": Python("test_asyncio"),
    "python-ssl": Python("test_ssl"),
    "python-https": Python("test_httplib"),
    "go-net": Go("net"),
    "go-http": Go("net/http"),
    "go-http-busy": Go("net/http", **Go.BUSY),
    "go-tls": Go("crypto/tls"),
    "go-tls-busy": Go("crypto/tls", **Go.BUSY),
    "go-runtime": Go("runtime"),
    "go-exec": Go("os/exec"),
    "libevent": Libevent(),
}


def load_differences():
    """Lines of: engine or *, suite, pattern of a test, why; a # begins a comment."""
    with open(os.path.join(HERE, "differences.txt"), encoding="utf-8") as lines:
        rows = [line.split(None, 3) for line in lines if line.strip() and line[0] != "#"]
    assert all(len(row) == 4 for row in rows), "differences.txt: a line without a reason"
    return rows


def is_known(rows, engine, suite, test):
    return any(row[0] in ("*", engine) and row[1] == suite and fnmatch.fnmatch(test, row[2])
               for row in rows)


class Runner:
    def __init__(self, iotrace, directory):
        self.iotrace, self.directory, self.count = iotrace, directory, 0

    def run(self, suite, tests, engine):
        """By test, how it ended."""
        self.count += 1
        base = os.path.join(self.directory, f"{self.count}-{engine or 'alone'}")
        argv, where = suite.command(tests, base + ".verdicts")
        if engine:
            argv = [self.iotrace, "--engine", engine, "-o", base + ".jsonl", "--"] + argv
        with open(base + ".log", "wb") as log:
            try:
                subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               cwd=where or self.directory, timeout=LIMIT, start_new_session=True,
                               env={**os.environ, **(getattr(suite, "env", None) or {})})
            except subprocess.TimeoutExpired:
                log.write(b"\nIT DOES NOT END\n")
        with open(base + ".log", encoding="utf-8", errors="replace") as log:
            said = log.read()
        if os.path.exists(base + ".jsonl"):
            os.unlink(base + ".jsonl")
        return suite.verdicts(base + ".verdicts", said), base + ".log"


def check(runner, name, suite, tests, engines, known):
    started = time.monotonic()
    alone, log = runner.run(suite, tests, None)
    print(f"{name}: {len(alone)} tests alone, {time.monotonic() - started:.0f} s", flush=True)
    if not alone:
        raise Skip(f"nothing runs; see {log}")
    good = True
    for engine in engines:
        started = time.monotonic()
        traced, log = runner.run(suite, tests, engine)
        print(f"{name}, --engine {engine}: {time.monotonic() - started:.0f} s", flush=True)
        differ = [test for test in sorted(alone.keys() | traced.keys())
                  if alone.get(test) != traced.get(test)]
        for test in differ:
            verdict = settle(runner, suite, test, engine, alone.get(test), traced.get(test))
            if not verdict:
                continue
            listed = is_known(known, engine, name, test)
            print(f"  {test}: {verdict}{' (known)' if listed else f'; {log}'}", flush=True)
            good = good and listed
    return good


def settle(runner, suite, test, engine, alone, traced):
    """What is different about it when it is run on its own; None: nothing."""
    ways = [(alone, traced)]
    for _ in range(AGAIN):
        single = suite.single(test)
        one, _ = runner.run(suite, [single], None)
        other, _ = runner.run(suite, [single], engine)
        if one.get(test) == other.get(test):
            return None
        ways.append((one.get(test), other.get(test)))
    return "alone %s, traced %s" % ways[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--iotrace", default=os.environ.get("IOTRACE", "build/gcc/iotrace"))
    parser.add_argument("--engine", action="append", choices=["auto", "stop", "tap"])
    parser.add_argument("--keep", help="directory for programs and logs")
    parser.add_argument("suites", nargs="*")
    arguments = parser.parse_args()
    known = load_differences()
    wanted = {}
    for word in arguments.suites or SUITES:
        name, _, test = word.partition(":")
        wanted.setdefault(name, []).extend([test] if test else [])
    verdicts = []
    with tempfile.TemporaryDirectory() as directory:
        if arguments.keep:
            directory = os.path.abspath(arguments.keep)
            os.makedirs(directory, exist_ok=True)
        runner = Runner(os.path.abspath(arguments.iotrace), directory)
        for name, tests in wanted.items():
            try:
                SUITES[name].prepare(directory)
                verdicts.append(check(runner, name, SUITES[name], tests,
                                      arguments.engine or ["auto", "stop"], known))
            except Skip as reason:
                print(f"{name}: skipped: {reason}", flush=True)
    sys.exit(1 if False in verdicts else 0 if verdicts else 77)


if __name__ == "__main__":
    main()
