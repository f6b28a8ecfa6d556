"""What holds for every capture, whatever was traced.

    options(base)   for iotrace, to write one run in all formats
    check(base)     afterwards: live and from the capture everything is the same

    facts_options, check_facts   the same of .iot and .jsonl alone

    laws.py BASE    the same on files that are there
"""
import base64
import ipaddress
import itertools
import json
import os
import subprocess
import sys

IOTRACE = os.environ.get("IOTRACE", "iotrace")


class Broken(Exception):
    pass


def law(holds, text):
    if not holds:
        raise Broken(text)


def options(base):
    """-o for all formats; text only by its checksum, as it is the largest by far."""
    return ["-o", base + ".jsonl", "-o", base + ".iot", "-o", base + ".pcapng",
            "-o", f"|cksum >'{base}.sum'"]


def facts_options(base):
    return ["-o", base + ".jsonl", "-o", base + ".iot"]


def shell(command, *files):
    done = subprocess.run(["sh", "-c", command, IOTRACE, *files], capture_output=True)
    return done.returncode == 0 and not done.stderr, (done.stdout + done.stderr).decode()


def same(text, command, *files):
    holds, said = shell(command, *files)
    law(holds, f"{text}: {said}")


def check(base, view="text"):
    """
    view: the format that was given by -f, else text. --max-bytes: programs hand over 100 MB in one call,
    of which show would keep the beginning.
    """
    iot, pcapng, total = base + ".iot", base + ".pcapng", base + ".sum"
    same("pcapng, live and exported", '"$0" export "$1" -f pcapng -o - | cmp - "$2"', iot, pcapng)
    same("text, live and shown",
         '"$0" show --max-bytes 1000000000 -f "$3" "$1" | cksum | cmp - "$2"', iot, total, view)
    check_facts(base)


def check_facts(base):
    jsonl, iot = base + ".jsonl", base + ".iot"
    same("jsonl, live and exported", '"$0" export "$1" -f jsonl -o - | cmp - "$2"', iot, jsonl)
    same("iot, live and made of jsonl", '"$0" export "$1" -f iot -o - | cmp - "$2"', jsonl, iot)
    check_cbor(iot, jsonl)


# -- the capture as another language reads it

def read_cbor(path):
    import cbor2
    with open(path, "rb") as file:
        decoder = cbor2.CBORDecoder(file)
        size = os.path.getsize(path)
        while file.tell() < size:
            yield decoder.decode()


def address(value):
    if isinstance(value, list):
        host = ipaddress.ip_address(value[0])
        scope = f"%{value[2]}" if len(value) > 2 else ""
        return f"{host}:{value[1]}" if host.version == 4 else f"[{host}{scope}]:{value[1]}"
    return value


def as_json(event):
    """The keys of the public form, but for the ways that addresses and payload are written."""
    event = dict(event)
    for key in "local", "remote":
        if key in event:
            event[key] = address(event[key])
    return event


def same_address(native, text):
    if isinstance(native, str):
        native, text = (ipaddress_of(one) for one in (native, text))
        return native == text
    # Names of local sockets have escapes; what is plain must be the same.
    plain = text.encode().split(b"\\x")[0]
    return native.replace(b"\0", b"@", 1).startswith(plain)


def ipaddress_of(text):
    host, _, port = text.rpartition(":")
    host, _, scope = host.strip("[]").partition("%")
    return ipaddress.ip_address(host), scope, port


def same_event(native, line):
    native, line = as_json(native), json.loads(line)
    payload = native.pop("payload", None)
    if payload is not None:
        there = line.pop("text").encode("utf-8", "surrogatepass") if "text" in line \
            else base64.b64decode(line.pop("b64"))
        if payload != there:
            return False
    for key in "local", "remote":
        if (key in native) != (key in line):
            return False
        if key in native and not same_address(native.pop(key), line.pop(key)):
            return False
    return native == line and list(native) == list(line)


def check_cbor(iot, jsonl):
    with open(jsonl, "rb") as lines:
        for number, (native, line) in enumerate(itertools.zip_longest(read_cbor(iot), lines), 1):
            if number == 1:
                law(getattr(native, "tag", None) == 55799 or isinstance(native, dict),
                    "the first map is tagged")
                native = getattr(native, "value", native)
            law(native is not None and line is not None, f"there is no event {number} in one")
            law(same_event(native, line), f"event {number} is {native} in CBOR and {line!r}")


if __name__ == "__main__":
    check(sys.argv[1])
