"""Mono's TLS, a BoringSSL whose functions have no names."""
import os
import subprocess

import lib
import tls
from servers import serve_nginx_tls


def client(test):
    test.need("mono", "mcs")
    program = test.path("client.exe")
    subprocess.run(["mcs", f"-out:{program}", f"{lib.HERE}/mono_client.cs"], check=True)
    _, target = serve_nginx_tls(test, False)
    proxy = tls.Proxy(test, target, version=tls.VERSIONS[1], may_leave=True)
    for name in "1", "16k", "1m":
        test.check_client(proxy, ["mono", program, f"https://{proxy.address}/{name}", 3],
                          env={"PATH": os.environ["PATH"], "MONO_TLS_PROVIDER": "btls"})


lib.main(client)
