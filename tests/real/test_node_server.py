"""A node server traced."""
from http_cases import check_server
from servers import serve_node
import lib


def http(test):
    check_server(test, serve_node)


lib.main(http)
