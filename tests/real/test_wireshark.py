"""Captures of real programs as unmodified Wireshark, tcpdump and tcpflow read them."""
import json
import os
import subprocess

import lib
import oracle
from lib import IOTRACE, PYTHON, Proxy, expect
from oracle import read_record
from servers import (NGINX_FILES, postgres_program, serve_nginx, serve_own, serve_postgres,
                     serve_redis)

ENV = dict(os.environ, TZ="UTC")


# What is wrong with a packet: checksums, and what Wireshark's analysis of TCP marks.
WRONG = ["tcp.analysis.flags", "_ws.malformed", "ip.checksum.status", "tcp.checksum.status",
         "udp.checksum.status"]
CHECKSUMS = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
             "-o", "udp.check_checksum:TRUE"]


class Packets:
    """A capture's packets, as one run of tshark tells these fields; none is wrong."""

    def __init__(self, path, *fields, options=(), wrong=False):
        self.path = path
        self.fields = ["frame.number", *WRONG, "pktap.cmdname", "pktap.pid", *fields]
        argv = ["tshark", "-r", path, *CHECKSUMS, *options, "-T", "fields", "-E", "separator=/t"]
        for field in self.fields:
            argv += ["-e", field]
        done = subprocess.run(argv, capture_output=True, env=ENV, timeout=lib.PATIENCE)
        expect(done.returncode == 0, f"tshark fails: {done.stderr}")
        lines = done.stdout.decode("utf-8", "backslashreplace").split("\n")[:-1]
        self.rows = [dict(zip(self.fields, line.split("\t"), strict=True)) for line in lines]
        expect(self.rows, f"{path} has no packet")
        found = [row for row in self.rows if is_wrong(row)]
        expect(bool(found) == wrong, f"{path}: {found[:5]}")

    def have(self, *fields, of=""):
        """These fields of the packets that have the first, or this one."""
        return [[row[field] for field in fields] for row in self.rows if row[of or fields[0]]]

    def expect_processes(self, process):
        """All packets are this process's."""
        found = {(row["pktap.cmdname"], row["pktap.pid"]) for row in self.rows}
        with open(process.capture_path, "rb") as file:
            events = [json.loads(line) for line in file]
        there = {(event["comm"], str(event["pid"])) for event in events if event["type"] == "data"}
        expect(found <= there, f"{found}, and traced were {there}")


def is_wrong(row):
    return row["tcp.analysis.flags"] or row["_ws.malformed"] or \
        any("0" in row[field].split(",") for field in WRONG if field.endswith(".status"))


def traced(test, argv, *fields, options=(), **more):
    process = test.run(argv, traced=True, **more)
    process.capture()
    packets = Packets(process.base + ".pcapng", *fields, options=options)
    packets.expect_processes(process)
    return packets


SMALL = ("1", "16k", "1m")


def http(test):
    test.need("tshark", "curl")
    _, target = serve_nginx(test, False, names=SMALL)
    urls = [f"http://{target}/{name}" for name in ("1", "chunked/1m", "no-such")]
    packets = traced(test, ["curl", "-sS", *urls], "http.request.method", "http.request.uri",
                     "http.response.code", "http.file_data", "tcp.len", "tcp.flags.str")
    asked = packets.have("http.request.method", "http.request.uri")
    expect(asked == [["GET", "/1"], ["GET", "/chunked/1m"], ["GET", "/no-such"]], f"{asked}")
    codes = packets.have("http.response.code")
    expect(codes == [["200"], ["200"], ["404"]], f"{codes}")
    bodies = packets.have("http.file_data", of="http.response.code")
    expect(all(body for body, in bodies), f"{bodies}")
    shake = [row["tcp.flags.str"].replace("·", "") for row in packets.rows if row["tcp.len"] == "0"]
    expect(shake[:3] == ["S", "AS", "A"], f"{shake}")
    wrong_is_seen(test, packets.path)


def wrong_is_seen(test, path):
    """Were a packet wrong, we would know."""
    with open(path, "rb") as file:
        data = file.read()
    expect(data.count(b"GET /1 ") == 1, "the request")
    Packets(test.write("wrong.pcapng", data.replace(b"GET /1 ", b"GET /2 ")), wrong=True)
    Packets(test.write("twice.pcapng", 2 * data), wrong=True)


def http_server(test):
    """The accepting side, by a server of several processes."""
    test.need("tshark", "curl")
    server, target = serve_nginx(test, True, names=SMALL)
    for number in range(5):
        test.run(["curl", "-sS", f"http://{target}/{'1m' if number % 2 else '1'}"])
    server.stop()
    server.capture()
    packets = Packets(server.base + ".pcapng", "http.request.uri", "http.request.method", "tcp.stream")
    packets.expect_processes(server)
    asked = packets.have("http.request.uri", of="http.request.method")
    expect(asked == [["/1"], ["/1m"], ["/1"], ["/1m"], ["/1"]], f"{asked}")
    streams = {row["tcp.stream"] for row in packets.rows}
    expect(streams >= set("01234"), f"{streams}")


def both_ends(test):
    """Client and server are traced: each connection is there once, as the server's."""
    test.need("tshark", "curl")
    port = test.free_port()
    url = f"http://{test.host}:{port}"
    test.write("www/file", lib.noise(300000))
    script = f"""
        {PYTHON} -m http.server {port} --bind {test.host} -d {test.path("www")} 2>/dev/null &
        until curl -s -o /dev/null {url}; do sleep 0.1; done
        curl -s -o /dev/null {url}/file {url}/none
        kill %1
        wait"""
    process = test.run(["bash", "-c", script], traced=True)
    process.capture()
    packets = Packets(process.base + ".pcapng", "http.request.uri", "http.request.method",
                      "http.response.code")
    names = {name for of in ("http.request.method", "http.response.code")
             for name, in packets.have("pktap.cmdname", of=of)}
    expect(names == {"python3"}, f"{names}")
    asked = [uri for uri, in packets.have("http.request.uri", of="http.request.method")]
    expect(asked == ["/", "/file", "/none"], f"{asked}")


def dns(test):
    test.need("tshark", "dig")
    _, target = serve_own(test, False, [PYTHON, os.path.join(lib.HERE, "dns_server.py")])
    host, _, port = target.rpartition(":")
    packets = traced(test, ["dig", "-r", f"@{host}", "-p", port, "+tries=1", "+short",
                            "name0.test", "name1.test"], "dns.flags.response", "dns.qry.name", "dns.a",
                     options=["-d", f"udp.port=={port},dns"])
    found = packets.have("dns.flags.response", "dns.qry.name", "dns.a")
    asked = [name for response, name, _ in found if response in ("0", "False")]
    expect(asked == ["name0.test", "name1.test"], f"{found}")
    expect(len(found) == 4 and sum(bool(answer) for _, _, answer in found) == 2, f"{found}")


def redis(test):
    test.need("tshark", "redis-cli", "redis-server")
    _, target = serve_redis(test, False)
    host, _, port = target.rpartition(":")
    commands = test.write("commands", "".join(f"set key{n} {'v' * n}\nget key{n}\n"
                                              for n in range(1, 50)))
    with open(commands, "rb") as stdin:
        packets = traced(test, ["redis-cli", "-h", host, "-p", port], "resp.bulk_string.value",
                         "tcp.dstport", stdin=stdin, options=["-d", f"tcp.port=={port},resp"])
    found = [line for line in packets.have("resp.bulk_string.value", "tcp.dstport")
             if line[1] == port]
    words = [bytes.fromhex(word.replace(":", "")).decode() if set(word) <= set("0123456789abcdef:")
             else word for line in found for word in line[0].split(",")]
    wanted = [word for n in range(1, 50) for word in ("set", f"key{n}", "v" * n, "get", f"key{n}")]
    expect(words[-len(wanted):] == wanted, f"{words[:20]}")


def postgres(test):
    test.need("tshark")
    server, target = serve_postgres(test, False)
    host, _, port = target.rpartition(":")
    psql = [postgres_program("psql"), "-X", "-U", "tester", "-d", "postgres", "-c",
            "select 41 + 1", "-c", "select no_such", "-h"]
    packets = traced(test, [*psql, host, "-p", port], "pgsql.query", "pgsql.val.data", cwd="/",
                     options=["-d", f"tcp.port=={port},pgsql"])
    asked = packets.have("pgsql.query")
    expect(asked == [["select 41 + 1"], ["select no_such"]], f"{asked}")
    rows = packets.have("pgsql.val.data")
    expect(rows == [["3432"]] or rows == [["34:32"]], f"{rows}")


def bulk(test):
    """8 MB, or 100: the stream is that of the oracle, and its analysis finds nothing."""
    test.need("tshark", "curl")
    name = "100m" if lib.LARGE else "8m"
    _, target = serve_nginx(test, False, names=[name])
    proxy = Proxy(test, target)
    packets = traced(test, ["curl", "-sS", "-o", "/dev/null", f"http://{proxy.address}/{name}"])
    (conn,) = proxy.take()
    followed = follow(test, packets.path)
    expect(followed["c2s"] == b"".join(read_record(conn, "c2s")), "the request differs")
    answer = b"".join(read_record(conn, "s2c"))
    expect(len(answer) > NGINX_FILES[name] and followed["s2c"] == answer, "the answer differs")


def follow(test, path):
    """Both directions as -z follow has them."""
    out = test.path("followed")
    with open(out, "wb") as file:
        done = subprocess.run(["tshark", "-r", path, "-q", "-z", "follow,tcp,raw,0"], stdout=file,
                              stderr=subprocess.PIPE, env=ENV, timeout=10 * lib.PATIENCE)
    expect(done.returncode == 0, f"tshark fails: {done.stderr}")
    ways = {"c2s": [], "s2c": []}
    with open(out, "rb") as file:
        for line in file:
            data = line.strip()
            if data and set(data[:8]) <= set(b"0123456789abcdef") and len(data) % 2 == 0:
                ways["s2c" if line.startswith(b"\t") else "c2s"].append(bytes.fromhex(data.decode()))
    return {way: b"".join(data) for way, data in ways.items()}


def live(test):
    """A pipe into tshark shows the exchange while it happens."""
    test.need("tshark", "curl")
    server, target = serve_own(test, False, [PYTHON, os.path.join(lib.HERE, "wait_server.py")])
    seen = test.path("seen")
    command = f"|tshark -l -n -i - -T fields -e http.request.uri -e http.response.code >{seen} " \
              f"2>/dev/null"
    client = test.begin([IOTRACE, "-f", "pcapng", "-o", command, "--", "curl", "-sS",
                         f"http://{target}/first", f"http://{target}/second"])
    lib.await_content(seen, rb"^/first\t$")
    expect(not client.ended(0), "it is over")
    server.popen.send_signal(lib.signal.SIGUSR1)  # and it answers
    lib.await_content(seen, rb"^\t200$")
    lib.await_content(seen, rb"^/second\t$")
    expect(not client.ended(0), "it is over")
    server.popen.send_signal(lib.signal.SIGUSR1)
    expect(client.wait() == 0, f"{client.told()}")
    with open(seen, "rb") as file:
        words = file.read().split()
    expect(words == [b"/first", b"200", b"/second", b"200"], f"{words}")


def raw_link(test):
    """--pcap-link raw, for those who do not know PKTAP."""
    test.need("tcpdump", "curl", "tcpflow")
    _, target = serve_nginx(test, False, names=SMALL)
    process = test.run(["curl", "-sS", f"http://{target}/1"], traced=True)
    process.capture()
    raw = test.path("raw.pcapng")
    exported = test.run([IOTRACE, "export", "--pcap-link", "raw", process.base + ".iot", "-o", raw])
    expect(exported.status == 0, exported.told())
    for path, kind in (raw, "RAW"), (process.base + ".pcapng", "PKTAP"):
        done = subprocess.run(["tcpdump", "-n", "-r", path, "-A"], capture_output=True)
        expect(kind.encode() in done.stderr and b"GET /1 HTTP/1.1" in done.stdout, f"{done}")
    flows = test.path("flows")
    os.mkdir(flows)
    subprocess.run(["tcpflow", "-o", flows, "-r", raw], capture_output=True, check=True)
    found = [open(os.path.join(flows, name), "rb").read() for name in os.listdir(flows)
             if name.startswith("127")]
    expect(len(found) == 2 and any(data.startswith(b"GET /1 ") for data in found) and
           any(data.startswith(b"HTTP/1.1 200") for data in found), f"{os.listdir(flows)}")


def local_sockets(test):
    """AF_UNIX on made-up addresses, named by Name Resolution blocks."""
    test.need("tshark")
    path = test.path("s.PGSQL.5432")
    process = test.begin([PYTHON, "-c", TALK, path], traced=True, options=["--unix"])
    expect(process.wait() == 0, process.told())
    process.capture()
    packets = Packets(process.base + ".pcapng", "tcp.len", "tcp.dstport", "ipv6.dst_host",
                      options=["-N", "n"])
    lengths = [line for line in packets.have("tcp.len", "tcp.dstport") if line[0] != "0"]
    expect(lengths[0] == ["5", "5432"] and lengths[1][0] == "6", f"{lengths}")
    names = packets.have("ipv6.dst_host")
    expect([path] in names, f"{names}")


TALK = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b"hello")
server, _ = listener.accept()
server.recv(100)
server.sendall(b"answer")
client.recv(100)
client.close()
server.recv(1)
server.close()
"""


def extcap(test):
    """iotrace in Wireshark's list of interfaces; and run by it."""
    test.need("tshark", "curl")
    server, target = serve_nginx(test, False, names=SMALL)
    folder = test.path("home/.config/wireshark/extcap")
    os.makedirs(folder)
    os.symlink(os.path.abspath(IOTRACE), os.path.join(folder, "iotrace"))
    env = dict(ENV, HOME=test.path("home"), WIRESHARK_EXTCAP_DIR=folder)
    env.pop("XDG_CONFIG_HOME", None)
    listed = subprocess.run(["tshark", "-D"], capture_output=True, env=env).stdout
    expect(b"iotrace-run (iotrace: trace a program)" in listed and b"iotrace-attach" in listed,
           f"{listed}")
    shown = run_extcap(env, "iotrace-run", "program", f"curl -s http://{target}/1 -o /dev/null")
    expect([b"curl", b"/1", b""] in shown and [b"curl", b"", b"200"] in shown, f"{shown}")
    # Ended by Wireshark: the program is, too, as it was started for this.
    mark = test.path("mark")
    run_extcap(env, "iotrace-run", "program",
               f"{PYTHON} {test.write('stay.py', STAY)} {target} {mark}", "-c", "5")
    lib.await_content(mark, b"done")
    until = lib.time.monotonic() + lib.PATIENCE
    while any(name == "iotrace" for name in map(name_of, lib.descendants())):
        expect(lib.time.monotonic() < until, "iotrace is still there")
        lib.time.sleep(0.05)
    # Attached: the server goes on.
    attached = lib.threading.Thread(target=ask_until, args=(test, target, server))
    attached.start()
    # So many that a whole connection is among them, if the first was met in its middle.
    shown = run_extcap(env, "iotrace-attach", "name", "nginx", "-c", "20")
    server.asked = True
    attached.join()
    expect([b"nginx", b"/1", b""] in shown, f"{shown}")
    expect(not server.ended(0), "the server ended")


STAY = """
import sys, time, urllib.request
urllib.request.urlopen(f"http://{sys.argv[1]}/1").read()
open(sys.argv[2], "w").write("done")
time.sleep(1000)
"""


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def ask_until(test, target, server):
    server.asked = False
    while not server.asked:
        test.run(["curl", "-sS", "-o", "/dev/null", f"http://{target}/1"])
        lib.time.sleep(0.05)


def run_extcap(env, interface, option, value, *more):
    done = subprocess.run(
        ["tshark", "-i", interface, "-o", f"extcap.{interface.replace('-', '_')}.{option}:{value}",
         *more, "-T", "fields", "-e", "pktap.cmdname", "-e", "http.request.uri", "-e",
         "http.response.code"], capture_output=True, env=env, timeout=lib.PATIENCE)
    return [line.split(b"\t") for line in done.stdout.split(b"\n")]


def serve_tls(test, *options):
    """openssl s_server -HTTP, which answers GET /NAME with what that file says."""
    test.need("openssl", "curl", "tshark")
    folder = os.path.dirname(test.write(
        "tls/file", "HTTP/1.0 200 ok\r\nContent-Length: 14\r\n\r\na secret file\n"))
    made = test.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                     "-subj", "/CN=server.test", "-keyout", "key", "-out", "cert"], cwd=folder)
    expect(made.status == 0, made.told())
    port = test.free_port()
    server = test.start(["openssl", "s_server", "-accept", f"{test.host}:{port}", "-cert", "cert",
                         "-key", "key", "-HTTP", *options], cwd=folder, merge=True,
                        stdin=subprocess.PIPE)
    server.await_output("^ACCEPT")
    return ["curl", "-sSk", "--resolve", f"server.test:{port}:{test.host}",
            f"https://server.test:{port}/file"]


def with_secrets(path, lines, made):
    """The capture with its secrets as events behind the call that has read the server's first flight."""
    with open(path, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    written, seq = [], 0
    for event in events:
        written.append(event)
        if event["type"] == "data" and event["layer"] == "wire" and event["dir"] == "in" and lines:
            who = {key: event[key] for key in ("time", "pid", "tid", "comm")}
            written += [{"type": "secret", "seq": 0, **who, "line": line} for line in lines]
            lines = []
    with open(made, "w", encoding="utf-8") as file:
        for event in written:
            seq += 1
            file.write(json.dumps({"type": event["type"], "seq": seq, **{
                key: value for key, value in event.items() if key not in ("type", "seq")}}) + "\n")


def tls_secrets(test):
    """Exact ciphertext, and secrets where Wireshark can use them: it decrypts without being told."""
    for version in "-tls1_3", "-tls1_2":
        argv = serve_tls(test, version)
        keys = test.path("keys" + version)
        process = test.run(argv, traced=True, env=dict(os.environ, SSLKEYLOGFILE=keys))
        process.capture()
        with open(keys, encoding="utf-8") as file:
            lines = [line.strip() for line in file if not line.startswith("#")]
        made, path = test.path("secrets.jsonl"), test.path("secrets.pcapng")
        with_secrets(process.capture_path, lines, made)
        exported = test.run([IOTRACE, "export", made, "-o", path])
        expect(exported.status == 0, exported.told())
        packets = Packets(path, *HTTP, "ip.dst_host", options=["-N", "n"])
        expect_secret_file(packets, version)
        names = packets.have("ip.dst_host")
        expect(["server.test"] in names, f"{names}")
        # Without them it is only TLS.
        packets = Packets(process.base + ".pcapng", *HTTP, "tls.handshake.extensions_server_name")
        named = packets.have("tls.handshake.extensions_server_name")
        expect(named == [["server.test"]], f"{named}")
        expect(not any(packets.have(field) for field in HTTP), "there is HTTP")


HTTP = ["http.request.uri", "http.request.method", "http.response.code", "http.file_data"]


def expect_secret_file(packets, what):
    asked = packets.have("http.request.uri", "pktap.cmdname", of="http.request.method")
    expect(asked == [["/file", "curl"]], f"{what}: {asked}")
    answer = packets.have("http.file_data", of="http.response.code")
    expect(len(answer) == 1 and "secret file" in answer[0][0], f"{what}: {answer}")


def plaintext(test):
    """--pcap-plain: what is above TLS, in the connection that has carried it."""
    argv = serve_tls(test)
    process = test.run(argv, traced=True)
    process.capture()
    path = test.path("plain.pcapng")
    exported = test.run([IOTRACE, "export", "--pcap-plain", process.base + ".iot", "-o", path])
    expect(exported.status == 0, exported.told())
    packets = Packets(path, *HTTP, "tls.record.content_type")
    expect_secret_file(packets, "--pcap-plain")
    expect(not packets.have("tls.record.content_type"), "there is TLS")


lib.main(http, http_server, both_ends, dns, redis, postgres, bulk, live, raw_link, local_sockets,
         extcap, tls_secrets, plaintext)
