"""HTTP server that answers a request only when it gets SIGUSR1. Argument: the address."""
import http.server
import signal
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        signal.sigwait([signal.SIGUSR1])
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        pass


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
server = http.server.HTTPServer((sys.argv[1], 0), Handler)
print(f"listening on {server.server_port}", flush=True)
server.serve_forever()
