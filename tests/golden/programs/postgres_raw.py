"""What psql does not say to a PostgreSQL server: takes its address and port."""
import socket
import struct
import sys


def message(kind, payload=b""):
    return kind + struct.pack(">I", len(payload) + 4) + payload


def parse(name, sql, *types):
    return message(b"P", name + b"\0" + sql + b"\0"
                   + struct.pack(f">H{len(types)}I", len(types), *types))


def bind(statement, values, formats=(0,), results=(0,)):
    out = b"\0" + statement + b"\0" + struct.pack(f">H{len(formats)}H", len(formats), *formats)
    out += struct.pack(">H", len(values))
    for value in values:
        out += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value
    return message(b"B", out + struct.pack(f">H{len(results)}H", len(results), *results))


def describe_and_run():
    return message(b"D", b"P\0") + message(b"E", b"\0" + struct.pack(">I", 0))


def until_ready(file, count):
    key = None
    while count:
        kind = file.read(1)
        size, = struct.unpack(">I", file.read(4))
        payload = file.read(size - 4)
        key = payload if kind == b"K" else key
        count -= kind == b"Z"
    return key


where = (sys.argv[1], int(sys.argv[2]))
startup = struct.pack(">I", 3 << 16) + b"user\0tester\0database\0postgres\0application_name\0raw\0\0"
with socket.create_connection(where) as sock, sock.makefile("rb") as answers:
    sock.sendall(struct.pack(">I", len(startup) + 4) + startup)
    cancel_key = until_ready(answers, 1)
    sock.sendall(parse(b"s", b"SELECT $1 + 1 AS next, $2 AS text, $3 AS flag", 23, 25, 16)
                 + message(b"S")
                 + bind(b"s", [struct.pack(">i", 41), "zwölf".encode(), b"\1"], (1,), (1,))
                 + describe_and_run()
                 + bind(b"s", [b"-5", None, b"f"]) + describe_and_run()
                 + message(b"S"))
    sock.sendall(parse(b"", b"SELECT 1") + bind(b"", []) + describe_and_run()
                 + parse(b"", b"SELECT broken FROM") + bind(b"", []) + describe_and_run()
                 + message(b"S")
                 + parse(b"", b"SELECT 1 / $1", 23) + bind(b"", [b"0"]) + describe_and_run()
                 + message(b"S"))
    until_ready(answers, 4)
    with socket.create_connection(where) as other:
        other.sendall(struct.pack(">II", 16, 80877102) + cancel_key)
        other.recv(1)
    sock.sendall(message(b"X"))
