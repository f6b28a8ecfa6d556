"""A PostgreSQL server traced: a process for each connection."""
import signal

import lib
from lib import expect
from servers import postgres_program, serve_postgres

CLIENTS = 10
QUERIES = 200 if lib.LARGE else 10

SCRIPT = "".join(f"""
select {n}, count(*), md5(string_agg(i::text, ',')) from generate_series(1, {1000 * n}) i;
select i, md5(i::text) from generate_series(1, {100 * n}) i;
select no_such_column_{n};
""" for n in range(1, QUERIES + 1))


def together(test):
    """Clients at the same time, in text and in pgbench's binary, prepared way."""
    psql, pgbench = postgres_program("psql"), postgres_program("pgbench")
    script = test.write("script", SCRIPT)
    bench = test.write("bench", "\\set n random(1, 1000)\nselect repeat('x', :n), :n;\n")

    def drive(proxy):
        to = ["-h", proxy.host, "-p", proxy.port, "-U", "tester"]
        clients = []
        for _ in range(CLIENTS):
            with open(script, "rb") as stdin:
                clients.append(test.begin([psql, "-X", *to, "postgres"], stdin=stdin, cwd="/"))
        for client in clients:
            client.status = client.wait()
        bench_client = test.run([pgbench, *to, "-n", "-M", "prepared", "-f", bench, "-c", "5",
                                 "-t", QUERIES * 10, "postgres"], cwd="/")
        expect(bench_client.status == 0, f"pgbench: {bench_client.told()}")
        return clients
    # SIGINT: it ends without waiting for connections.
    test.check_server(lambda traced: serve_postgres(test, traced), drive,
                      at_least=CLIENTS + 5, number=signal.SIGINT, clean=lib.nothing)


lib.main(together)
