#!/usr/bin/python3
"""
Records the streams in tests/golden/streams from real programs; each is a case of this file.

    IOTRACE=build/gcc/iotrace record.py [NAME]...

Packages beyond those of `./bootstrap deps`: python3-h2 python3-grpcio node-ws mariadb-server
libdbd-mariadb-perl. What comes out is looked at, and committed with what the decoders make of it
(IOTRACE_UPDATE=1 unit_decode_streams).
"""
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "real"))

import lib  # noqa: E402
import servers  # noqa: E402
import streams  # noqa: E402

STREAMS = os.path.join(HERE, "streams")
PROGRAMS = os.path.join(HERE, "programs")

NGINX = """
daemon off;
user nobody nogroup;
worker_processes 1;
pid {dir}/pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    types {{ text/html html; application/json json; }}
    server {{
        listen {host}:{plain};
        root {dir}/www;
        gzip on;
        gzip_types application/json;
        gzip_min_length 10;
        location /old {{ return 301 /index.html; }}
        location /none {{ return 204; }}
    }}
    server {{
        listen {host}:{h2} http2;
        root {dir}/www;
    }}
    server {{
        listen {host}:{tls} ssl http2;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {dir}/cert.pem;
        ssl_certificate_key {dir}/key.pem;
        root {dir}/www;
    }}
}}
"""


def save(name, comment, test, traced, conn=None):
    text = streams.stream(streams.load(traced.capture_path), conn)
    # Addresses of a test process differ from run to run; those in payloads have a length.
    text = re.sub("^conn .*", lambda line: line[0].replace(test.host, "127.0.0.2"), text)
    with open(os.path.join(STREAMS, name + ".stream"), "w", encoding="utf-8") as file:
        file.write(f"# {comment}\n{text}")


def conns(traced):
    """Connections that have data, in their order."""
    seen = []
    for event in streams.load(traced.capture_path):
        if event["type"] == "data" and event.get("conn") and event["conn"] not in seen:
            seen.append(event["conn"])
    return seen


def nginx(test):
    where = test.path("nginx")
    ports = {name: test.free_port() for name in ("plain", "h2", "tls")}
    test.write("nginx/www/index.html", "<!doctype html><title>Hi</title><p>" + "Hello. " * 40 + "\n")
    test.write("nginx/www/data.json", '{"name":"Zoë","list":[1,2,3],"text":"' + "abc " * 60 + '"}\n')
    os.chmod(where, 0o755)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                    "-subj", "/CN=example.com", "-keyout", where + "/key.pem",
                    "-out", where + "/cert.pem"], check=True, capture_output=True)
    conf = test.write("nginx/conf", NGINX.format(dir=where, host=test.host, **ports))
    server = test.start(["nginx", "-p", where, "-c", conf, "-e", "stderr"])
    server.await_listening(test.host, ports["plain"])
    return {name: f"{test.host}:{port}" for name, port in ports.items()}


def http1_curl(test):
    at = nginx(test)
    base = f"http://{at['plain']}"
    curl = test.run(["curl", "-s", "-H", "Host: example.com", "--compressed",
                     base + "/index.html", base + "/data.json", base + "/old", base + "/none",
                     base + "/missing", "-r", "0-9", base + "/index.html"], traced=True)
    save("http1-curl", "curl and nginx: keep-alive, gzip in chunks, 206, 301, 204, 404", test, curl)
    curl = test.run(["curl", "-s", "-I", base + "/index.html", "--next", "-s", "-d", "a=1&b=2",
                     base + "/index.html", "--next", "-s", "-T", __file__, "-H",
                     "Expect: 100-continue", base + "/put"], traced=True)
    save("http1-curl-send", "curl and nginx: HEAD, a form, an upload with 100-continue", test, curl)


def http1_python(test):
    server, at = servers.serve_files(test, False)
    curl = test.run(["curl", "-s", f"http://{at}/1k", "-o", "/dev/null"], traced=True)
    save("http1-python", "python's server: HTTP/1.0, the body in a write of its own", test, curl)
    curl = test.run(["curl", "-s", "--http2", f"http://{at}/1"], traced=True)
    save("http1-upgrade-ignored", "an upgrade to h2c that the server ignores", test, curl)


def http2_curl(test):
    at = nginx(test)
    base = f"http://{at['h2']}"
    h2 = ["-s", "--http2-prior-knowledge", "-H", "Host: example.com", "-H", "X-Test: ä"]
    curl = test.run(["curl", *h2, base + "/index.html", base + "/data.json", base + "/missing"],
                    traced=True)
    save("http2-curl", "curl and nginx: HTTP/2 in clear, several streams", test, curl)


def http2_h2(test):
    server = test.start([lib.PYTHON, os.path.join(PROGRAMS, "h2_server.py"), test.host])
    port = server.await_output(r"^listening on (\d+)$")[1].decode()
    curl = test.run(["curl", "-s", "--http2", "-H", "Host: example.com", f"http://{test.host}:{port}/upgraded",
                     f"http://{test.host}:{port}/second"], traced=True)
    save("http2-upgrade", "curl and python3-h2: an upgrade to h2c, padding, trailers", test, curl)


def tls(test):
    at = nginx(test)
    for version in "1.2", "1.3":
        curl = test.run(["curl", "-s", "-k", "--tlsv" + version, "--tls-max", version, "--resolve",
                         f"example.com:{at['tls'].split(':')[1]}:{test.host}",
                         f"https://example.com:{at['tls'].split(':')[1]}/index.html"], traced=True)
        wire = test.path("wire.jsonl")
        # What our own probes read above TLS is not this stream's affair.
        with open(curl.capture_path) as lines, open(wire, "w") as out:
            out.writelines(line for line in lines if '"layer":"plain"' not in line)
        curl.capture_path = wire
        save(f"tls-{version}", f"curl and nginx: the hellos of TLS {version}", test, curl)
    client = test.run(["openssl", "s_client", "-connect", at["tls"], "-tls1_1", "-cipher",
                       "DEFAULT@SECLEVEL=0"], traced=True)
    save("tls-alert", "openssl offers a version that nginx refuses", test, client)


def websocket(test):
    server = test.start(["node", os.path.join(PROGRAMS, "ws_server.js"), test.host])
    port = server.await_output(r"^listening on (\d+)$")[1].decode()
    for name, deflate in ("websocket", "0"), ("websocket-deflate", "1"):
        client = test.run(["node", os.path.join(PROGRAMS, "ws_client.js"), test.host, port, deflate],
                          traced=True)
        save(name, f"node's ws: text, binary, fragments, ping, close; deflate {deflate}", test,
             client)


def dns(test):
    server = test.start([lib.PYTHON, os.path.join(PROGRAMS, "dns_server.py"), test.host])
    port = server.await_output(r"^listening on (\d+)$")[1].decode()
    base = ["dig", "@" + test.host, "-p", port, "+tries=1", "+time=5"]
    for kind in ("A", "AAAA", "CNAME", "MX", "TXT", "SRV", "PTR", "SOA", "NS", "HTTPS", "CAA",
                 "TYPE65280"):
        dig = test.run([*base, kind.lower() + ".test", kind], traced=True)
        save("dns-" + kind.lower(), f"dig {kind}", test, dig)
    dig = test.run([*base, "+nocookie", "+dnssec", "+subnet=192.0.2.0/24", "missing.test"],
                   traced=True)
    save("dns-edns", "dig with EDNS options; NXDOMAIN", test, dig)
    dig = test.run([*base, "+tcp", "+keepopen", "a.test", "A", "mx.test", "MX"], traced=True)
    save("dns-tcp", "dig over TCP, two questions on one connection", test, dig)


def redis(test):
    server, at = servers.serve_redis(test, False)
    host, port = at.split(":")
    cli = ["redis-cli", "-h", host, "-p", port]
    script = test.write("commands", "\n".join((
        "SET key value", "GET key", "GET missing", "INCR n", "INCR key",
        "RPUSH list a b c", "LRANGE list 0 -1", "HSET h f1 v1 f2 v2", "HGETALL h", "MULTI",
        "SET a 1", "INCR a", "EXEC", 'SET bin "\\x00\\xff\\r\\n"', "GET bin", "PING",
        "COMMAND COUNT", "EVAL 'return {1,{2,{3}},\"x\"}' 0")) + "\n")
    with open(script, "rb") as stdin:
        traced = test.run([*cli, "-3"], stdin=stdin, traced=True)
    save("redis-cli", "redis-cli -3, which asks for the documents of all commands first", test, traced)
    subscriber = test.begin([*cli, "SUBSCRIBE", "news", "sport"], traced=True)
    time.sleep(0.5)
    for text in "one", "two":
        test.run([*cli, "PUBLISH", "news", text])
    time.sleep(0.2)
    subscriber.stop(2)
    save("redis-subscribe", "redis-cli: a subscription, and what is pushed", test, subscriber)
    traced = test.run([lib.PYTHON, os.path.join(PROGRAMS, "redis_raw.py"), host, port], traced=True)
    save("redis-pipeline", "a pipeline, inline commands, CLIENT REPLY, a long value", test, traced)


def postgres(test):
    server, at = servers.serve_postgres(test, False)
    host, port = at.split(":")
    psql = ["psql", "-h", host, "-p", port, "-U", "tester", "-d", "postgres", "-X", "-q"]
    script = test.write("script.sql", """
CREATE TABLE t (id int PRIMARY KEY, name text, n numeric);
INSERT INTO t VALUES (1, 'one', 1.50), (2, NULL, 2);
SELECT * FROM t ORDER BY id;
SELECT 1 AS a; SELECT 2 AS b, 'zwölf' AS c;
UPDATE t SET n = n + 1;
SELECT nothing FROM nowhere;
DROP TABLE IF EXISTS missing;
COPY t FROM STDIN;
3\tthree\t3
4\tfour\t\\N
\\.
COPY t TO STDOUT;
LISTEN channel;
NOTIFY channel, 'payload';
DELETE FROM t WHERE id > 100;
""")
    traced = test.run([*psql, "-f", script], traced=True)
    save("postgres-psql", "psql: simple queries, errors, notices, COPY both ways", test, traced)
    script = test.write("bench.sql", "SELECT :a::int + 1 AS sum, 'x' || :b::text AS b;\n")
    for mode in "extended", "prepared":
        traced = test.run(["pgbench", "-h", host, "-p", port, "-U", "tester", "-n", "-M", mode, "-t",
                           "2", "-D", "a=41", "-D", "b=text", "-f", script, "postgres"], traced=True)
        save("postgres-" + mode, f"pgbench -M {mode}", test, traced, conns(traced)[-1])
    traced = test.run([lib.PYTHON, os.path.join(PROGRAMS, "postgres_raw.py"), host, port],
                      traced=True)
    save("postgres-batch", "steps in one batch with an error in the middle, binary values, cancel",
         test, traced, conns(traced)[0])


def mysql(test):
    data, port = test.path("mysql"), str(test.free_port())
    os.mkdir(data)
    os.chmod(data, 0o777)
    install = ["mariadb-install-db", "--no-defaults", "--user=nobody", "--datadir=" + data,
               "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True)
    server = test.start(["mariadbd", "--no-defaults", "--user=nobody", "--datadir=" + data,
                         "--bind-address=" + test.host, "--port=" + port, "--socket=",
                         "--skip-name-resolve", "--local-infile=1", "--skip-ssl"], merge=True)
    server.await_output("ready for connections")
    client = ["mariadb", "--no-defaults", "-h", test.host, "-P", port, "-u", "root",
              "--local-infile=1"]
    subprocess.run([*client, "-e", "CREATE USER u@'%' IDENTIFIED BY 'pw'; CREATE DATABASE d; "
                    "GRANT ALL ON d.* TO u@'%'"], check=False)
    local = test.write("rows", "7\tseven\n8\teight\n")
    script = test.write("script.sql", f"""
CREATE TABLE t (id int PRIMARY KEY, name text);
INSERT INTO t VALUES (1, 'one'), (2, NULL);
SELECT * FROM t;
SELECT 'zwölf', x'00ff';
SELECT nothing;
LOAD DATA LOCAL INFILE '{local}' INTO TABLE t;
SELECT count(*) FROM t;
""")
    with open(script, "rb") as stdin:
        traced = test.run([*client[:7], "u", "-ppw", "--local-infile=1", "--force", "d"],
                          stdin=stdin, traced=True)
    save("mysql-mariadb", "mariadb: login, queries, an error, LOAD DATA LOCAL", test, traced)
    traced = test.run(["perl", os.path.join(PROGRAMS, "mysql.pl"), test.host, port], traced=True)
    save("mysql-prepared", "DBD::MariaDB: prepared statements, several results", test, traced)


def smtp(test):
    server = test.start([lib.PYTHON, "-W", "ignore", os.path.join(PROGRAMS, "smtp_server.py"),
                         test.host])
    port = server.await_output(r"^listening on (\d+)$")[1].decode()
    traced = test.run([lib.PYTHON, os.path.join(PROGRAMS, "smtp_client.py"), test.host, port],
                      traced=True)
    save("smtp", "python's smtplib: two mails, a refused one, dots at the beginning of lines", test,
         traced)


def grpc(test):
    server = test.start([lib.PYTHON, os.path.join(PROGRAMS, "grpc_server.py"), test.host])
    port = server.await_output(r"^listening on (\d+)$")[1].decode()
    traced = test.run([lib.PYTHON, os.path.join(PROGRAMS, "grpc_client.py"), test.host, port],
                      traced=True)
    save("grpc", "python3-grpcio: unary, streams both ways, an error, gzip", test, traced)


lib.main(http1_curl, http1_python, http2_curl, http2_h2, tls, websocket, dns, redis, postgres, mysql,
         smtp, grpc)
