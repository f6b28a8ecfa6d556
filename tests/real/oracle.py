"""Captures compared with what the recording proxy saw.

    capture = oracle.Capture("x.jsonl")     checks everything that holds without a proxy
    proxied = oracle.load_index(DIR)        the proxy's connections
    oracle.compare(capture, proxied, oracle.CLIENT)

A traced client is the proxy's client, a traced server its target. Whatever is not as it has to be
raises Failure.
"""
import base64
import collections
import json
import os
import struct

CLIENT, SERVER = "client", "server"
NOT_MOVED = {"peek", "errqueue"}  # payload that is read again, or was not received


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


class Conn:
    """A socket: its bytes, or datagrams, per peer and direction."""

    def __init__(self, number):
        self.number = number
        self.proto = None
        self.pair = None
        self.moved = collections.defaultdict(lambda: {"out": [], "in": []})  # by (local, remote)


class Capture:
    """
    layer: whose bytes the connections are to have, "wire" or "plain"; attached: it began in the middle
    of things, so that what was before is lost.
    """

    def __init__(self, path, layer="wire", attached=False):
        self.path, self.layer, self.attached = path, layer, attached
        self.conns = {}
        self.events = []  # all, data without its payload
        self.sums = collections.Counter()  # by layer and direction
        self.fds = collections.defaultdict(set)  # by conn: on which its bytes moved
        with open(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                self._take(number, line)
        self._check()

    def _take(self, number, line):
        expect(line.endswith(b"\n"), f"{self.path}:{number}: a line without an end")
        try:
            event = json.loads(line)
        except ValueError as error:
            raise Failure(f"{self.path}:{number}: {error}: {line[:200]!r}") from None
        expect(next(iter(event)) == "type", f"{self.path}:{number}: does not begin with its type")
        expect(event["seq"] == number, f"{self.path}:{number}: seq is {event['seq']}")
        expect(event["type"] != "loss" or self.attached and event["reason"] == "before-attach",
               f"{self.path}:{number}: a loss: {line!r}")
        if event["type"] == "data":
            self._take_data(number, event)
        elif event["type"] == "socket":
            conn = self._conn(event)
            if event.get("local") and event.get("remote") and "error" not in event:
                conn.pair = (event["local"], event["remote"])
        self.events.append(event)

    def _conn(self, event):
        conn = self.conns.setdefault(event["conn"], Conn(event["conn"]))
        conn.proto = event["proto"]
        return conn

    def _take_data(self, number, event):
        where = f"{self.path}:{number}"
        text, b64 = event.pop("text", None), event.pop("b64", None)
        if "error" in event:
            expect(text is None and b64 is None, f"{where}: a failed call with a payload")
            return
        expect((text is None) != (b64 is None), f"{where}: not one payload")
        data = base64.b64decode(b64, validate=True) if text is None else text.encode()
        expect(len(data) == event["len"] and "captured" not in event,
               f"{where}: len is {event['len']}, the payload has {len(data)} bytes")
        flags = set(event.get("flags", ()))
        if flags & NOT_MOVED:
            return
        self.sums[event["layer"], event["dir"]] += len(data)
        if not event.get("conn"):
            expect(event["layer"] == "wire", f"{where}: plaintext of no connection: {event}")
            return
        conn = self._conn(event)
        if event["layer"] == "wire":
            self.fds[conn.number].add((event["pid"], event["fd"]))
        pair = (event.get("local"), event.get("remote"))
        if conn.proto == "tcp":
            expect(all(pair), f"{where}: without addresses: {event}")
            expect(conn.moved.keys() <= {pair}, f"{where}: the addresses of a connection changed")
            conn.pair = pair
        if event["layer"] != self.layer:
            return
        if data or is_datagram(conn.proto) and "eof" not in flags:
            conn.moved[pair][event["dir"]].append(data)

    def _check(self):
        types = [event["type"] for event in self.events]
        expect(types[:1] == ["iotrace"], f"{self.path}: no first line")
        expect(types[-1:] == ["end"], f"{self.path}: no last line")
        expect(types.count("iotrace") == types.count("end") == 1, f"{self.path}: two captures")
        expect(self.events[0]["schema"] == 1, f"{self.path}: not schema 1")
        end = self.events[-1]
        expect(self.attached or not end["loss"]["bytes"] and not end["loss"]["calls"],
               f"{self.path}: loss {end['loss']}")
        for layer in "wire", "plain":
            expect(end["bytes"][layer] == {way: self.sums[layer, way] for way in ("out", "in")},
                   f"{self.path}: the end says {end['bytes']}, the events have {self.sums}")
        self._check_plain()

    def _check_plain(self):
        """Plaintext has bytes on the wire, unless they went before: then all of that is told."""
        before, begun = collections.Counter(), set()
        for event in self.events:
            if event["type"] == "loss" and "conn" in event:
                before[event["conn"]] += event["bytes"]
            if event.get("layer") != "plain" or "error" in event:
                continue
            way = event["conn"], event["dir"]
            is_begun = event["dur"] == 0
            expect(not is_begun or self.attached and way not in begun,
                   f"{self.path}: a call that was under way before, not as the first: {event}")
            begun.add(way)
            expect((event["pid"], event["fd"]) in self.fds[event["conn"]] or
                   is_begun and before[event["conn"]] > event["len"],
                   f"{self.path}: plaintext on a descriptor without bytes of its own: {event}")


def is_datagram(proto):
    return proto in ("udp", "unix-dgram", "unix-seqpacket")


def load_index(directory):
    """The proxy's connections, in the order in which it accepted them."""
    with open(os.path.join(directory, "index.jsonl"), encoding="utf-8") as lines:
        proxied = [json.loads(line) for line in lines]
    for entry in proxied:
        for way in ("c2s", "s2c"):
            entry[way + "_path"] = os.path.join(directory, f"{entry['id']}.{way}")
    return sorted(proxied, key=lambda entry: entry["id"])


def read_record(entry, way):
    """What the proxy recorded: a list with one item, or one a datagram."""
    with open(entry[way + "_path"], "rb") as file:
        data = file.read()
    if entry["proto"] != "udp":
        expect(len(data) == entry[way], f"the proxy's record {entry[way + '_path']} is not whole")
        return [data] if data else []
    datagrams, at = [], 0
    while at < len(data):
        size, = struct.unpack_from("<I", data, at)
        datagrams.append(data[at + 4:at + 4 + size])
        at += 4 + size
    return datagrams


def compare(capture, proxied, role, at_least=1):
    """Every proxied connection is in the capture, once, with the same bytes in both directions."""
    expect(len(proxied) >= at_least, f"the proxy saw {len(proxied)} connections, not {at_least}")
    for entry in proxied:
        expect(not entry["cut"], f"this connection did not end: {entry}")
    ways = {"out": "c2s", "in": "s2c"} if role == CLIENT else {"out": "s2c", "in": "c2s"}
    compare_streams(capture, [entry for entry in proxied if entry["proto"] == "tcp"], role, ways)
    compare_datagrams(capture, [entry for entry in proxied if entry["proto"] == "udp"], role, ways)


def pair_of(entry, role):
    """The addresses (local, remote) that the traced program must have seen."""
    if role == CLIENT:
        return entry["client"], entry["listen"]
    return entry["upstream_remote"], entry["upstream_local"]


def compare_streams(capture, proxied, role, ways):
    """Addresses may be used again; then the order tells which connection is which."""
    expected, found = collections.defaultdict(list), collections.defaultdict(list)
    for entry in proxied:
        expected[pair_of(entry, role)].append(entry)
    listen = {pair[1] for pair in expected} if role == CLIENT else set()
    for number in sorted(capture.conns):
        conn = capture.conns[number]
        if conn.proto == "tcp" and conn.pair in expected:
            found[conn.pair].append(conn)
        elif conn.pair and conn.pair[1] in listen:
            raise Failure(f"conn {number} {conn.pair} is not known to the proxy")
    for pair, entries in expected.items():
        numbers = [conn.number for conn in found[pair]]
        expect(len(numbers) == len(entries),
               f"{pair}: {len(entries)} times at the proxy, in the capture as conns {numbers}")
        for entry, conn in zip(entries, found[pair]):
            moved = conn.moved.get(pair, {"out": [], "in": []})
            for way, recorded in ways.items():
                captured, record = b"".join(moved[way]), b"".join(read_record(entry, recorded))
                # What has come, but was left unread by the program, is in no call of its own.
                if way == "in" and 0 < len(record) - len(captured) <= entry.get("unread", 0):
                    record = record[:len(captured)]
                differ(f"conn {conn.number} {pair} {way}", captured, record)


def compare_datagrams(capture, proxied, role, ways):
    """A datagram has its own addresses, so sockets do not matter here."""
    found = collections.defaultdict(lambda: {"out": [], "in": []})
    for _, conn in sorted(capture.conns.items()):
        for (local, remote), moved in conn.moved.items() if conn.proto == "udp" else ():
            for way in moved:
                found[local, remote][way] += moved[way]
    for entry in proxied:
        local, remote = pair_of(entry, role)
        port = local.rpartition(":")[2]
        # A socket that is not connected has no address of its own, only a port.
        locals_ = [local, f"0.0.0.0:{port}", f"[::]:{port}"]
        hits = [found[key, remote] for key in locals_ if (key, remote) in found]
        expect(len(hits) == 1, f"{local} {remote} is {len(hits)} times in the capture")
        for way, recorded in ways.items():
            differ_datagrams(f"{local} {remote} {way}", hits[0][way], read_record(entry, recorded))


def differ(what, one, other, sides=("captured", "proxied")):
    """Raises Failure, with the place of the first difference, unless they are the same."""
    if one == other:
        return
    at, size = 0, 1 << 16
    while one[at:at + size] == other[at:at + size]:
        at += size
    while one[at:at + 1] == other[at:at + 1]:
        at += 1
    raise Failure(f"{what}: {len(one)} bytes {sides[0]}, {len(other)} {sides[1]}; at {at}: "
                  f"{one[at:at + 40]!r} {sides[0]}, {other[at:at + 40]!r} {sides[1]}")


def differ_datagrams(what, captured, proxied):
    for number, (one, other) in enumerate(zip(captured, proxied), 1):
        differ(f"{what}, datagram {number}", one, other)
    expect(len(captured) == len(proxied),
           f"{what}: {len(captured)} datagrams captured, {len(proxied)} proxied")
