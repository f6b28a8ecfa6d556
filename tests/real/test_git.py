"""git clone traced; git daemon traced, which starts programs with their socket as 0 and 1."""
import os

import lib
from lib import Proxy, address, expect

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
       "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C.UTF-8",
       **{f"GIT_{who}_{what}": "tester@localhost" for who in ("AUTHOR", "COMMITTER")
          for what in ("NAME", "EMAIL")}}


def make_repository(test):
    where = test.path("repositories/it")
    if os.path.exists(where):
        return
    for number in range(20):
        test.write(f"repositories/it/{number}", lib.noise(100000, number).hex())
    for argv in ["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]:
        made = test.run(["git", "-C", where, *argv], env=ENV)
        expect(made.status == 0, f"git: {made.told()}")


def serve(test, traced):
    test.need("git")
    if not os.path.exists(os.path.join(exec_path(test), "git-daemon")):
        raise lib.Skip("git daemon is not installed")
    make_repository(test)
    port = test.free_port()
    server = test.start(["git", "daemon", "--export-all", "--reuseaddr", f"--listen={test.host}",
                         f"--port={port}", f"--base-path={test.path('repositories')}"],
                        traced=traced, env=ENV)
    server.await_listening(test.host, port)
    return server, address(test.host, port)


def exec_path(test):
    with open(test.run(["git", "--exec-path"], env=ENV).stdout, encoding="utf-8") as file:
        return file.read().strip()


def clone(test, proxy):
    test.count += 1
    return ["git", "clone", "-q", f"git://{proxy.address}/it", test.path(f"clone-{test.count}")]


def daemon(test):
    def drive(proxy):
        clients = [test.begin(clone(test, proxy), env=ENV) for _ in range(5)]
        for client in clients:
            client.status = client.wait()
            expect(client.status == 0, f"git clone: {client.told()}")
        return clients
    test.check_server(lambda traced: serve(test, traced), drive, at_least=5)


def client(test):
    _, target = serve(test, False)
    proxy = Proxy(test, target)
    test.check_client(proxy, ["git", "ls-remote", f"git://{proxy.address}/it"], env=ENV)
    for traced in False, True:
        done = test.run(clone(test, proxy), traced=traced, env=ENV)
        proxied = proxy.take()
        expect(done.status == 0, f"git clone: {done.told()}")
    lib.oracle.compare(done.capture(), proxied, lib.oracle.CLIENT)


lib.main(daemon, client)
