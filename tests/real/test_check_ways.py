"""`iotrace check` and its kin: exit statuses, bad input, verdicts for machines, secrets, and our own golden."""
import json
import os
import random
import re
import signal
import string
import subprocess
from xml.etree import ElementTree

import lib
from lib import HERE, IOTRACE, PYTHON, expect
from servers import serve_own

ENV = {key: value for key, value in os.environ.items()
       if key not in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def iotrace(test, *argv, env=None, **more):
    return test.run([IOTRACE, *argv], env={**ENV, **(env or {})}, **more)


def is_status(process, status, *words):
    told = read(process.stdout) + read(process.stderr)
    expect(process.status == status, f"{process.status} instead of {status}: {process.told()}")
    for word in words:
        expect(word in told, f"'{word}' is not told: {process.told()}")


def serve(test, word="one"):
    return "http://" + serve_own(test, False, [PYTHON, os.path.join(HERE, "check_server.py")],
                                 more=[word])[1]


def curl(url):
    return ["curl", "-sS", "-o", "/dev/null", url]


def made(test, url, *options, name="g.iogold"):
    golden = test.path(name)
    is_status(iotrace(test, "check", golden, "--update", *options, "--", *curl(url)), 0, "written")
    return golden


def statuses(test):
    """The same, changed, missing, ended otherwise, and which of them goes before."""
    test.need("curl")
    url, other = serve(test), serve(test, "two")
    golden = made(test, url + "/3")
    is_status(iotrace(test, "check", golden, "--", *curl(url + "/3")), 0, "no difference")
    is_status(iotrace(test, "check", golden, "--", *curl(other + "/3")), 1, "GET /3", ".new")
    expect("two" in read(golden + ".new"), "GOLDEN.new is not the run")
    os.remove(golden + ".new")
    is_status(iotrace(test, "check", golden, "--", *curl(other + "/3"), env={"CI": "true"}), 1)
    expect(not os.path.exists(golden + ".new"), "GOLDEN.new is left in CI")
    is_status(iotrace(test, "check", golden, "--", "sh", "-c", f"curl -so /dev/null {url}/3; exit 3"),
              6, "exit 3, not exit 0")
    is_status(iotrace(test, "check", golden, "--", "/no/such"), 125, "cannot execute")
    missing = test.path("missing.iogold")
    is_status(iotrace(test, "check", missing, "--", *curl(url + "/3")), 3, "no such golden")
    expect(os.path.exists(missing + ".new") and not os.path.exists(missing), "it was made")
    os.remove(missing + ".new")
    is_status(iotrace(test, "check", missing, "--", *curl(url + "/3"), env={"CI": "1"}), 3)
    expect(not os.path.exists(missing + ".new"), "it was made in CI")
    is_status(iotrace(test, "check", golden, "--update", "--", "true", env={"CI": "1"}), 2, "CI")


def bad_input(test):
    test.need("curl")
    url = serve(test)
    golden = made(test, url + "/3")
    good = read(golden)
    for text, line, word in ((good.replace("golden 1", "golden 7"), 1, "newer"),
                             (good.replace("exchange", "<<<<<<< HEAD\nexchange"), None, "merge"),
                             (good + "nonsense\n", good.count("\n") + 1, "not understood"),
                             ("", None, "empty"), ("\0\1\2", 1, "first line")):
        path = test.write("bad.iogold", text)
        is_status(iotrace(test, "check", path, "--", "true"), 2, word,
                  f"{path}:{line}:" if line else "bad.iogold")
    rules = test.write("rules", "mask header x\nmask hedder y\n")
    is_status(iotrace(test, "check", golden, "--rules", rules, "--", "true"), 2, "rules:2:6:")
    is_status(iotrace(test, "check", "--", "true"), 2, "name one golden")
    is_status(iotrace(test, "check", golden), 2, "--from")
    is_status(iotrace(test, "check", golden, "--nonsense"), 2)
    is_status(iotrace(test, "check", golden, "--level", "peers", "--", "true"), 2, "level")
    is_status(iotrace(test, "check", golden, "--rules", test.write("rules", "mask header x-no\n"),
                      "--", *curl(url + "/3")), 0, "not used: mask header x-no")


def captures(test):
    """--from, diff of captures and goldens, damage."""
    test.need("curl")
    one, two = serve(test), serve(test, "two")
    golden = made(test, one + "/3")
    for name, url in ("one", one), ("again", one), ("two", two):
        is_status(iotrace(test, "-o", test.path(name + ".iot"), "--", *curl(url + "/3")), 0)
    first, again, other = (test.path(name + ".iot") for name in ("one", "again", "two"))
    is_status(iotrace(test, "check", golden, "--from", first), 0)
    is_status(iotrace(test, "check", golden, "--from", other), 1, "GET /3")
    is_status(iotrace(test, "diff", first, again), 0)
    is_status(iotrace(test, "diff", golden, first), 0)
    is_status(iotrace(test, "diff", first, golden), 0)
    is_status(iotrace(test, "diff", first, other), 1, '-  < |   "answer": "one"')
    is_status(iotrace(test, "diff", golden, other), 1, '+  < |   "answer": "two"')
    with open(first, "rb") as file:
        whole = file.read()
    cut = test.write("cut.iot", whole[:-40])
    is_status(iotrace(test, "check", golden, "--from", cut), 4, "incomplete")
    is_status(iotrace(test, "check", test.path("new.iogold"), "--update", "--from", cut), 4,
              "not written")
    expect(not os.path.exists(test.path("new.iogold")), "a golden of an incomplete capture")
    is_status(iotrace(test, "diff", cut, first), 4, "incomplete")
    is_status(iotrace(test, "diff", test.write("no", "hello\n"), first), 2, "neither")
    is_status(iotrace(test, "--max-bytes", "10", "-o", test.path("short.iot"), "--",
                      *curl(one + "/3")), 0)
    is_status(iotrace(test, "check", golden, "--from", test.path("short.iot")), 4, "incomplete")


def drives(test):
    """A server that never listens, one that does not end, a command that fails, a time limit."""
    golden = test.path("g.iogold")
    is_status(iotrace(test, "check", golden, "--update", "--drive", "true", "--", "true"), 125,
              "never listened")
    listen = "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
    is_status(iotrace(test, "check", golden, "--update", "--drive", "exit 3", "--", PYTHON, "-c",
                      listen + "time.sleep(600)"), 125, "exit status 3")
    is_status(iotrace(test, "check", golden, "--update", "--drive", "true", "--", PYTHON, "-c",
                      listen + "time.sleep(600)"), 0)
    expect("ended signal 15\n" in read(golden), read(golden))
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); " + listen + "time.sleep(600)"
    is_status(iotrace(test, "check", golden, "--drive", "true", "--", PYTHON, "-c", deaf), 6,
              "signal 9, not signal 15")
    is_status(iotrace(test, "check", golden, "--timeout", "300ms", "--", "sleep", "600"), 6,
              "did not end in time")


def daemon(test):
    """The main program's end is the run's, whatever it has left behind."""
    test.need("curl")
    golden = made(test, serve(test) + "/3")
    process = iotrace(test, "check", golden, "--", "sh", "-c", "sleep 600 & exit 0")
    is_status(process, 1)


def machines(test):
    """JUnit, GitHub and HTML tell the same as the diff."""
    test.need("curl")
    one, two = serve(test), serve(test, "two")
    golden = made(test, one + "/3")
    junit, html, summary = test.path("j.xml"), test.path("h.html"), test.path("s.md")
    process = iotrace(test, "check", golden, "--junit", junit, "--html", html, "--",
                      *curl(two + "/3"),
                      env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary, "CI": "1"})
    is_status(process, 1)
    line = 1 + read(golden).split("\n").index('  < |   "answer": "one",')
    notes = re.findall(r"^::error file=(.*?),line=(\d+),", read(process.stdout), re.MULTILINE)
    expect(notes == [(golden, str(line))], f"annotations: {notes}")
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    failed = suite.findall("testcase/failure")
    expect((suite.get("tests"), suite.get("failures"), len(failed)) == ("1", "1", 1), read(junit))
    for text in failed[0].text, read(summary):
        expect('-  < |   "answer": "one",' in text, text)
    expect("&#34;answer&#34;: &#34;two&#34;" in read(html), read(html))


def many(test):
    """More differences than GitHub shows: nine and how many more there are."""
    test.need("curl")
    urls = [f"/{number}" for number in range(30)]
    one = serve(test)
    golden = test.path("g.iogold")
    argv = ["curl", "-sS", *[word for url in urls for word in ("-o", "/dev/null", one + url)]]
    is_status(iotrace(test, "check", golden, "--update", "--", *argv), 0)
    test.write("g.iogold", read(golden).replace("large", "huge"))
    process = iotrace(test, "check", golden, "--", *argv, env={"GITHUB_ACTIONS": "true", "CI": "1"})
    is_status(process, 1, "and 21 more exchanges differ")
    expect(read(process.stdout).count("::error ") == 10, process.told())


def secrets(test):
    """None of what must stay secret is in a golden, a page or a report."""
    dice = random.Random(7)
    words = ["".join(dice.choices(string.ascii_letters + string.digits, k=36)) for _ in range(29)]
    environment = {"SERVICE_API_KEY": "plain-looking-words-1", "DB_PASSWORD": "correct horse battery"}
    host, _, port = serve(test)[7:].rpartition(":")
    golden, junit, html = (test.path(name) for name in ("g.iogold", "j.xml", "h.html"))
    argv = [PYTHON, os.path.join(HERE, "check_secrets.py"), host, port]
    options = ["--junit", junit, "--html", html]
    is_status(iotrace(test, "check", golden, "--update", "--", *argv, *words, env=environment), 0)
    other = [word[::-1] for word in words]
    is_status(iotrace(test, "check", golden, *options, "--", *argv, *other, env=environment), 0)
    # With each exchange changed, all of them are in the reports.
    test.write("g.iogold", read(golden).replace("user-agent", "x").replace("host: ", "host: x"))
    process = iotrace(test, "check", golden, *options, "--", *argv, *other, env=environment)
    is_status(process, 1)
    places = [golden, golden + ".new", junit, html, process.stdout, process.stderr]
    expect(read(golden).count("exchange ") == 11 and "<secret:DB_PASSWORD>" in read(golden + ".new"),
           read(golden))
    for secret in [*words, *other, *environment.values()]:
        for path in places:
            text = read(path)
            expect(secret not in text and secret.upper()[:16] not in text,
                   f"{secret} is in {path}:\n{text}")


def rules(test):
    """Learned rules make runs the same; what was not needed is told."""
    test.need("curl")
    script = ("import http.server, random\n"
              "class H(http.server.BaseHTTPRequestHandler):\n"
              "    def do_GET(self):\n"
              "        body = b'{\"build\":\"%012x\",\"n\":[%f],\"a\":1,\"b\":2,\"c\":3}' % ("
              "random.getrandbits(48), random.random())\n"
              "        self.send_response(200 + random.choice([0, 1]) * (self.path == '/luck'))\n"
              "        self.send_header('X-Build', str(random.random()))\n"
              "        self.end_headers()\n"
              "        self.wfile.write(body)\n"
              "    def log_message(self, *a): pass\n"
              "s = http.server.HTTPServer(('127.0.0.1', 0), H)\n"
              "print('listening on', s.server_address[1], flush=True)\n"
              "s.serve_forever()\n")
    server = test.start([PYTHON, "-c", script])
    url = f"http://127.0.0.1:{server.await_output('listening on ([0-9]+)')[1].decode()}"
    process = iotrace(test, "learn", "-n", "4", "--", *curl(url + "/x"), cwd=test.dir)
    is_status(process, 1, "mask header x-build in GET localhost/x as number",
              "mask json /build in GET localhost/x as id",
              "mask json /n/* in GET localhost/x as number")
    test.write(".iotrace-rules", read(process.stdout) + "mask json /c\nmask header x-no\n")
    is_status(iotrace(test, "learn", "-n", "3", "--", *curl(url + "/x"), cwd=test.dir), 0)
    golden = made(test, url + "/x")
    is_status(iotrace(test, "check", golden, "--", *curl(url + "/x")), 0)
    for name in "a.iot", "b.iot":
        is_status(iotrace(test, "-o", test.path(name), "--", *curl(url + "/x")), 0)
    is_status(iotrace(test, "rules", "--explain", "a.iot", "b.iot", cwd=test.dir), 1,
              "mask json /c: NOT NEEDED", "mask header x-no: NOT USED")
    # A status that changes is no noise.
    process = iotrace(test, "learn", "-n", "20", "--", *curl(url + "/luck"), cwd=test.dir)
    is_status(process, 4, "# refused: GET /luck (localhost): the status differs")


def own(test):
    """What our own client and server say is what tests/real/check.iogold says."""
    test.need("curl")
    url = serve(test)
    golden = os.path.join(HERE, "check.iogold")
    argv = ["curl", "-sS", "-H", "Authorization: Bearer none-of-your-business", "-o", "/dev/null",
            url + "/1", "-o", "/dev/null", url + "/3", "-o", "/dev/null", url + "/set"]
    if os.environ.get("IOTRACE_TEST_UPDATE"):
        is_status(iotrace(test, "check", golden, "--update", "--", *argv), 0)
    is_status(iotrace(test, "check", golden, "--", *argv, env={"CI": "1"}), 0)
    changed = [word.replace(url, serve(test, "two")) for word in argv]
    is_status(iotrace(test, "check", golden, "--", *changed, env={"CI": "1"}), 1, "GET /3")


def unwritten(test):
    """Standard output that takes nothing, or goes away: it is told, and the files are written before."""
    test.need("curl")
    url = serve(test)
    golden, capture = made(test, url + "/3"), test.path("long.iot")
    iotrace(test, "-o", capture, "--", "curl", "-sS", "-o", "/dev/null", f"{url}/[1-200]")
    for argv in (["check", golden, "--from", capture], ["rules"], ["--version"]):
        with open("/dev/full", "wb") as full:
            ended = subprocess.run([IOTRACE, *argv], stdout=full, stderr=subprocess.PIPE, env=ENV,
                                   check=False)
        expect(ended.returncode == 125 and b"cannot write to standard output" in ended.stderr,
               f"{argv}: {ended}")
    ours, theirs = os.pipe()
    os.close(ours)
    junit, page = test.path("j.xml"), test.path("j.html")
    subprocess.run([IOTRACE, "check", golden, "--from", capture, "--junit", junit, "--html", page],
                   stdout=theirs, stderr=subprocess.DEVNULL, env=ENV, check=False)
    os.close(theirs)
    ElementTree.parse(junit)
    expect("</html>" in read(page), "the page is not whole")


# A signal to iotrace, which the program gets as well: it dies of it, or ends in order.
STOPS = """
import os, signal, subprocess, sys
if len(sys.argv) > 2:
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
else:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
subprocess.run(["curl", "-sS", "-o", "/dev/null", sys.argv[1]], check=True)
os.kill(os.getppid(), signal.SIGINT)
while True:
    signal.pause()
"""


def interrupted(test):
    """Who interrupts an update keeps the golden; a server that is ended so makes one."""
    test.need("curl")
    url = serve(test)
    golden = made(test, url + "/3")
    before = read(golden)
    is_status(iotrace(test, "check", golden, "--update", "--", PYTHON, "-c", STOPS, url + "/4"), 4,
              "interrupted", "not written")
    expect(read(golden) == before, "it was written")
    is_status(iotrace(test, "check", golden, "--update", "--", PYTHON, "-c", STOPS, url + "/4", "in order"),
              0, "written")
    expect("GET /4" in read(golden), "it was not written")


lib.main(statuses, bad_input, captures, drives, daemon, machines, many, secrets, rules, own, unwritten,
         interrupted)
