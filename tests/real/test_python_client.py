"""A python client traced: urllib, and sockets by hand."""
import lib
from lib import PYTHON, Proxy
from servers import serve_files

URLLIB = """
import hashlib, sys, urllib.error, urllib.request
for name in sys.argv[2:]:
    try:
        with urllib.request.urlopen(f"http://{sys.argv[1]}/{name}") as reply:
            print(name, reply.status, hashlib.sha256(reply.read()).hexdigest())
    except urllib.error.HTTPError as error:
        print(name, error, len(error.read()))
"""

SOCKETS = """
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
with socket.create_connection((host, port)) as conn:
    conn.sendmsg([b"GET /1m ", b"", b"HTTP/1.0\\r\\nX: ", b"x" * 20000, b"\\r\\n\\r\\n"])
    conn.shutdown(socket.SHUT_WR)
    parts = [conn.recv(1), conn.recv(10, socket.MSG_PEEK), conn.recv(10)]
    room = bytearray(7), bytearray(100000)
    while size := conn.recvmsg_into(room)[0]:
        parts.append(b"".join(room)[:size])
    parts = parts[:1] + parts[2:]
sys.stdout.buffer.write(b"".join(parts).partition(b"\\r\\n\\r\\n")[2])
"""


def start(test):
    _, target = serve_files(test, False)
    return Proxy(test, target)


def urllib(test):
    proxy = start(test)
    test.check_client(proxy, [PYTHON, "-c", URLLIB, proxy.address, *["1", "1k", "1m", "nil"] * 5],
                      at_least=20)


def sockets(test):
    """Vectors with empty elements, MSG_PEEK, and an end of sending before the answer."""
    proxy = start(test)
    test.check_client(proxy, [PYTHON, "-c", SOCKETS, proxy.address])


lib.main(urllib, sockets)
