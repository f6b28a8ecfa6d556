#!/usr/bin/python3
"""
Writes the streams in tests/golden/streams that no program here would send: HTTP/2 with pushes, padding,
CONTINUATION, resets and a beginning that was not seen. Needs python3-h2.
"""
import os
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import streams  # noqa: E402

LONG = ("x-long", " ".join(str(n) for n in range(5000)))
REQUEST = [(":method", "GET"), (":scheme", "http"), (":authority", "example.com")]


class Pair:
    """A client and a server that talk, and what they say as the client's end sees it."""

    def __init__(self):
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.lines, self.seq = [], 0
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.move()

    def move(self):
        for source, target, mark in (self.client, self.server, ">"), (self.server, self.client, "<"):
            data = source.data_to_send()
            if data:
                self.seq += 1
                self.lines.append(f"{mark} {self.seq} {self.seq * 1000} {streams.strings(data)}")
                target.receive_data(data)

    def write(self, name, comment, skip=0):
        begin = "attached unknown" if skip else "fresh out"
        with open(os.path.join(HERE, "streams", name + ".stream"), "w", encoding="utf-8") as file:
            file.write(f"# {comment}\nconn tcp 127.0.0.1:50000 127.0.0.1:80 {begin}\n")
            file.writelines(line + "\n" for line in self.lines[skip:])
            file.write("end >\nend <\n")


def everything():
    pair = Pair()
    pair.client.send_headers(1, [*REQUEST, (":path", "/first"), LONG], end_stream=True)
    pair.client.send_headers(3, [(":method", "POST"), *REQUEST[1:], (":path", "/upload"),
                                 ("content-type", "text/plain")],
                             priority_weight=16, priority_depends_on=0)
    pair.client.send_data(3, b"padded", pad_length=255)
    pair.move()
    pair.server.push_stream(1, 2, [*REQUEST, (":path", "/pushed")])
    pair.server.send_headers(1, [(":status", "103"), ("link", "</style.css>")])
    pair.server.send_headers(1, [(":status", "200"), LONG])
    pair.server.send_headers(2, [(":status", "200")])
    pair.server.send_data(2, b"half of what was pushed")
    pair.server.send_data(1, b"first ")
    pair.move()
    pair.client.send_data(3, b" and not", end_stream=True)
    pair.client.reset_stream(2, error_code=8)
    pair.move()
    pair.server.send_headers(3, [(":status", "204")], end_stream=True)
    pair.server.send_data(1, b"answer", pad_length=3)
    pair.server.send_headers(1, [("x-trailer", "last")], end_stream=True)
    pair.client.send_headers(5, [*REQUEST, (":path", "/never")], end_stream=True)
    pair.move()
    pair.server.close_connection(error_code=2, additional_data=b"something broke")
    pair.move()
    pair.write("http2-odd", "CONTINUATION, padding, a push that is reset, early hints, trailers, GOAWAY")


def attached():
    pair = Pair()
    for stream in range(1, 13, 2):
        pair.client.send_headers(stream, [*REQUEST, (":path", f"/{stream}"), ("x-same", "every time"),
                                          (f"x-new-{stream}", "only now")], end_stream=True)
        pair.move()
        pair.server.send_headers(stream, [(":status", "200"), ("server", "known before"),
                                          (f"x-new-{stream}", "only now")])
        pair.server.send_data(stream, b"body", end_stream=True)
        pair.move()
    pair.write("http2-attached", "the first two exchanges are missing: headers of theirs are unknown", 6)


def closed():
    pair = Pair()
    for stream, length in (1, "6"), (3, "7"), (5, "6"):
        pair.client.send_headers(stream, [*REQUEST, (":path", f"/{stream}")], end_stream=True)
        pair.move()
        pair.server.send_headers(stream, [(":status", "200"), ("content-length", length)])
        pair.server.send_data(stream, b"answer")
        pair.move()
    pair.client.reset_stream(1, error_code=8)
    pair.move()
    pair.write("http2-closed", "a reset and an end of the connection after all of a body, and within one")


everything()
attached()
closed()
