"""
HTTP/2 in clear with python3-h2, reached by an upgrade: takes the address, prints the port. It pads its
data and sends trailers.
"""
import socket
import sys

import h2.config
import h2.connection
import h2.events

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def answer(conn, stream, path):
    conn.send_headers(stream, [(":status", "200"), ("server", "h2"), ("x-long", "long " * 100)])
    conn.send_data(stream, b"padded data of " + path.encode(), pad_length=7)
    conn.send_headers(stream, [("x-trailer", "last")], end_stream=True)


def serve(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(4096)
    lines = head.split(b"\r\n")
    path = lines[0].split(b" ")[1].decode()
    settings = next(line.split(b": ")[1] for line in lines
                    if line.lower().startswith(b"http2-settings"))
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    conn.initiate_upgrade_connection(settings)
    answer(conn, 1, path)
    sock.sendall(conn.data_to_send())
    while data := sock.recv(65536):
        for event in conn.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                answer(conn, event.stream_id, dict(event.headers)[b":path"].decode())
        sock.sendall(conn.data_to_send())


listener = socket.create_server((sys.argv[1], 0))
print("listening on", listener.getsockname()[1], flush=True)
while True:
    with listener.accept()[0] as accepted:
        serve(accepted)
