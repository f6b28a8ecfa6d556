#!/usr/bin/python3
"""
An HTTP server whose answers have all that changes from run to run, and one word that does not:

    check_server.py HOST WORD

It prints its port. /N answers JSON, /big 200 kB, /set takes a cookie along.
"""
import http.server
import json
import socketserver
import sys
import time
import uuid

HOST, WORD = sys.argv[1:3]
socketserver.TCPServer.request_queue_size = 128


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        if self.path == "/big":
            return b"\0\1\2\3" * 50000, "application/octet-stream"
        said = {"id": str(uuid.uuid4()), "at": time.time(), "path": self.path,
                "large": 9007199254740993}
        if self.path in ("/3", "/echo"):
            said["answer"] = WORD
        return json.dumps(said).encode(), "application/json"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body, kind = self.answer()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-Id", str(uuid.uuid4()))
        if self.path == "/set":
            self.send_header("Set-Cookie", f"session={uuid.uuid4().hex}; Path=/; HttpOnly")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
print(f"listening on {server.server_address[1]}", flush=True)
server.serve_forever()
