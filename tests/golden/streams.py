#!/usr/bin/python3
"""
Makes a stream for the tests of the decoders out of a connection in a JSON Lines capture:

    streams.py CAPTURE.jsonl [CONN] >NAME.stream

Without CONN, the first connection that has data. tests/unit/recorded.h has the form.
"""
import base64
import json
import sys


def quoted(data):
    out = []
    for byte in data:
        char = chr(byte)
        if char in "\"\\":
            out.append("\\" + char)
        elif char in "\n\r\t":
            out.append({"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char])
        elif " " <= char <= "~":
            out.append(char)
        else:
            out.append(f"\\x{byte:02x}")
    return "".join(out)


def strings(data):
    """Lines of text one below the other, the rest in pieces that fit a screen."""
    pieces, line = [], b""
    for byte in data:
        line += bytes([byte])
        if byte == 10 or len(quoted(line)) >= 96:
            pieces.append(line)
            line = b""
    if line or not pieces:
        pieces.append(line)
    return "\n\t".join(f'"{quoted(piece)}"' for piece in pieces)


def payload(event):
    return event["text"].encode() if "text" in event else base64.b64decode(event["b64"])


def load(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def first_conn(events):
    return next(e["conn"] for e in events if e["type"] == "data" and e.get("conn"))


def stream(events, conn=None):
    conn = conn or first_conn(events)
    mine = [e for e in events if e.get("conn") == conn]
    start = events[0]["time"]
    data = [e for e in mine if e["type"] == "data" and "error" not in e]
    whats = {e["event"] for e in mine if e["type"] == "socket"}
    client = "out" if "connect" in whats else "in" if "accept" in whats else "unknown"
    fresh = "fresh" if whats & {"connect", "accept"} else "attached"
    lines = [f"conn {data[0]['proto']} {data[0].get('local', '?')} {data[0].get('remote', '?')} "
             f"{fresh} {client}"]
    for event in data:
        mark = ">" if event["dir"] == "out" else "<"
        if "peek" in event.get("flags", []):
            continue
        if "eof" in event.get("flags", []):
            lines.append(f"end {mark}")
            continue
        layer = "p" if event["layer"] == "plain" else ""
        lines.append(f"{mark}{layer} {event['seq']} {event['time'] - start} "
                     f"{strings(payload(event))}")
    if "close" in whats:
        lines += ["end >", "end <"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    loaded = load(sys.argv[1])
    print(stream(loaded, int(sys.argv[2]) if len(sys.argv) > 2 else None), end="")
