"""Captures that are made, not traced: JSON Lines of connections that say what a test wants."""
import base64
import json
import re

START = 1_700_000_000_000_000_000


ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0"}


def unquoted(line):
    """A string in quotes, as in C, but that \\x has two digits."""
    inside = line[line.index('"') + 1:line.rindex('"')].encode()
    return re.sub(rb"\\(x..|.)", lambda found: bytes.fromhex(found[1][1:].decode())
                  if found[1][:1] == b"x" else ESCAPES.get(found[1], found[1]), inside)


class Capture:
    def __init__(self):
        self.lines = []
        self.time = START
        self.conns = 0
        self.add("iotrace", schema=1, version="test", argv=["iotrace"], host="host",
                 kernel="6.1.0", engine="stop")

    def add(self, kind, **members):
        self.time += 1000
        who = {} if kind in ("iotrace", "end") else {"pid": 100, "tid": 100, "comm": "client"}
        self.lines.append({"type": kind, "seq": len(self.lines) + 1, "time": self.time,
                           **who, **members})

    def open(self, port, **who):
        """A TCP connection to that port; what say and close want."""
        self.conns += 1
        ends = {"fd": 3 + self.conns % 1000, "conn": self.conns, "proto": "tcp",
                "local": f"127.0.0.1:{20000 + self.conns}", "remote": f"127.0.0.2:{port}"}
        self.add("socket", event="connect", **{**ends, "family": "inet"}, **who)
        return {**ends, **who}

    def say(self, conn, way, data, layer="wire"):
        text = {"text": data} if isinstance(data, str) else \
            {"b64": base64.b64encode(data).decode()}
        self.add("data", **conn, dir=way, layer=layer, call="sendto" if way == "out" else "recvfrom",
                 len=len(data.encode() if isinstance(data, str) else data), dur=10, **text)

    def close(self, conn):
        self.add("socket", event="close", **{**conn, "family": "inet"})

    def http(self, conn, request, response, body=""):
        self.say(conn, "out", request.replace("\n", "\r\n") + "\r\n\r\n")
        self.time += 1_000_000
        self.say(conn, "in", response.replace("\n", "\r\n") +
                 f"\r\nContent-Length: {len(body)}\r\n\r\n{body}")

    def recorded(self, path):
        """A connection out of tests/golden/streams (tests/unit/recorded.h), but for its gaps."""
        self.conns += 1
        conn = {"fd": 5, "conn": self.conns, "proto": "tcp", "local": "127.0.0.1:50000",
                "remote": "127.0.0.1:80"}
        said = []
        with open(path, encoding="utf-8") as file:
            for line in file.read().split("\n"):
                if line.startswith("conn "):
                    _, conn["proto"], conn["local"], conn["remote"], *more = line.split()
                    if "fresh" in more:
                        self.add("socket", event="connect", family="inet", **conn)
                elif line[:1] in ("<", ">"):
                    said.append(["out" if line[0] == ">" else "in",
                                 "plain" if line[1] == "p" else "wire", unquoted(line)])
                elif line.startswith("\t") and said:
                    said[-1][2] += unquoted(line)
        for way, layer, data in said:
            if data:
                self.say(conn, way, data, layer)
        self.close(conn)

    def write(self, path):
        none = {"out": 0, "in": 0}
        self.add("end", calls={"stop": 0, "tap": 0, "again": 0}, stops=0,
                 bytes={"wire": none, "plain": none}, connections=self.conns,
                 events=len(self.lines), loss={"bytes": 0, "calls": 0}, wall=1000)
        with open(path, "w", encoding="utf-8") as file:
            for line in self.lines:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
