"""
esbuild's server traced over HTTPS: a stripped, static program of the newest Go. From npm, where that can
be reached, else skipped; IOTRACE_ESBUILD names a copy.
"""
import glob
import os
import shutil
import subprocess

import lib
import tls
from lib import BUILT, Skip, expect


def esbuild(test):
    kept = os.environ.get("IOTRACE_ESBUILD") or os.path.join(BUILT, "esbuild")
    if os.path.exists(kept):
        return kept
    test.need("npm", "tar")
    try:
        packed = subprocess.run(["npm", "pack", "@esbuild/linux-x64"], cwd=test.dir, timeout=60,
                                env={**os.environ, "HOME": test.dir}, capture_output=True)
    except subprocess.TimeoutExpired:
        raise Skip("npm does not answer") from None
    files = glob.glob(test.path("*.tgz"))
    if packed.returncode or not files:
        raise Skip(f"npm does not have it: {packed.stderr[-200:]}")
    subprocess.run(["tar", "-xzf", files[0], "package/bin/esbuild"], cwd=test.dir, check=True)
    own = test.path("package/bin/esbuild")
    if os.access(BUILT, os.W_OK):
        shutil.copy2(own, kept + ".new")
        os.replace(kept + ".new", kept)
    return own


def serve(test, traced):
    program = esbuild(test)
    cert, key = tls.certificate(test)
    for name, size in ("1", 1), ("16k", 1 << 14), ("1m", 1 << 20):
        test.write(f"files/{name}", lib.noise(size))
    port = test.free_port()
    # It ends when its standard input does.
    server = test.start([program, f"--servedir={test.path('files')}",
                         f"--serve={lib.address(test.host, port)}", f"--keyfile={key}",
                         f"--certfile={cert}"], traced=traced, stdin=subprocess.PIPE,
                        env={"HOME": test.dir})
    server.await_listening(test.host, port)
    return server, lib.address(test.host, port)


def server(test):
    test.need("curl")

    def drive(proxy):
        url = f"https://{proxy.address}"
        clients = [test.begin(["curl", "-sSk", *[f"{url}/{name}" for name in
                                                 ("1", "16k", "1m", "no-such")]])
                   for _ in range(10)]
        for one in clients:
            one.status = one.wait()
            expect(one.status == 0, f"curl: {one.told()}")
        return clients
    for protocols in ("http/1.1",), ("h2",):
        test.check_server(lambda traced: serve(test, traced), drive, at_least=10,
                          proxy_to=lambda to: tls.Proxy(test, to, protocols), clean=lib.nothing)


lib.main(server)
