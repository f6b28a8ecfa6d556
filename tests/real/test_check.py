"""
`iotrace check` on real programs: run after run is the same as one golden, and one changed field of one
answer is a difference that is told in a few lines.
"""
import os
import re
import signal

import lib
import tls
from lib import HERE, PYTHON, IOTRACE, Failure, Skip, address, expect
from servers import (go_program, postgres_program, serve_nginx, serve_own, serve_postgres,
                     serve_redis)

RUNS = 100 if lib.LARGE else 10
ENV = {key: value for key, value in os.environ.items()
       if key not in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")}


def check(test, golden, argv, *options, env=ENV, **more):
    return test.run([IOTRACE, "check", golden, *options, "--", *argv], env=env, **more)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def verdict(process):
    """What follows the program's own output."""
    text = read(process.stdout)
    return text[text.rindex("golden.iogold: "):] if "golden.iogold: " in text else text


def hunks(text):
    """Each with its heading."""
    return re.findall(r"^@@.*\n(?:[-+ ].*\n)*", text, re.MULTILINE)


def holds(test, argv, changed, name, *options, **more):
    """One golden for all runs of argv; changed() brings about another answer, and perhaps argv."""
    golden = test.path("golden.iogold")
    made = check(test, golden, argv, "--update", *options, **more)
    expect(made.status == 0, f"no golden: {made.told()}")
    for run in range(RUNS):
        process = check(test, golden, argv, *options, **more)
        expect(process.status == 0, f"run {run} differs: {verdict(process)} {process.told()}")
    argv = changed() or argv
    for run in range(RUNS):
        process = check(test, golden, argv, *options, **more)
        expect(process.status == 1, f"run {run}: {process.status} {process.told()}")
        found = hunks(verdict(process))
        expect(len(found) == 1, f"{len(found)} hunks: {verdict(process)}")
        expect(found[0].count("\n") <= 10, f"a long hunk: {found[0]}")
        expect(name in found[0].split("\n")[0], f"'{name}' is not named: {found[0]}")
    return read(golden)


def own_server(test, word):
    return serve_own(test, False, [PYTHON, os.path.join(HERE, "check_server.py")],
                     more=[word])[1]


def curl(test):
    test.need("curl")

    def argv(word):
        url = "http://" + own_server(test, word)
        return ["curl", "-sS", "-o", "/dev/null", url + "/set", "-o", "/dev/null", url + "/3",
                "-o", "/dev/null", url + "/big"]
    golden = holds(test, argv("one"), lambda: argv("two"), "GET /3")
    expect("9007199254740993" in golden, "a number was changed")


def python_threads(test):
    def argv(word):
        host, _, port = own_server(test, word).rpartition(":")
        return [PYTHON, os.path.join(HERE, "check_threads.py"), host, port]
    golden = test.path("golden.iogold")
    first = argv("one")
    expect(check(test, golden, first, "--update").status == 0, "no golden")
    for run in range(RUNS):
        process = check(test, golden, first)
        expect(process.status == 0, f"run {run} differs: {process.told()}")
    second = argv("two")
    for run in range(RUNS):
        process = check(test, golden, second)
        expect(process.status == 1, f"run {run}: {process.status} {process.told()}")
        found = hunks(verdict(process))
        # Each of the four has asked.
        expect(len(found) == 4 and all(hunk.count("\n") <= 10 and "GET /3" in hunk.split("\n")[0]
                                       for hunk in found), f"not so: {verdict(process)}")


def go_pool(test):
    program = go_program(test, "go_check")

    def argv(word):
        _, target = serve_own(test, False, [program, "server"], more=[word, *tls.certificate(test)])
        return [program, "client", f"https://{target}", 12]
    golden = holds(test, argv("one"), lambda: argv("two"), "GET /3")
    expect("tls http2" in golden and golden.count("exchange ") == 24, golden)


def node(test):
    test.need("node")

    def argv(word):
        return ["node", os.path.join(HERE, "check_node.js"), "http://" + own_server(test, word), 9]
    holds(test, argv("one"), lambda: argv("two"), "GET /3")


def psql(test):
    _, target = serve_postgres(test, False)
    host, _, port = target.rpartition(":")
    argv = [postgres_program("psql"), "-X", "-h", host, "-p", port, "-U", "tester", "-d", "postgres"]

    def run(sql):
        done = test.run([*argv, "-c", sql], cwd="/")
        expect(done.status == 0, done.told())
    run("create table things (id int, name text); insert into things values (1, 'one')")
    holds(test, [*argv, "-c", "select now()", "-c", "select * from things", "-c",
                 "select gen_random_uuid()"],
          lambda: run("update things set name = 'two'"), "select * from things", cwd="/")


def redis(test):
    test.need("redis-cli")
    _, target = serve_redis(test, False)
    host, _, port = target.rpartition(":")
    argv = ["redis-cli", "-h", host, "-p", port]

    def put(word):
        expect(test.run([*argv, "set", "word", word]).status == 0, "redis-cli fails")
    put("one")
    # redis-cli asks for it first of all; of one server in twenty the first answer has another order.
    expect(test.run([*argv, "command", "docs"]).status == 0, "redis-cli fails")
    script = test.write("commands", "ping\nget word\nincr count\ndel count\n")
    holds(test, ["sh", "-c", f"exec {' '.join(argv)} <{script}"], lambda: put("two"), "get word")


def nginx(test):
    """A server, driven by curl."""
    test.need("curl", "nginx")
    server, target = serve_nginx(test, False)
    server.stop(signal.SIGQUIT)
    argv = ["nginx", "-p", test.path("nginx"), "-c", test.path("nginx/conf"), "-e", "stderr"]
    test.write("nginx/www/word", "one\n")
    url = f"http://{target}"
    golden = holds(test, argv, lambda: test.write("nginx/www/word", "two\n") and None, "GET /word",
                   "--drive", f"curl -sS {url}/1 {url}/word {url}/no-such >/dev/null")
    expect("ended exit 0" in golden, golden)


def go_server(test):
    """One that says which port it has taken."""
    test.need("curl")
    program, port = go_program(test, "go_check"), test.path("port")
    drive = (f"until [ -s {port} ]; do :; done; read port <{port}; rm {port}; "
             f"url=http://{test.host}:$port; curl -sS $url/1 $url/3 >/dev/null")
    golden = holds(test, [program, "server", test.host, "one"],
                   lambda: [program, "server", test.host, "two"], "GET /3", "--drive", drive,
                   env={**ENV, "PORT_FILE": port})
    expect("ended exit 0" in golden and "served :<port#1> http by go_check" in golden, golden)


lib.main(curl, python_threads, go_pool, node, psql, redis, nginx, go_server)
