"""A static Go server traced: no libc, and threads as its runtime likes."""
from http_cases import check_server
from servers import serve_go
import lib


def http(test):
    check_server(test, serve_go, tapped=True)


lib.main(http)
