"""PostgreSQL with sslmode=require traced: psql, and the server with a process for each client."""
import os
import signal

import lib
import tls
from lib import expect
from servers import postgres_program, serve_postgres_tls

SCRIPT = f"""
create temp table numbers (number int, name text);
insert into numbers select n, md5(n::text) from generate_series(1, 20000) n;
select * from numbers;
select 'a';
select repeat('b', 16384);
{"select repeat('c', 1000000) from generate_series(1, 100);" * lib.LARGE}
copy numbers to stdout;
create temp table copied (like numbers);
copy copied from stdin;
{"".join(f"{n}	text ä {n}" + chr(10) for n in range(2000))}\\.
select count(*), max(name) from copied;
select no_such_column;
"""

CLIENTS = 2 if lib.LARGE else 5
ENV = {**os.environ, "PGSSLMODE": "require", "PGGSSENCMODE": "disable"}


def before(client, server, _):
    """The request for TLS, in clear, and the answer."""
    server.sendall(client.recv(8, lib.socket.MSG_WAITALL))
    answer = server.recv(1)
    client.sendall(answer)
    expect(answer == b"S", f"the server has no TLS: {answer}")


def to(test, target, version):
    return tls.Proxy(test, target, version=version, before=before)


def psql(proxy):
    return [postgres_program("psql"), "-X", "-h", proxy.host, "-p", proxy.port, "-U", "tester",
            "-d", "postgres"]


def client(test):
    _, target = serve_postgres_tls(test, False)
    for version in tls.VERSIONS:
        proxy = to(test, target, version)
        test.check_client(proxy, psql(proxy), stdin=test.write("script", SCRIPT), cwd="/", env=ENV)


def server(test):
    script = test.write("script", SCRIPT)

    def drive(proxy):
        clients = []
        for _ in range(CLIENTS):
            with open(script, "rb") as stdin:
                clients.append(test.begin(psql(proxy), stdin=stdin, cwd="/", env=ENV))
        for one in clients:
            one.status = one.wait()
        return clients
    for version in tls.VERSIONS:
        test.check_server(lambda traced: serve_postgres_tls(test, traced), drive, at_least=CLIENTS,
                          number=signal.SIGINT, clean=lib.nothing,
                          proxy_to=lambda target: to(test, target, version))


lib.main(client, server)
