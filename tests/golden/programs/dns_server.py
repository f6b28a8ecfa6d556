"""
A DNS server over UDP and TCP with records of every type that the decoder knows: takes the address,
prints the port. Names in answers are compressed.
"""
import os
import selectors
import signal
import socket
import struct
import sys

POINTER = b"\xc0\x0c"  # to the question's name


def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def text(value):
    return bytes([len(value)]) + value


RECORDS = {
    1: [socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2")],
    28: [socket.inet_pton(socket.AF_INET6, "2001:db8::1")],
    5: [b"\x03www" + POINTER],
    15: [struct.pack(">H", 10) + b"\x04mail" + POINTER, struct.pack(">H", 20) + name("mx.example")],
    16: [text(b"v=spf1 -all") + text(b"second \"quoted\" \xff"), text(b"")],
    33: [struct.pack(">HHH", 1, 2, 5060) + name("sip.example.com")],
    12: [name("host.example.com")],
    6: [name("ns1.example.com") + name("admin.example.com")
        + struct.pack(">IIIII", 2024010100, 7200, 3600, 1209600, 300)],
    2: [b"\x03ns1" + POINTER, b"\x03ns2" + POINTER],
    65: [struct.pack(">H", 1) + b"\0" + struct.pack(">HH", 1, 6) + text(b"h2") + text(b"h3")
         + struct.pack(">HHH", 3, 2, 8443) + struct.pack(">HH", 4, 4) + socket.inet_aton("192.0.2.7")
         + struct.pack(">HH", 5, 3) + b"ech"],
    257: [b"\0" + text(b"issue") + b"ca.example"],
    65280: [b"any bytes"],
}


def answer(query):
    at = 12
    while query[at]:
        at += 1 + query[at]
    kind, = struct.unpack_from(">H", query, at + 1)
    question = query[12:at + 5]
    found = [] if b"missing" in question else RECORDS.get(kind, [])
    body = b"".join(POINTER + struct.pack(">HHIH", kind, 1, 300, len(data)) + data for data in found)
    has_opt = struct.unpack_from(">H", query, 10)[0]
    opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 9) + struct.pack(">HHH", 15, 5, 3) + b"old"
    flags = 0x8580 | (0 if found else 3)
    return (query[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 1 if has_opt else 0)
            + question + body + (opt if has_opt else b""))


def read_exactly(conn, size):
    data = b""
    while len(data) < size and (more := conn.recv(size - len(data))):
        data += more
    return data


def serve_tcp(listener):
    conn, _ = listener.accept()
    with conn:
        while len(size := read_exactly(conn, 2)) == 2:
            reply = answer(read_exactly(conn, struct.unpack(">H", size)[0]))
            conn.sendall(struct.pack(">H", len(reply)) + reply)


def serve_udp(udp):
    query, peer = udp.recvfrom(1 << 16)
    udp.sendto(answer(query), peer)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
tcp.bind((sys.argv[1], 0))
udp.bind(tcp.getsockname())
tcp.listen()
print("listening on", tcp.getsockname()[1], flush=True)
ready = selectors.DefaultSelector()
ready.register(tcp, selectors.EVENT_READ, serve_tcp)
ready.register(udp, selectors.EVENT_READ, serve_udp)
while True:
    for key, _ in ready.select():
        key.data(key.fileobj)
