"""An HTTP server like node_server.js, on asyncio: /SIZE answers with so many bytes, /echo with what it got."""
import asyncio
import signal
import sys


def pattern(size):
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


async def serve(reader, writer):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().split("\r\n")
            path, size = lines[0].split()[1], 0
            for line in lines[1:]:
                if line.lower().startswith("content-length:"):
                    size = int(line.partition(":")[2])
            body = await reader.readexactly(size)
            answer = body if path == "/echo" else pattern(int(path[1:]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main(host):
    server = await asyncio.start_server(serve, host, 0)
    print("listening on", server.sockets[0].getsockname()[1], flush=True)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await over.wait()
    server.close()
    print("over", flush=True)


asyncio.run(main(sys.argv[1]))
