"""Calls of every kind to grpc_server.py: takes its address and port."""
import sys

import grpc

# 1: "hello", 2: 150, 3 { 1: 1.5 as fixed64, 2: bytes }
MESSAGE = (b"\x0a\x05hello\x10\x96\x01\x1a\x0e\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x12\x03\xff\x00\x01")

with grpc.insecure_channel(f"{sys.argv[1]}:{sys.argv[2]}") as channel:
    channel.unary_unary("/test.Service/Echo")(MESSAGE, metadata=(("x-id", "7"),))
    channel.unary_unary("/test.Service/Echo")(MESSAGE * 20, compression=grpc.Compression.Gzip)
    channel.unary_unary("/test.Service/Echo")(b"")
    list(channel.unary_stream("/test.Service/Count")(b""))
    channel.stream_unary("/test.Service/Total")(iter([b"\x08\x01", b"\x08\x02"]))
    list(channel.stream_stream("/test.Service/Chat")(iter([b"\x0a\x02hi", b"\x0a\x03bye"])))
    for name in "Fail", "Missing":
        try:
            channel.unary_unary("/test.Service/" + name)(b"")
        except grpc.RpcError:
            pass
