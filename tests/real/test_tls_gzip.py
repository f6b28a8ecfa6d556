"""A Go program posts a gzip'ed string over HTTPS: the string in clear, by a probe and by decoding."""
import json
import subprocess

import lib
import tls
from lib import IOTRACE, expect
from servers import go_builds, go_program, serve_go_tls

TEXT = "hello gzip, " * 20 + "the end"


def post(test, *options):
    _, target = serve_go_tls(test, go_builds()[0], False)
    proxy = tls.Proxy(test, target)
    process = test.begin([go_program(test, "go_post"), f"https://{proxy.address}/echo", TEXT],
                         traced=True, options=options)
    expect(process.wait() == 0, f"it fails: {process.told()}")
    sent = b"".join(open(entry["c2s_path"], "rb").read() for entry in proxy.take())
    expect(b"Content-Encoding: gzip" in sent and TEXT.encode() not in sent, "it is not packed")
    return process


def probe(test):
    """--probe gzip: what the program has given to the packer."""
    process = post(test, "--probe", "gzip")
    with open(process.capture_path, encoding="utf-8") as lines:
        told = [event for event in map(json.loads, lines) if event["type"] == "data" and
                event["call"] == "compress/gzip.(*Writer).Write"]
    text = "".join(event["text"] for event in told)
    expect(text == TEXT, f"the probe tells {text!r}")
    expect(all(event["layer"] == "plain" and event["dir"] == "out" for event in told),
           f"not what is sent: {told}")


def decoded(test):
    """Without it: the message's body is unpacked where it is shown."""
    process = post(test)
    shown = subprocess.run([IOTRACE, "show", "--no-pager", "-vv", process.base + ".iot"],
                           capture_output=True, timeout=lib.PATIENCE, check=True).stdout.decode()
    expect("hello gzip, hello gzip" in shown and "the end" in shown, f"not in {shown}")


lib.main(probe, decoded)
