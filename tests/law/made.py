"""Captures that are made, not traced: JSON Lines of connections that say what a test wants."""
import base64
import json

START = 1_700_000_000_000_000_000


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

    def write(self, path):
        none = {"out": 0, "in": 0}
        self.add("end", calls={"stop": 0, "tap": 0, "again": 0}, stops=0,
                 bytes={"wire": none, "plain": none}, connections=self.conns,
                 events=len(self.lines), loss={"bytes": 0, "calls": 0}, wall=1000)
        with open(path, "w", encoding="utf-8") as file:
            for line in self.lines:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
