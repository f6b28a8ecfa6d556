"""The oracle itself: it accepts a good capture, and refuses each way in which one can be bad."""
import base64
import copy
import json
import os
import struct

import lib
import oracle
from lib import expect

# A traced client with two connections, of which the second has the addresses of the first, a
# third without bytes, and a datagram socket.
CLIENT, PROXY, DNS = "127.0.0.1:1000", "127.0.0.1:2000", "127.0.0.1:53"
BINARY = bytes(range(256))


def head(kind, **more):
    return {"type": kind, "seq": 0, "time": 1, **more}


def data(conn, way, payload, proto="tcp", local=CLIENT, remote=PROXY, **more):
    try:
        body = {"text": payload.decode()}
    except ValueError:
        body = {"b64": base64.b64encode(payload).decode()}
    return head("data", pid=7, fd=3, conn=conn, proto=proto, local=local, remote=remote, dir=way,
                layer="wire", call="read", len=len(payload), dur=1, **more, **body)


def good():
    udp = {"proto": "udp", "local": "0.0.0.0:1003", "remote": DNS}
    return [
        head("iotrace", schema=1),
        head("socket", event="connect", conn=1, proto="tcp", local=CLIENT, remote=PROXY),
        data(1, "out", b"request "),
        data(1, "out", b"one"),
        data(1, "in", BINARY[:100], flags=["peek"]),
        data(1, "in", BINARY),
        data(1, "in", b"", flags=["eof"]),
        head("data", pid=7, fd=3, conn=1, proto="tcp", local=CLIENT, remote=PROXY, dir="out",
             layer="wire", call="write", error="EPIPE"),
        data(1, "in", b"clear"),
        head("socket", event="connect", conn=2, proto="tcp", local=CLIENT, remote=PROXY),
        data(2, "out", "zwölf \x00\u2028".encode()),
        head("socket", event="connect", conn=3, proto="tcp", local="127.0.0.1:1001", remote=PROXY),
        data(4, "out", b"query", **udp),
        data(4, "in", b"", **udp),
        data(4, "in", BINARY, **udp),
        head("end", bytes={"wire": {"out": 27, "in": 517}, "plain": {"out": 0, "in": 0}},
             loss={"bytes": 0, "calls": 0}),
    ]


RECORDS = [  # client, listen, proto, c2s, s2c
    (CLIENT, PROXY, "tcp", [b"request one"], [BINARY, b"clear"]),
    (CLIENT, PROXY, "tcp", ["zwölf \x00\u2028".encode()], []),
    ("127.0.0.1:1001", PROXY, "tcp", [], []),
    ("127.0.0.1:1003", DNS, "udp", [b"query"], [b"", BINARY]),
]


def write_index(test):
    os.mkdir(test.path("index"))
    lines = []
    for number, (client, listen, proto, *ways) in enumerate(RECORDS, 1):
        entry = {"id": number, "proto": proto, "client": client, "listen": listen, "cut": False}
        for way, parts in zip(("c2s", "s2c"), ways):
            prefix = (lambda part: struct.pack("<I", len(part))) if proto == "udp" else \
                (lambda _: b"")
            test.write(f"index/{number}.{way}", b"".join(prefix(part) + part for part in parts))
            entry[way] = sum(map(len, parts))
        lines.append(json.dumps(entry) + "\n")
    test.write("index/index.jsonl", "".join(reversed(lines)))


def verdict(test, events, renumber=True):
    """None, or what the oracle says."""
    if renumber:
        events = [{**event, "seq": number} for number, event in enumerate(events, 1)]
    path = test.write("capture", "".join(json.dumps(event) + "\n" for event in events))
    try:
        oracle.compare(oracle.Capture(path), oracle.load_index(test.path("index")), oracle.CLIENT)
    except oracle.Failure as failure:
        return str(failure)
    return None


def flipped(event, bit):
    payload = bytearray(base64.b64decode(event["b64"]))
    payload[200] ^= bit
    return {**event, "b64": base64.b64encode(payload).decode()}


def at(events, number, change):
    events[number] = change(events[number])
    return events


MUTATIONS = {
    "a flipped bit": (lambda all_: at(all_, 5, lambda event: flipped(event, 1)), "at 200"),
    "other text": (lambda all_: at(all_, 3, lambda event: {**event, "text": "two"}), "at 8"),
    "a byte less": (lambda all_: at(all_, 3, lambda event: {**event, "text": "on", "len": 2}),
                    "says"),
    "an event less": (lambda all_: all_[:8] + all_[9:], "says"),
    "an event twice": (lambda all_: all_[:4] + all_[3:], "says"),
    "events swapped": (lambda all_: all_[:2] + [all_[3], all_[2]] + all_[4:], "at 0"),
    "the other direction": (lambda all_: at(all_, 10, lambda event: {**event, "dir": "in"}),
                            "says"),
    "another connection's": (lambda all_: at(all_, 3, lambda event: {**event, "conn": 2}), "at 8"),
    "a connection less": (lambda all_: all_[:11] + all_[12:], "1 times at the proxy"),
    "a connection twice": (lambda all_: all_[:12] + [{**all_[11], "conn": 9}] + all_[12:],
                           "conns [3, 9]"),
    "an unknown connection": (
        lambda all_: all_[:12] + [{**all_[11], "conn": 9, "local": "127.0.0.1:1"}] + all_[12:],
        "not known to the proxy"),
    "another port": (lambda all_: at(all_, 2, lambda event: {**event, "local": "127.0.0.1:1"}),
                     "changed"),
    "a peek counted": (lambda all_: at(all_, 4, lambda event: {**event, "flags": []}), "says"),
    "not captured": (lambda all_: at(all_, 2, lambda event: {**event, "len": 9}), "len is 9"),
    "captured less": (lambda all_: at(all_, 2, lambda event: {**event, "captured": 8}), "len is"),
    "two payloads": (lambda all_: at(all_, 2, lambda event: {**event, "b64": "AAAA"}), "payload"),
    "an error with bytes": (lambda all_: at(all_, 2, lambda event: {**event, "error": "EPIPE"}),
                            "payload"),
    "a loss": (lambda all_: all_[:5] + [head("loss", reason="unseen")] + all_[5:], "a loss"),
    "a loss at the end": (lambda all_: at(all_, 15, lambda event: {**event, "loss": {
        "bytes": 1, "calls": 0}}), "loss"),
    "no first line": (lambda all_: all_[1:], "first"),
    "no last line": (lambda all_: all_[:-1], "last"),
    "an empty file": (lambda all_: [], "first"),
    "an empty datagram less": (lambda all_: all_[:13] + [{**all_[14]}] + all_[15:], "datagram 1"),
    "a datagram less": (lambda all_: at(all_[:14] + all_[15:], 14, lambda event: {
        **event, "bytes": {**event["bytes"], "wire": {"out": 27, "in": 261}}}), "1 datagrams captured"),
    "another peer": (lambda all_: at(all_, 12, lambda event: {**event, "remote": "127.0.0.1:5"}),
                     "0 datagrams captured"),
}


def refuses(test):
    write_index(test)
    expect(verdict(test, good()) is None, f"the good one: {verdict(test, good())}")
    for what, (mutate, wanted) in MUTATIONS.items():
        said = verdict(test, mutate(copy.deepcopy(good())))
        expect(said and wanted in said, f"{what}: {said}")
    gap = good()
    for number, event in enumerate(gap, 1):
        event["seq"] = number + (number > 5)
    expect("seq is 7" in str(verdict(test, gap, renumber=False)), "a gap was accepted")


def attached(plain, loss=1000, more=(), attach=True):
    """What the oracle says of a connection that was found, with that plaintext alone."""
    found = {"proto": "tcp", "local": PROXY, "remote": CLIENT}
    plain = {"layer": "plain", **plain}
    events = [head("iotrace", schema=1), head("socket", event="found", conn=1, **found)]
    events += [head("loss", reason="before-attach", conn=1, fd=3, bytes=loss, calls=0)] * bool(loss)
    events += [{**data(1, "out", b"answer", local=PROXY, remote=CLIENT), **event}
               for event in (plain, *more)]
    sums = {layer: {"out": sum(event["len"] for event in events if event.get("layer") == layer),
                    "in": 0} for layer in ("wire", "plain")}
    return [*events, head("end", bytes=sums, loss={"bytes": 0, "calls": 0})], attach


BEGUN = {"dur": 0}
ATTACHED = {
    "begun before": (attached(BEGUN), None),
    "with bytes on the wire": (attached({}, more=[{}]), None),
    "without them": (attached({}), "without bytes of its own"),
    "begun, but nothing went before": (attached(BEGUN, loss=0), "without bytes of its own"),
    "begun, but less went before": (attached(BEGUN, loss=5), "without bytes of its own"),
    "begun on another descriptor": (attached(BEGUN, loss=0, more=[{"fd": 4}]),
                                    "without bytes of its own"),
    "begun twice": (attached(BEGUN, more=[{**BEGUN, "layer": "plain"}]), "not as the first"),
    "begun after another": (attached({}, more=[{}, {**BEGUN, "layer": "plain"}]),
                            "not as the first"),
    "begun in what was started": (attached(BEGUN, loss=0, more=[{}], attach=False),
                                  "not as the first"),
}


def knows_begun_calls(test):
    """Plaintext without bytes on the wire is of calls that were under way at the attaching."""
    for what, ((events, attach), wanted) in ATTACHED.items():
        events = [{**event, "seq": number} for number, event in enumerate(events, 1)]
        path = test.write("attached", "".join(json.dumps(event) + "\n" for event in events))
        said = None
        try:
            oracle.Capture(path, "plain", attached=attach)
        except oracle.Failure as failure:
            said = str(failure)
        expect(said is None if wanted is None else said and wanted in said, f"{what}: {said}")


def refuses_torn(test):
    """Lines that are none, and a proxied connection that did not end."""
    write_index(test)
    verdict(test, good())
    with open(test.path("capture"), "rb") as file:
        whole = file.read()
    for torn in whole[:-1], whole[:-10], whole.replace(b'"seq": 3', b'"seq" 3'):
        try:
            oracle.Capture(test.write("torn", torn))
        except oracle.Failure:
            continue
        expect(False, f"accepted: {torn[-100:]!r}")
    index = test.path("index/index.jsonl")
    with open(index, encoding="utf-8") as file:
        test.write("index/index.jsonl", file.read().replace("false", "true", 1))
    expect("did not end" in str(verdict(test, good())), "a cut connection was accepted")


def finds_differences(test):
    """Wherever they are."""
    same = lib.noise(200000)
    for size in 0, 1, 65535, 65536, 65537, 131072, 199999:
        for other in same[:size], same[:size] + bytes([same[size] ^ 1]) + same[size + 1:]:
            try:
                oracle.differ("it", other, same)
            except oracle.Failure as failure:
                expect(f"at {size}:" in str(failure), f"not {size}: {failure}")
                continue
            expect(False, f"{size}: accepted")


lib.main(refuses, knows_begun_calls, refuses_torn, finds_differences)
