"""
A DNS server over UDP and TCP: takes the address, prints the port. The answer to name.test is made
from the name; big.test has an answer that does not fit in a small datagram, where it is cut, and
nil.test none. It ends on SIGTERM.
"""
import hashlib
import os
import selectors
import signal
import socket
import struct
import sys

A, TXT, OPT = 1, 16, 41


def parse(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]])
        at += 1 + query[at]
    kind, = struct.unpack_from(">H", query, at + 1)
    question = query[12:at + 5]
    room = 512
    if struct.unpack_from(">H", query, 10)[0]:  # EDNS: the asker's own room
        room, = struct.unpack_from(">H", query, at + 5 + 3)
    return labels, kind, question, room


def records(labels, kind):
    if labels[0] == b"nil":
        return []
    texts = [b"%d " % n + b"x" * 200 for n in range(40)] if labels[0] == b"big" else [labels[0]]
    if kind == TXT:
        return [bytes([len(text)]) + text for text in texts]
    return [hashlib.sha256(text).digest()[:4] for text in texts]


def answer(query, over_tcp):
    labels, kind, question, room = parse(query)
    found = records(labels, kind)
    body = b"".join(struct.pack(">HHHIH", 0xc00c, kind, 1, 60, len(data)) + data for data in found)
    cut = not over_tcp and 12 + len(question) + len(body) > room
    flags = 0x8180 | (0x0200 if cut else 0) | (0 if found else 3)
    head = query[:2] + struct.pack(">HHHHH", flags, 1, 0 if cut else len(found), 0, 0)
    return head + question + (b"" if cut else body)


def read_exactly(conn, size):
    data = b""
    while len(data) < size and (more := conn.recv(size - len(data))):
        data += more
    return data


def serve_tcp(listener):
    conn, _ = listener.accept()
    with conn:
        while len(size := read_exactly(conn, 2)) == 2:
            reply = answer(read_exactly(conn, struct.unpack(">H", size)[0]), True)
            conn.sendmsg([struct.pack(">H", len(reply)), reply])


def serve_udp(udp):
    query, peer = udp.recvfrom(1 << 16)
    udp.sendto(answer(query, False), peer)


def sockets(host):
    """Both on one port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        tcp, udp = socket.socket(family), socket.socket(family, socket.SOCK_DGRAM)
        tcp.bind((host, 0))
        try:
            udp.bind((host, tcp.getsockname()[1]))
        except OSError:
            continue
        tcp.listen()
        return tcp, udp


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    tcp, udp = sockets(sys.argv[1])
    print("listening on", tcp.getsockname()[1], flush=True)
    ready = selectors.DefaultSelector()
    ready.register(tcp, selectors.EVENT_READ, serve_tcp)
    ready.register(udp, selectors.EVENT_READ, serve_udp)
    while True:
        for key, _ in ready.select():
            key.data(key.fileobj)


main()
