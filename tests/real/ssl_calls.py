"""
A client that makes the calls of OpenSSL which no program here makes: SSL_peek, SSL_peek_ex, SSL_read,
SSL_write, and those with _ex; renegotiation, or with TLS 1.3 an update of keys, between them.

    ssl_calls.py HOST PORT    to a server that answers each line
"""
import ctypes
import socket
import sys

ssl = ctypes.CDLL("libssl.so.3")
for name in "TLS_client_method", "SSL_CTX_new", "SSL_new":
    getattr(ssl, name).restype = ctypes.c_void_p
SSL = ctypes.c_void_p
KEY_UPDATE_REQUESTED = 1
TLS_1_3 = 0x304


def check(result, what):
    if result <= 0:
        sys.exit(f"{what} returned {result}")
    return result


class Connection:
    def __init__(self, host, port):
        self.sock = socket.create_connection((host, port))
        context = SSL(ssl.SSL_CTX_new(SSL(ssl.TLS_client_method())))
        self.ssl = SSL(ssl.SSL_new(context))
        check(ssl.SSL_set_fd(self.ssl, self.sock.fileno()), "SSL_set_fd")
        check(ssl.SSL_connect(self.ssl), "SSL_connect")
        self.buffer = ctypes.create_string_buffer(1 << 15)

    def take(self, name):
        """Up to 20000 bytes by the function of that name."""
        function, count = getattr(ssl, name), ctypes.c_size_t(0)
        if name.endswith("_ex"):
            check(function(self.ssl, self.buffer, ctypes.c_size_t(20000), ctypes.byref(count)), name)
        else:
            count.value = check(function(self.ssl, self.buffer, 20000), name)
        return self.buffer.raw[:count.value]

    def give(self, name, data):
        function, count = getattr(ssl, name), ctypes.c_size_t(0)
        if name.endswith("_ex"):
            check(function(self.ssl, data, ctypes.c_size_t(len(data)), ctypes.byref(count)), name)
        else:
            check(function(self.ssl, data, len(data)), name)

    def talk(self, line, write, peek, read):
        self.give(write, line)
        answer = b""
        while not answer.endswith(b"\n"):
            peeked = self.take(peek)
            taken = self.take(read)
            if not taken.startswith(peeked):
                sys.exit(f"{read} has {taken[:20]}, {peek} had {peeked[:20]}")
            answer += taken
        print(len(answer), answer[:20])

    def again(self):
        """Another handshake."""
        if ssl.SSL_version(self.ssl) == TLS_1_3:
            check(ssl.SSL_key_update(self.ssl, KEY_UPDATE_REQUESTED), "SSL_key_update")
        else:
            check(ssl.SSL_renegotiate(self.ssl), "SSL_renegotiate")
        check(ssl.SSL_do_handshake(self.ssl), "SSL_do_handshake")

    def close(self):
        ssl.SSL_shutdown(self.ssl)
        ssl.SSL_free(self.ssl)
        self.sock.close()


conn = Connection(sys.argv[1], int(sys.argv[2]))
for line in b"\n", b"line\n", b"x" * 16000 + b"\n":
    conn.talk(line, "SSL_write", "SSL_peek", "SSL_read")
    conn.again()
    conn.talk(line, "SSL_write_ex", "SSL_peek_ex", "SSL_read_ex")
conn.close()
