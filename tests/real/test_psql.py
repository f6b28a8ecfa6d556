"""psql traced: queries, a large result, COPY in both directions, errors."""
import lib
from lib import Proxy
from servers import postgres_program, serve_postgres

ROWS = 1000000 if lib.LARGE else 20000

SCRIPT = f"""
create temp table numbers (number int, name text);
insert into numbers select n, md5(n::text) from generate_series(1, {ROWS}) n;
select count(*), sum(number) from numbers;
select * from numbers;
copy numbers to stdout;
create temp table copied (like numbers);
copy copied from stdin;
{"".join(f"{n}	text ä {n}" + chr(10) for n in range(ROWS // 10))}\\.
select count(*), max(name) from copied;
select no_such_column;
prepare p as select $1::int + 1;
execute p(41);
\\d numbers
"""


def start(test):
    _, target = serve_postgres(test, False)
    proxy = Proxy(test, target)
    return proxy, [postgres_program("psql"), "-X", "-h", proxy.host, "-p", proxy.port,
                   "-U", "tester", "-d", "postgres"]


def script(test):
    proxy, argv = start(test)
    test.check_client(proxy, argv, stdin=test.write("script", SCRIPT), cwd="/")


def stop_at_error(test):
    proxy, argv = start(test)
    test.check_client(proxy, [*argv, "-v", "ON_ERROR_STOP=1", "-f", "-"], status=3, cwd="/",
                      stdin=test.write("script", SCRIPT))
    test.check_client(proxy, [*argv, "-d", "no_such_database"], status=2, cwd="/",
                      clean=lambda output: output.replace(str(proxy.port).encode(), b"PORT"))


lib.main(script, stop_at_error)
