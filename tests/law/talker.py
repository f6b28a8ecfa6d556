"""Talks to itself over TCP and UDP: text and binary, small and large. Argument: how often."""
import random
import socket
import sys


def main(count):
    noise = random.Random(1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    for number in range(count):
        client.sendall(b"question %d\n" % number)
        server.recv(100)
        answer = noise.randbytes(noise.choice([1, 100, 5000]))
        server.sendall(answer)
        while answer:
            answer = answer[len(client.recv(len(answer))):]
        udp.sendto("grüß %d".encode() % number, udp.getsockname())
        udp.recv(100)
        sys.stdin.readline()
    client.close()
    server.close()


main(int(sys.argv[1]))
