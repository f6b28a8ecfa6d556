"""python3 -m http.server traced: a thread for each connection."""
import concurrent.futures
import os
import signal
import socket
import urllib.error
import urllib.request

import lib
from lib import expect
from servers import MEGABYTE, serve_files

CLIENTS, EACH = 50, 40 if lib.LARGE else 4


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=lib.PATIENCE) as reply:
            return reply.read()
    except urllib.error.HTTPError as error:
        return error.code


def drive(proxy):
    """50 clients at once."""
    wanted = {"1": lib.noise(1), "1k": lib.noise(1 << 10), "1m": lib.noise(MEGABYTE),
              "no-such": 404}

    def client(number):
        for turn in range(EACH):
            name = [*wanted][(number + turn) % len(wanted)]
            expect(fetch(f"http://{proxy.address}/{name}") == wanted[name], f"not {name}")
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(client, number) for number in range(CLIENTS)]:
            done.result()
    return []


def without_port(output):
    return lib.re.sub(rb"port \d+ .*", b"port N", output)


def four(test):
    test.check_server(lambda traced: serve_files(test, traced), drive, CLIENTS * EACH,
                      signal.SIGINT, clean=without_port)


def six(test):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        raise lib.Skip("no IPv6")
    test.check_server(lambda traced: serve_files(test, traced, "::1"), drive, CLIENTS * EACH,
                      signal.SIGINT, clean=without_port)


lib.main(four, six)
