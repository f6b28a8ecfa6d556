"""A node client traced."""
import os

from http_cases import check_client
from servers import serve_node
import lib


def http(test):
    check_client(test, serve_node, ["node", os.path.join(lib.HERE, "node_client.js")])


lib.main(http)
