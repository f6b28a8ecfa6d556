"""What redis-cli does not say to a Redis server: takes its address and port."""
import socket
import sys


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as sock:
    sock.sendall(command(b"SET", b"long", b"0123456789" * 1700) + command(b"GET", b"long")
                 + b"PING\r\n" + b"SET inline  value\r\n" + command(b"GET", b"inline")
                 + command(b"CLIENT", b"REPLY", b"SKIP") + command(b"SET", b"unanswered", b"1")
                 + command(b"GET", b"unanswered") + command(b"CLIENT", b"REPLY", b"OFF")
                 + command(b"GET", b"unanswered") + command(b"CLIENT", b"REPLY", b"ON")
                 + command(b"RPUSH", b"list", b"a", b"\xff") + command(b"LRANGE", b"list", b"0", b"-1")
                 + command(b"HSET", b"h", b"f", b"v") + command(b"HGETALL", b"h")
                 + command(b"MULTI") + command(b"INCR", b"n") + command(b"GET", b"missing")
                 + command(b"EXEC") + command(b"NOSUCH") + command(b"QUIT"))
    while sock.recv(65536):
        pass
