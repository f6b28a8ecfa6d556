"""How each server is started: serve_x(test, traced) returns the process and its address."""
import glob
import os

import tls
from lib import PYTHON, HERE, ROOT, BUILT, Skip, address, all_parents, expect, noise

MEGABYTE = 1 << 20
WORKERS = 2

NGINX = """
daemon off;
{user}
worker_processes {workers};
pid {dir}/pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile off;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        {listen}
        root {dir}/www;
        location /chunked/ {{
            alias {dir}/www/;
            sub_filter_types *;
            sub_filter_once off;
            sub_filter "which is not there" "";
        }}
        location /sendfile/ {{ alias {dir}/www/; sendfile on; }}
        location /put/ {{ alias {dir}/put/; dav_methods PUT; }}
    }}
}}
"""


# python3 -m http.server, but for its backlog of 5, with which 50 clients are not always all served.
HTTP_SERVER = """
import runpy, socketserver
socketserver.TCPServer.request_queue_size = 128
runpy.run_module("http.server", run_name="__main__", alter_sys=True)
"""


NGINX_FILES = {"1": 1, "16k": 1 << 14, "1m": MEGABYTE, "8m": 8 * MEGABYTE, "100m": 100 * MEGABYTE}


def serve_nginx(test, traced, listen="listen {address};", names=("1", "16k", "1m", "100m")):
    """
    /1 /16k /1m /100m are files of that size, /sendfile/… the same by another call, /chunked/… without
    a length, /put/… takes.
    """
    test.need("nginx")
    where, port = test.path("nginx"), test.free_port()
    if not os.path.exists(where):
        for name in names:
            test.write(f"nginx/www/{name}", noise(NGINX_FILES[name]))
        os.mkdir(where + "/put")
        os.chmod(where + "/put", 0o777)
    user = "user nobody nogroup;" if ROOT else ""
    conf = test.write("nginx/conf",
                      NGINX.format(dir=where, user=user, workers=WORKERS,
                                   listen=listen.format(address=address(test.host, port))))
    server = test.start(["nginx", "-p", where, "-c", conf, "-e", "stderr"], traced=traced)
    server.await_listening(test.host, port)
    # The kernel takes connections before there is a worker for them.
    while not traced and [*all_parents().values()].count(server.popen.pid) < WORKERS:
        expect(not server.ended(0.005), f"nginx has ended: {server.told()}")
    return server, address(test.host, port)


def serve_nginx_tls(test, traced, more=""):
    cert, key = tls.certificate(test)
    return serve_nginx(test, traced, f"""listen {{address}} ssl http2;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        {more}""")


def serve_redis(test, traced, options=None):
    test.need("redis-server")
    port = test.free_port()
    server = test.start(["redis-server", "--bind", test.host, *(options or ["--port"]), port,
                         "--save", "", "--daemonize", "no", "--dir", test.dir], traced=traced)
    server.await_output("Ready to accept connections")
    return server, address(test.host, port)


def serve_redis_tls(test, traced):
    cert, key = tls.certificate(test)
    return serve_redis(test, traced, ["--tls-cert-file", cert, "--tls-key-file", key,
                                      "--tls-ca-cert-file", cert, "--tls-auth-clients", "no",
                                      "--port", "0", "--tls-port"])


def serve_files(test, traced, host=None):
    """python's own; files 1, 1k and 1m."""
    host = host or test.host
    for name, size in ("1", 1), ("1k", 1 << 10), ("1m", MEGABYTE):
        test.write(f"files/{name}", noise(size))
    server = test.start([PYTHON, "-u", "-c", HTTP_SERVER, "0", "--bind", host,
                         "--directory", test.path("files")], traced=traced)
    return server, address(host, server.await_output(r"port (\d+)")[1].decode())


def serve_own(test, traced, argv, host=None, more=(), options=()):
    """One of the servers here, which take the address and print the port. options: iotrace's."""
    host = host or test.host
    server = test.start([*argv, host, *more], traced=traced, options=options)
    return server, address(host, server.await_output(r"^listening on (\d+)$")[1].decode())


def serve_masked(test, *arguments):
    """Its threads block all signals."""
    return serve_own(test, False, [PYTHON, "-B", f"{HERE}/masked_server.py"], more=arguments)


def serve_go(test, traced):
    return serve_own(test, traced, [go_program(test, "go_server")])


def go_builds():
    """Folders with a client and a server each, by version and way of building."""
    found = sorted(glob.glob(f"{BUILT}/go_tls/*/client"))
    if not found:
        raise Skip("they were built without go")
    return [os.path.dirname(path) for path in found]


def serve_go_tls(test, build, traced):
    return serve_own(test, traced, [f"{build}/server"], more=tls.certificate(test))


def serve_node(test, traced, options=()):
    test.need("node")
    return serve_own(test, traced, ["node", os.path.join(HERE, "node_server.js")], options=options)


def go_program(test, name):
    path = os.path.join(BUILT, name)
    if not os.path.exists(path):
        raise Skip("it was built without go")
    return path


def postgres_program(name):
    """The newest, as Debian has them beside each other."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"),
                   key=lambda path: float(path.split("/")[4]))
    if not found:
        raise Skip("PostgreSQL is not installed")
    return found[-1]


def as_user(test, *argv):
    """PostgreSQL refuses root."""
    if not ROOT:
        return [*argv]
    test.need("setpriv")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", *argv]


def serve_postgres_tls(test, traced):
    cert, key = tls.certificate(test, "postgres")
    if ROOT:
        os.chown(key, 65534, 65534)
    os.chmod(key, 0o600)
    return serve_postgres(test, traced, ["-l", "-c", f"ssl_cert_file={cert}", "-c",
                                         f"ssl_key_file={key}"])


def serve_postgres(test, traced, options=(), iotrace=()):
    data, port = test.path("postgres"), test.free_port()
    if not os.path.exists(data):
        os.mkdir(data)
        if ROOT:
            os.chown(data, 65534, 65534)
        made = test.run(as_user(test, postgres_program("initdb"), "-D", data, "-U", "tester",
                                "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"),
                        cwd="/")
        if made.status:
            raise Skip(f"initdb fails: {made.told()}")
    server = test.start(as_user(test, postgres_program("postgres"), "-D", data, "-h", test.host,
                                "-p", str(port), "-k", "", "-F", "-c", "shared_buffers=16MB",
                                *options),
                        traced=traced, merge=True, cwd="/", options=iotrace)
    server.await_output("database system is ready to accept connections")
    return server, address(test.host, port)
