"""socat traced: a program for each connection, which speaks on descriptors 0 and 1."""
import os
import socket
import threading

import lib
from lib import address, expect

CLIENTS = 100 if lib.LARGE else 10
WORDS = b"".join(b"line %d\n" % n for n in range(20000))


def talk(proxy, request):
    with socket.create_connection((proxy.host, proxy.port)) as conn:
        sender = threading.Thread(target=lambda: (conn.sendall(request),
                                                  conn.shutdown(socket.SHUT_WR)))
        sender.start()
        parts = []
        while data := conn.recv(1 << 16):
            parts.append(data)
        sender.join()
    return b"".join(parts)


def check(test, program, wanted):
    test.need("socat")

    def serve(traced):
        port = test.free_port()
        listen = f"TCP-LISTEN:{port},bind={test.host},fork,reuseaddr,backlog=1024"
        server = test.start(["socat", listen, program], traced=traced,
                            env={**os.environ, "LC_ALL": "C"})
        server.await_listening(test.host, port)
        return server, address(test.host, port)

    def drive(proxy):
        threads = [threading.Thread(target=lambda: answers.append(talk(proxy, WORDS)))
                   for _ in range(CLIENTS)]
        answers = []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for answer in answers:
            lib.oracle.differ("an answer", answer, wanted, ("received", "wanted"))
        expect(len(answers) == CLIENTS, f"{len(answers)} answers")
        return []
    test.check_server(serve, drive, at_least=CLIENTS)


def inetd(test):
    """The program has the socket itself."""
    check(test, "EXEC:sort -r,nofork", b"".join(sorted(WORDS.splitlines(True), reverse=True)))


def shell(test):
    """A shell in between, and a builtin that reads byte by byte."""
    script = test.write("script", "read first; echo \"got $first\"; exec wc -l\n")
    check(test, f"EXEC:/bin/sh {script},nofork", b"got line 0\n19999\n")


def pair(test):
    """socat copies between the connection and a socket pair."""
    check(test, "EXEC:cat", WORDS)


lib.main(inetd, shell, pair)
