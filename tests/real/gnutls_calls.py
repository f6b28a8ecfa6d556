"""
A client that makes the calls of GnuTLS which no program here makes: gnutls_record_cork and uncork, with
and without waiting, and sends between and outside of them; two connections in turn.

    gnutls_calls.py HOST PORT               to a server of HTTP that keeps its connections
    gnutls_calls.py HOST PORT PATH COUNT    lines to two that echo, one of them on a local socket
"""
import ctypes
import socket
import sys

gnutls = ctypes.CDLL("libgnutls.so.30")
CLIENT, CRD_CERTIFICATE, SHUT_WR = 2, 1, 1
WAIT, AGAIN = 1, -28
# Many, so that the functions are seen inside the process at last.
ROUNDS = 30


def check(result, what):
    if result < 0:
        sys.exit(f"{what} returned {result}")
    return result


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.session, self.credentials = ctypes.c_void_p(), ctypes.c_void_p()
        gnutls.gnutls_certificate_allocate_credentials(ctypes.byref(self.credentials))
        check(gnutls.gnutls_init(ctypes.byref(self.session), CLIENT), "gnutls_init")
        check(gnutls.gnutls_set_default_priority(self.session), "gnutls_set_default_priority")
        check(gnutls.gnutls_credentials_set(self.session, CRD_CERTIFICATE, self.credentials),
              "gnutls_credentials_set")
        gnutls.gnutls_transport_set_int2(self.session, self.sock.fileno(), self.sock.fileno())
        check(gnutls.gnutls_handshake(self.session), "gnutls_handshake")
        self.buffer = ctypes.create_string_buffer(1 << 15)

    def give(self, data):
        sent = check(gnutls.gnutls_record_send(self.session, data, ctypes.c_size_t(len(data))), "send")
        if sent != len(data):
            sys.exit(f"{sent} of {len(data)} bytes were sent")

    def take(self, end):
        """All until that is there."""
        answer = b""
        while not answer.endswith(end):
            count = gnutls.gnutls_record_recv(self.session, self.buffer, ctypes.c_size_t(20000))
            if count == AGAIN:  # a ticket has come
                continue
            if not check(count, "recv"):
                sys.exit(f"the end behind {answer}")
            answer += self.buffer.raw[:count]
        return answer

    def corked(self, flags, *pieces):
        gnutls.gnutls_record_cork(self.session)
        for piece in pieces:
            self.give(piece)
        sent = check(gnutls.gnutls_record_uncork(self.session, flags), "uncork")
        if sent != sum(map(len, pieces)):
            sys.exit(f"{sent} bytes were uncorked")

    def close(self):
        gnutls.gnutls_bye(self.session, SHUT_WR)
        gnutls.gnutls_deinit(self.session)
        self.sock.close()


def cork(conn):
    for number in range(ROUNDS):
        conn.corked(number % 2 * WAIT, b"HEAD /1 HTTP/1.1\r\n", b"Host: x\r\n\r\n")
        conn.take(b"\r\n\r\n")
        # More than a record has.
        conn.corked(WAIT, b"HEAD /1 HTTP/1.1\r\n", *[b"X: " + b"x" * 6000 + b"\r\n"] * 4)
        conn.give(b"Host: y\r\n\r\n")
        print(conn.take(b"\r\n\r\n").partition(b"\r\n")[0])
    conn.close()


def both(conns, count):
    for number in range(count):
        for kind, conn in conns.items():
            line = f"{kind} {number}\n".encode()
            conn.give(line)
            if conn.take(b"\n") != line:
                sys.exit("not the echo")


tcp = Connection(socket.create_connection((sys.argv[1], int(sys.argv[2]))))
if len(sys.argv) == 3:
    cork(tcp)
else:
    local = socket.socket(socket.AF_UNIX)
    local.connect(sys.argv[3])
    both({"tcp": tcp, "unix": Connection(local)}, int(sys.argv[4]))
