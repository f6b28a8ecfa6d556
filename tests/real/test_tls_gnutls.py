"""GnuTLS traced: gnutls-cli, wget, libcurl as git has it, and calls that none of them makes."""
import json
import os

import lib
import tls
from lib import expect
from servers import serve_nginx_tls

NAMES = "1", "16k", "1m", *["100m"] * lib.LARGE


def cli(test):
    """It stays for some seconds after its input's end, so this is done but once."""
    test.need("gnutls-cli")
    _, target = serve_nginx_tls(test, False)
    proxy = tls.Proxy(test, target)
    stdin = test.write("request", "GET /1m HTTP/1.0\r\n\r\n")
    test.check_client(proxy, ["gnutls-cli", "--insecure", "--logfile", test.path("log"), "-p",
                              proxy.port, proxy.host], stdin=stdin, clean=lib.nothing)


def wget(test):
    test.need("wget")
    _, target = serve_nginx_tls(test, False)
    for version in tls.VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        test.check_client(proxy, ["wget", "-q", "--no-check-certificate", "-O", "-",
                                  *[f"https://{proxy.address}/{name}" for name in NAMES]])


GIT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
       "GIT_SSL_NO_VERIFY": "1", "LC_ALL": "C.UTF-8"}


def make_repository(where):
    """As files, for a server that knows nothing of git."""
    who = ["-c", "user.name=tester", "-c", "user.email=tester@localhost"]
    for argv in (["init", "-q", where], ["-C", where, "add", "."],
                 [*who, "-C", where, "commit", "-q", "-m", "first"],
                 ["-C", where, "update-server-info"]):
        lib.subprocess.run(["git", *argv], env=GIT, check=True)


def git(test):
    test.need("git")
    _, target = serve_nginx_tls(test, False)
    for number, size in enumerate((0, 1, 1 << 14, 1 << 20)):
        test.write(f"nginx/www/it/{number}", lib.noise(size, number))
    make_repository(test.path("nginx/www/it"))
    for way in tls.WAYS:
        proxy = tls.Proxy(test, target, *way)
        url = f"https://{proxy.address}/it/.git"
        traced, _ = test.check_client(proxy, ["git", "ls-remote", url], env=GIT)
        with open(traced.capture_path, encoding="utf-8") as lines:
            calls = {event.get("call") for event in map(json.loads, lines)}
        if "SSL_write" in calls:
            raise lib.Skip("git's libcurl has OpenSSL")
        expect(calls & {"gnutls_record_send", "gnutls_record_send2"}, f"only {calls}")
        clone = test.run(["git", "clone", "-q", url, f"{traced.base}-clone"], traced=True, env=GIT)
        proxied = proxy.take()
        expect(clone.status == 0, f"git clone: {clone.told()}")
        lib.oracle.compare(clone.capture("plain"), proxied, lib.oracle.CLIENT)


def cork(test):
    """What is sent while corked is told once, not again when it is uncorked."""
    test.need("gnutls-cli")
    _, target = serve_nginx_tls(test, False)
    for version in tls.VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        test.check_client(proxy, [lib.PYTHON, "-B", f"{lib.HERE}/gnutls_calls.py", proxy.host,
                                  proxy.port])


def local(test):
    test.need("gnutls-cli")
    port, path = tls.serve_both(test)
    tls.check_apart(test, lambda count: [lib.PYTHON, "-B", f"{lib.HERE}/gnutls_calls.py", "127.0.0.1",
                                         port, path, count])


lib.main(cli, wget, git, cork, local)
