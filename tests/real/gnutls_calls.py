"""
A client that makes the calls of GnuTLS which no program here makes: gnutls_record_cork and uncork, with
and without waiting, and sends between and outside of them.

    gnutls_calls.py HOST PORT    to a server of HTTP that keeps its connections
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
    def __init__(self, host, port):
        self.sock = socket.create_connection((host, port))
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

    def head(self):
        """The answer to a HEAD."""
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
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


conn = Connection(sys.argv[1], int(sys.argv[2]))
for number in range(ROUNDS):
    conn.corked(number % 2 * WAIT, b"HEAD /1 HTTP/1.1\r\n", b"Host: x\r\n\r\n")
    conn.head()
    # More than a record has.
    conn.corked(WAIT, b"HEAD /1 HTTP/1.1\r\n", *[b"X: " + b"x" * 6000 + b"\r\n"] * 4)
    conn.give(b"Host: y\r\n\r\n")
    print(conn.head().partition(b"\r\n")[0])
conn.close()
