"""
HTTP server with a thread for each connection that blocks all signals, as stunnel's do. GET /SIZE, or /mask.
Arguments: the address, and certificate and key for TLS; and `born`: who makes a thread has blocked them, not the
thread itself.
"""
import http.server
import signal
import ssl
import sys


BORN = "born" in sys.argv[4:]


def can_block():
    """Whether a thread that blocks SIGTRAP has it blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTRAP, signal.SIGUSR1])
    return signal.SIGTRAP in signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        if not BORN:
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        super().setup()

    def do_GET(self):
        if self.path == "/mask":
            body = b"blocked" if can_block() else b"not blocked"
        else:
            body = b"0123456789abcdef" * (int(self.path[1:]) // 16)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def process_request(self, request, client_address):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() if BORN else [])
        super().process_request(request, client_address)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


server = Server((sys.argv[1], 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(f"listening on {server.server_port}", flush=True)
server.serve_forever()
