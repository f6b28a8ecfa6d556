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
from servers import NGINX_FILES

NAMES = ["1", "16k", "1m", *["100m"] * lib.LARGE, "no-such"]
CLIENTS = 2 if lib.LARGE else 10


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
    for name in NAMES[:-1]:
        test.write(f"files/{name}", lib.noise(NGINX_FILES[name]))
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
        clients = [test.begin(["curl", "-sSk", *[f"{url}/{name}" for name in NAMES]])
                   for _ in range(CLIENTS)]
        for one in clients:
            one.status = one.wait()
            expect(one.status == 0, f"curl: {one.told()}")
        return clients
    for way in tls.WAYS:
        test.check_server(lambda traced: serve(test, traced), drive, at_least=CLIENTS,
                          proxy_to=lambda to: tls.Proxy(test, to, *way), clean=lib.nothing)


lib.main(server)
