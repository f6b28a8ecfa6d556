"""
Messages against Wireshark's view of the same runs: methods, URLs, statuses, headers, lengths of bodies,
names, statements and commands must be equal. What is compared comes from the capture by two ways that share
no line: our decoders, and tshark on the exported packets.
"""
import collections
import json
import os
import subprocess

import lib
from lib import IOTRACE, PYTHON, expect
from servers import (postgres_program, serve_files, serve_nginx, serve_nginx_tls, serve_own,
                     serve_postgres, serve_redis)

PROGRAMS = os.path.join(lib.HERE, "../golden/programs")
ENV = dict(os.environ, TZ="UTC")
LIST = "\x1f"  # between the values of one field


def tshark(path, *fields, where=None, options=()):
    """The fields of the packets that are wanted: a packet a list, a field a list of its values."""
    argv = ["tshark", "-r", path, *options, "-T", "fields", "-E", "separator=/t",
            "-E", f"aggregator={LIST}"]
    for field in fields:
        argv += ["-e", field]
    if where:
        argv += ["-Y", where]
    done = subprocess.run(argv, capture_output=True, env=ENV, timeout=lib.PATIENCE, check=False)
    expect(done.returncode == 0, f"tshark fails: {done.stderr}")
    lines = done.stdout.decode("utf-8", "backslashreplace").split("\n")[:-1]
    return [[field.split(LIST) if field else [] for field in line.split("\t")] for line in lines]


def column(found):
    """One field of all packets."""
    return [value for packet in found for field in packet for value in field]


class Run:
    """What was said, as both see it. `exchanges` have their request and response."""

    def __init__(self, process, status=0):
        expect(process.status == status, f"{process.name} fails: {process.told()}")
        process.capture()
        self.pcapng = process.base + ".pcapng"
        shown = subprocess.run([IOTRACE, "show", "-f", "messages", process.base + ".iot"],
                               capture_output=True, timeout=lib.PATIENCE, check=True)
        lines = [json.loads(line) for line in shown.stdout.splitlines()]
        self.messages = {one["number"]: one for one in lines if one["type"] == "message"}
        self.exchanges = [one for one in lines if one["type"] == "exchange"]
        for one in self.exchanges:
            one["request"] = self.messages.get(one.get("request"), {})
            one["response"] = self.messages.get(one.get("response"), {})

    def of(self, protocol):
        found = [one for one in self.exchanges if one["protocol"] == protocol]
        return sorted(found, key=lambda one: one["number"])


def traced(test, argv, status=0, **more):
    return Run(test.run(argv, traced=True, **more), status)


def same(what, ours, theirs, at_least=1):
    expect(len(ours) >= at_least, f"{what}: only {len(ours)}")
    if ours != theirs:
        few = [(one, other) for one, other in zip(ours, theirs) if one != other][:3]
        raise lib.Failure(f"{what}: {len(ours)} and tshark's {len(theirs)}, first {few}")


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


# -- HTTP/1

def check_http1(test, run, at_least, options=()):
    exchanges = run.of("http")
    asked = tshark(run.pcapng, "http.request.method", "http.request.full_uri", "http.request.line",
                   where="http.request", options=options)
    same("requests", [(one["request"]["method"], one["request"]["url"],
                       len(one["request"].get("headers", []))) for one in exchanges],
         [(packet[0][0], packet[1][0], len(packet[2])) for packet in asked], at_least)
    codes = tshark(run.pcapng, "http.response.code", "http.response.line",
                   where="http.response.code >= 200 or http.response.code == 101",
                   options=options)
    same("responses", [(one["response"]["status"], len(one["response"].get("headers", [])))
                       for one in exchanges],
         [(int(packet[0][0]), len(packet[1])) for packet in codes], at_least)
    same("bodies", bodies(exchanges), objects(test, run, options))


def bodies(exchanges):
    """Lengths, decoded, of all that have a body."""
    return sorted(one[side]["body"]["len"] for one in exchanges for side in ("request", "response")
                  if one[side].get("body", {}).get("len"))


def objects(test, run, options):
    directory = test.path(f"objects-{test.count}")
    test.count += 1
    subprocess.run(["tshark", "-r", run.pcapng, *options, "-q", "--export-objects",
                    "http," + directory], check=True, capture_output=True, env=ENV,
                   timeout=lib.PATIENCE)
    return sorted(os.path.getsize(os.path.join(directory, name)) for name in os.listdir(directory))


def curl_http1(test):
    test.need("tshark", "curl")
    _, target = serve_nginx(test, False)
    test.write("nginx/www/text", "some text\n" * 1000)
    base = f"http://{target}"
    run = traced(test, ["curl", "-sS", f"{base}/16k", f"{base}/chunked/1m", f"{base}/no-such",
                        "-r", "0-99", f"{base}/text"])
    check_http1(test, run, 4)
    run = traced(test, ["curl", "-sS", "-I", f"{base}/1", "--next", "-sS", "-T",
                        test.path("nginx/www/16k"), f"{base}/put/a", "--next", "-sS", "-d",
                        "a=1&b=2", f"{base}/text"])
    check_http1(test, run, 3)


def nginx(test):
    """The accepting side."""
    test.need("tshark", "curl", "nginx")
    server, target = serve_nginx(test, True)
    for name in "1", "16k", "chunked/1m", "sendfile/1m", "none":
        test.run(["curl", "-sS", f"http://{target}/{name}", f"http://{target}/1"])
    server.status = server.stop()
    check_http1(test, Run(server), 10)


def python(test):
    test.need("tshark")
    _, target = serve_files(test, False)
    script = ("import sys, urllib.request as u\nfor n in sys.argv[2:]:\n"
              "    print(len(u.urlopen(sys.argv[1] + n).read()))")
    run = traced(test, [PYTHON, "-c", script, f"http://{target}/", "1", "1k", "1m"])
    check_http1(test, run, 3, ["-d", f"tcp.port=={target.rpartition(':')[2]},http"])


# -- HTTP/2

def check_http2(run, port, at_least, options=(), protocol="http2"):
    exchanges = run.of(protocol)
    port = str(port)
    found = tshark(run.pcapng, "tcp.dstport", "http2.header.name", "http2.header.value",
                   "http2.type", "http2.length", "http2.streamid", "tcp.stream",
                   where="http2", options=options)
    names, values, lengths = {True: [], False: []}, {True: {}, False: {}}, collections.Counter()
    for ports, keys, worths, types, sizes, streams, conn in found:
        ours = ports[0] == port
        names[ours] += [key for key in keys if not key.startswith(":")]
        for key, worth in zip(keys, worths):
            values[ours].setdefault(key, []).append(worth)
        # A frame that goes on in the next packet is told there.
        for kind, size, stream in zip(types, sizes, streams):
            if kind == "0":
                lengths[ours, conn[0], stream] += int(size)
    for side, ours in ("request", True), ("response", False):
        all_of = [one[side] for one in exchanges]
        same(f"headers of {side}s", sorted(text(name) for one in all_of for name, _ in
                                           one.get("headers", []) + one.get("trailers", [])),
             sorted(names[ours]), at_least)
    by = collections.Counter
    same("methods", by(one["request"]["method"] for one in exchanges), by(values[True][":method"]))
    same("URLs", by(one["request"]["target"] for one in exchanges), by(values[True][":path"]))
    same("authorities", by(one["request"]["host"] for one in exchanges),
         by(values[True][":authority"]))
    same("statuses", by(str(one["response"]["status"]) for one in exchanges),
         by(status for status in values[False][":status"] if status != "100"))
    if protocol == "http2":
        same("lengths of bodies", sorted(one[side]["body"]["wire" if "coding" in one[side]["body"]
                                                           else "len"]
                                         for one in exchanges for side in ("request", "response")
                                         if one[side].get("body", {}).get("len")),
             sorted(size for size in lengths.values() if size))
    return lengths


def curl_h2c(test):
    test.need("tshark", "curl")
    _, target = serve_nginx(test, False, "listen {address} http2;")
    port = target.rpartition(":")[2]
    base = f"http://{target}"
    # Curl 7.88 cannot use such a connection a second time, with iotrace or without.
    for what in ([f"{base}/1"], [f"{base}/16k"], [f"{base}/no-such"], [f"{base}/chunked/1m"],
                 ["-T", test.path("nginx/www/16k"), f"{base}/put/a"]):
        run = traced(test, ["curl", "-sS", "--http2-prior-knowledge", "-H", "X-Test: value", *what])
        check_http2(run, port, 1, ["-d", f"tcp.port=={port},http2"])


def curl_h2_tls(test):
    """tshark decrypts what went over the wire; ours is what curl told its library."""
    test.need("tshark", "curl", "openssl")
    _, target = serve_nginx_tls(test, False)
    port, keys = target.rpartition(":")[2], test.path("keys")
    base = f"https://{target}"
    run = traced(test, ["curl", "-sSk", "--http2", f"{base}/1", f"{base}/16k", f"{base}/no-such",
                        f"{base}/chunked/1m"], env=dict(os.environ, SSLKEYLOGFILE=keys))
    check_http2(run, port, 4, ["-o", f"tls.keylog_file:{keys}", "-d", f"tcp.port=={port},tls"])
    layers = {one[side]["layer"] for one in run.of("http2") for side in ("request", "response")}
    expect(layers == {"plain"}, f"{layers}")


def grpc(test):
    test.need("tshark")
    try:
        subprocess.run([PYTHON, "-c", "import grpc"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        raise lib.Skip("python3-grpcio is not installed") from None
    _, target = serve_own(test, False, [PYTHON, os.path.join(PROGRAMS, "grpc_server.py")])
    host, _, port = target.rpartition(":")
    run = traced(test, [PYTHON, os.path.join(PROGRAMS, "grpc_client.py"), host, port])
    options = ["-d", f"tcp.port=={port},http2"]
    check_http2(run, port, 5, options, "grpc")
    theirs = column(tshark(run.pcapng, "grpc.message_length", where="grpc", options=options))
    ours = [one["body"].get("wire", one["body"]["len"]) for one in run.messages.values()
            if one["protocol"] == "grpc" and one["kind"] == "message"]
    same("messages", sorted(ours), sorted(map(int, theirs)), 5)


# -- the others

def websocket(test):
    test.need("tshark", "node")
    if not os.path.exists("/usr/share/nodejs/ws"):
        raise lib.Skip("node-ws is not installed")
    _, target = serve_own(test, False, ["node", os.path.join(PROGRAMS, "ws_server.js")])
    host, _, port = target.rpartition(":")
    options = ["-d", f"tcp.port=={port},http"]
    opcodes = {"0": "", "1": "text", "2": "binary", "8": "close", "9": "ping", "10": "pong"}
    for deflate in "0", "1":
        run = traced(test, ["node", os.path.join(PROGRAMS, "ws_client.js"), host, port, deflate])
        check_http1_heads(run, options)
        sums = {"out": [], "in": []}
        for dst, codes, fins, short, middle, long in tshark(
                run.pcapng, "tcp.dstport", "websocket.opcode", "websocket.fin",
                "websocket.payload_length", "websocket.payload_length_ext_16",
                "websocket.payload_length_ext_64", where="websocket", options=options):
            way = sums["out" if dst[0] == port else "in"]
            for code, size in zip(codes, short):
                size = int(middle.pop(0) if size == "126" else long.pop(0) if size == "127"
                           else size)
                if opcodes[code]:
                    way.append([opcodes[code], size])
                else:
                    next(one for one in reversed(way) if one[0] in ("text", "binary"))[1] += size
        ours = {"out": [], "in": []}
        for one in run.messages.values():
            if one["protocol"] == "websocket" and one["kind"] == "message":
                # A close's code and reason are no body.
                end = 2 + len(one.get("reason", "")) if "code" in one else 0
                body = one.get("body", {"len": end})
                ours[one["dir"]].append([one["opcode"], body.get("wire", body["len"])])
        for way in ours:
            same(f"messages {way}", sorted(ours[way]), sorted(sums[way]), 3)


def check_http1_heads(run, options):
    asked = tshark(run.pcapng, "http.request.full_uri", "http.request.line", where="http.request",
                   options=options)
    same("upgrades", [(one["request"]["url"], len(one["request"]["headers"]))
                      for one in run.of("http")],
         [(packet[0][0], len(packet[1])) for packet in asked])


def dns(test):
    test.need("tshark", "dig")
    _, target = serve_own(test, False, [PYTHON, os.path.join(PROGRAMS, "dns_server.py")])
    host, _, port = target.rpartition(":")
    queries = [word for name, kind in (("a", "A"), ("aaaa", "AAAA"), ("mx", "MX"), ("txt", "TXT"),
                                       ("nosuch", "A"), ("ptr", "PTR"))
               for word in (name + ".test", kind)]
    run = traced(test, ["dig", "-r", f"@{host}", "-p", port, "+tries=1", *queries])
    options = ["-d", f"udp.port=={port},dns", "-d", f"tcp.port=={port},dns"]
    exchanges = run.of("dns")
    asked = tshark(run.pcapng, "dns.qry.name", "dns.id", where="dns.flags.response == 0",
                   options=options)
    same("questions", [(one["request"]["questions"][0].split()[0].rstrip("."), one["request"]["id"])
                       for one in exchanges],
         [(packet[0][0], int(packet[1][0], 16)) for packet in asked], 6)
    answers = tshark(run.pcapng, "dns.flags.rcode", "dns.count.answers", "dns.a", "dns.aaaa",
                     "dns.mx.mail_exchange", where="dns.flags.response == 1", options=options)
    rcodes = {"NOERROR": "0", "NXDOMAIN": "3", "SERVFAIL": "2", "REFUSED": "5"}
    same("answers", [(rcodes[one["response"]["rcode"]],
                      str(len(one["response"].get("answers", [])))) for one in exchanges],
         [(packet[0][0], packet[1][0]) for packet in answers], 6)
    records = [record.split() for one in exchanges for record in one["response"].get("answers", [])]
    same("addresses", [record[3] for record in records if record[2] in ("A", "AAAA")],
         [value for packet in answers for value in packet[2] + packet[3]])
    same("exchangers", [record[4].rstrip(".") for record in records if record[2] == "MX"],
         [value for packet in answers for value in packet[4]], 0)


def redis(test):
    test.need("tshark", "redis-cli", "redis-server")
    _, target = serve_redis(test, False)
    host, _, port = target.rpartition(":")
    commands = test.write("commands", "".join(f"set key{n} {'v' * n}\nget key{n}\nincr n\n"
                                              for n in range(1, 50)) + "lpush l a b\nlrange l 0 9\n")
    with open(commands, "rb") as stdin:
        run = traced(test, ["redis-cli", "-h", host, "-p", port], stdin=stdin)
    options = ["-d", f"tcp.port=={port},resp"]
    found = tshark(run.pcapng, "resp.array.length", "resp.bulk_string.value",
                   where=f"resp and tcp.dstport == {port}", options=options)
    theirs = [[bytes.fromhex(word.replace(":", "")).decode() for word in packet[1]]
              for packet in found]
    # It has bytes as text where they could be both.
    ours = [[one["request"]["command"], *one["request"].get("args", [])]
            for one in run.of("redis")]
    same("commands", ours, theirs, 140)
    numbers = column(tshark(run.pcapng, "resp.integer", where=f"tcp.srcport == {port} and not resp.array",
                            options=options))
    same("numbers", [one["response"]["body"]["text"] for one in run.of("redis")
                     if one["response"].get("reply") == "integer"], numbers, 40)


def psql(test):
    test.need("tshark")
    program = postgres_program("psql")
    _, target = serve_postgres(test, False)
    host, _, port = target.rpartition(":")
    script = test.write("script.sql", """
        CREATE TABLE t (a int, b text);
        INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 300) AS n;
        SELECT * FROM t
          WHERE a > 10; -- with a line break
        SELECT count(*), 'it''s' FROM t;
        SELECT nothing FROM nowhere;
        UPDATE t SET b = '' WHERE a < 5;
    """)
    run = traced(test, [program, "-X", "-q", "-h", host, "-p", port, "-U", "tester", "-f", script,
                        "postgres"], env=dict(os.environ, PGSSLMODE="disable"))
    options = ["-d", f"tcp.port=={port},pgsql"]
    exchanges = [one for one in run.of("postgres") if "sql" in one["request"]]
    same("statements", [one["request"]["sql"] for one in exchanges],
         [value.replace("\\n", "\n") for value in column(
             tshark(run.pcapng, "pgsql.query", where="pgsql.frontend == 1", options=options))], 6)
    same("tags", [tag for one in exchanges for tag in one["response"].get("tags", [])],
         column(tshark(run.pcapng, "pgsql.tag", options=options)), 5)
    same("errors", [one["response"]["error_code"] for one in exchanges
                    if "error_code" in one["response"]],
         column(tshark(run.pcapng, "pgsql.code", options=options)))
    rows = sum(kind == "Data row" for kind in column(
        tshark(run.pcapng, "pgsql.type", where="pgsql.frontend == 0", options=options)))
    same("rows", [sum(one["response"].get("rows", 0) for one in exchanges)], [rows])


# -- the commands that are made of requests

def commands(test):
    """Run by a shell, they make the same requests again."""
    test.need("curl", "openssl")
    _, plain = serve_nginx(test, False)
    data = test.write("data", bytes(range(256)) * 3)
    requests = [["-d", '{"it\'s": "é\\n$x"}', "-H", "Content-Type: application/json",
                 f"http://{plain}/1"],
                ["--data-binary", f"@{data}", "-H", "X-Odd: it's \\ `x`", "-A", "",
                 f"http://{plain}/16k?a=b&c[]=$d"],
                ["-I", f"http://{plain}/1"], ["-X", "OPTIONS", "-H", "Accept:", f"http://{plain}/1"],
                ["-T", data, f"http://{plain}/put/new"]]

    def said(run):
        return [[one["request"].get(key) for key in ("method", "url", "headers", "body")]
                for one in run.of("http")]

    for words in requests:
        first = test.run(["curl", "-sS", "-g", "-o", "/dev/null", *words], traced=True)
        script = subprocess.run([IOTRACE, "export", "-t", "curl", first.base + ".iot"],
                                capture_output=True, timeout=lib.PATIENCE, check=True).stdout
        again = test.run(["bash", "-c", script.decode()], traced=True)
        ours, theirs = said(Run(first)), said(Run(again))
        # Their order is curl's; what it says of the transfer is its own.
        for all_of in ours, theirs:
            for one in all_of:
                one[2] = sorted(header for header in one[2]
                                if header[0].lower() not in ("expect", "connection"))
        same("requests", ours, theirs)


# -- both ends in one trace

def both_ends(test):
    """Each exchange once, as the client saw it; the server is named."""
    test.need("curl")
    _, target = serve_files(test, False)  # for its files
    port = test.free_port()
    url = f"http://{test.host}:{port}"
    script = f"""
        {PYTHON} -m http.server {port} --bind {test.host} -d {test.path("files")} 2>/dev/null &
        until curl -s -o /dev/null {url}; do sleep 0.1; done
        curl -s -o /dev/null {url}/1k {url}/none
        kill %1
        wait"""
    run = traced(test, ["bash", "-c", script])
    exchanges = run.of("http")
    same("requests", [(one["request"]["target"], one["response"]["status"], one["request"]["comm"],
                       one["peer"]["comm"]) for one in exchanges],
         [("/", 200, "curl", "python3"), ("/1k", 200, "curl", "python3"),
          ("/none", 404, "curl", "python3")])


def both_ends_tls(test):
    test.need("curl", "nginx", "openssl")
    server, target = serve_nginx_tls(test, False)  # for its files and its configuration
    server.stop()
    script = f"""
        nginx -p {test.path("nginx")} -c {test.path("nginx/conf")} -e stderr &
        until curl -sk -o /dev/null https://{target}/1; do sleep 0.1; done
        curl -sk --http1.1 -o /dev/null https://{target}/16k
        kill %1
        wait"""
    run = traced(test, ["bash", "-c", script])
    # Whose plaintext is there first speaks for both: a return from SSL_write can be seen late.
    found = [(one["request"]["target"], one["request"]["layer"],
              sorted([one["request"]["comm"], one["peer"]["comm"]]))
             for one in run.exchanges if one["protocol"].startswith("http")]
    same("requests", sorted(found), [("/1", "plain", ["curl", "nginx"]),
                                     ("/16k", "plain", ["curl", "nginx"])])


lib.main(curl_http1, nginx, python, curl_h2c, curl_h2_tls, grpc, websocket, dns, redis, psql,
         commands, both_ends, both_ends_tls)
