"""Sends numbered messages on loopback, at a changing pace, and notes in a file when each was sent."""
import mmap
import random
import socket
import struct
import sys
import time

MOST = 1 << 20


def main(path, seed):
    with open(path, "r+b") as file:
        file.truncate(8 * MOST)
        times = mmap.mmap(file.fileno(), 8 * MOST)
    chance = random.Random(seed)
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    print("sending", flush=True)
    for number in range(MOST):
        sender.send(b"%d " % number + b"x" * chance.choice([0, 10, 100, 1000, 30000]))
        struct.pack_into("<Q", times, 8 * number, time.time_ns())
        if chance.random() < 0.01:
            time.sleep(chance.choice([0, 0.001, 0.02, 0.05]))


main(sys.argv[1], int(sys.argv[2]))
