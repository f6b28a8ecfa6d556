"""A static Go client traced."""
from http_cases import check_client
from servers import go_program, serve_go
import lib


def http(test):
    check_client(test, serve_go, [go_program(test, "go_client")])


lib.main(http)
