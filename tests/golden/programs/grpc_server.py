"""A gRPC server without generated code: takes the address, prints the port."""
import sys
from concurrent import futures

import grpc


def fail(request, context):
    context.set_trailing_metadata((("x-why", "a test"),))
    context.abort(grpc.StatusCode.NOT_FOUND, "there is no such thing: 100% sure, ä")


def count(request, context):
    for n in range(3):
        yield b"\x08" + bytes([n])


def total(requests, context):
    return b"\x08" + bytes([sum(1 for _ in requests)])


def chat(requests, context):
    yield from requests


HANDLERS = {
    "Echo": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Total": grpc.stream_unary_rpc_method_handler(total),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
}
server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", HANDLERS),))
port = server.add_insecure_port(sys.argv[1] + ":0")
server.start()
print("listening on", port, flush=True)
server.wait_for_termination()
