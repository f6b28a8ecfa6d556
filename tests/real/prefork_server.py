"""
An HTTP server whose parent accepts and hands each connection to one of its children (SCM_RIGHTS). It
reads the request's first byte before that, so both have to do with the connection. Argument: the address.
"""
import os
import signal
import socket
import sys

CHILDREN = 3


def serve(conn, data):
    """One request: /SIZE."""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            return
        data += more
    size = int(data.split()[1][1:])
    conn.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"0123456789abcdef" * (size // 16))
    conn.shutdown(socket.SHUT_WR)
    while conn.recv(65536):
        pass


def child(channel):
    while True:
        data, fds, _, _ = socket.recv_fds(channel, 1, 1)
        if not data:
            os._exit(0)
        with socket.socket(fileno=fds[0]) as conn:
            serve(conn, data)


def main():
    channels = []
    for _ in range(CHILDREN):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if not os.fork():
            ours.close()
            child(theirs)
        theirs.close()
        channels.append(ours)
    listener = socket.create_server((sys.argv[1], 0), backlog=100)
    print("listening on", listener.getsockname()[1], flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    turn = 0
    while True:
        conn, _ = listener.accept()
        first = conn.recv(1)
        if first:
            socket.send_fds(channels[turn % CHILDREN], [first], [conn.fileno()])
            turn += 1
        conn.close()


main()
