"""
Makes inputs for the decoders' fuzz targets out of recorded streams: seeds.py STREAMS OUT PREFIX...
takes the streams whose names begin with one of the prefixes. tests/unit/recorded.c reads their form.
"""
import ast
import os
import sys

PIECE = 2047


def unquote(text):
    return ast.literal_eval("b" + text.strip())


def pieces(lines):
    """(mark, layer, bytes), gaps and ends."""
    for line in lines:
        if line.startswith(("<", ">")):
            mark, rest = line.split(" ", 1)
            yield [mark[0], mark[1:], unquote(rest.split(" ", 2)[2])]
        elif line.startswith("\t"):
            yield ["more", None, unquote(line)]
        elif line.startswith(("gap", "end")):
            word, mark, *count = line.split()
            yield [mark, word, int(count[0]) if count else 0]


def joined(lines):
    out = []
    for piece in pieces(lines):
        if piece[0] == "more":
            out[-1][2] += piece[2]
        else:
            out.append(piece)
    return out


def step(mark, kind, count):
    return bytes([(mark == "<") | kind << 1 | (count >> 8) << 5, count & 255])


def seed(lines):
    conn = next(line for line in lines if line.startswith("conn")).split()
    out = bytearray([("fresh" not in conn) | ("unknown" in conn) << 1 | (conn[1] == "udp") << 2])
    for mark, what, value in joined(lines):
        if what == "gap":
            out += step(mark, 15, min(value, PIECE))
        elif what == "end":
            out += step(mark, 14, 0)
        else:
            for at in range(0, max(len(value), 1), PIECE):
                part = value[at:at + PIECE]
                out += step(mark, 13 if what == "p" else 0, len(part)) + part
    return bytes(out)


def main():
    streams, folder, *prefixes = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for name in sorted(os.listdir(streams)):
        if not name.endswith(".stream") or not name.startswith(tuple(prefixes)):
            continue
        with open(os.path.join(streams, name), encoding="utf-8") as file:
            data = seed(file.read().split("\n"))
        if len(data) > 1 << 16:
            continue
        # Recognised, and forced.
        for suffix, flag in ("", 0), ("-any", 8):
            with open(os.path.join(folder, name[:-7] + suffix), "wb") as out:
                out.write(bytes([data[0] | flag]) + data[1:])


main()
