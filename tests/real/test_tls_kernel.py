"""nginx whose TLS is the kernel's once the hands are shaken, where this kernel can (tests/vm)."""
import socket
import ssl

import lib
import tls
from lib import Skip, expect
from servers import serve_nginx_tls

TCP_ULP = 31


def need_kernel_tls():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            try:
                client.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
            except OSError as error:
                raise Skip(f"no kernel TLS: {error}") from None


def curl(test, version):
    need_kernel_tls()
    test.need("curl")

    def drive(proxy):
        names = "1", "16k", "sendfile/1m", "1m", "no-such"
        return [test.run(["curl", "-sSk", *[f"https://{proxy.address}/{name}" for name in names]])]
    traced, _ = test.check_server(
        lambda traced: serve_nginx_tls(test, traced, "ssl_conf_command Options KTLS;"), drive,
        proxy_to=lambda to: tls.Proxy(test, to, ("http/1.1",), version))
    events = [e for e in traced.capture("plain").events if "ktls" in e.get("flags", [])]
    sent = sum(e["len"] for e in events if e["layer"] == "plain" and e["dir"] == "out")
    expect(sent > 2 << 20, f"the kernel has encrypted {sent} bytes")
    # What TLS itself says over it: its Finished, its tickets or its alerts.
    expect(any(e["layer"] == "wire" for e in events), "no record of TLS's own")


def tls_1_2(test):
    curl(test, ssl.TLSVersion.TLSv1_2)


def tls_1_3(test):
    curl(test, ssl.TLSVersion.TLSv1_3)


lib.main(tls_1_2, tls_1_3)
