"""GnuTLS traced: gnutls-cli and wget."""
import ssl

import lib
import tls
from servers import serve_nginx_tls

VERSIONS = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
NAMES = "1", "16k", "1m"


def cli(test):
    """It stays for some seconds after its input's end, so this is done but once."""
    test.need("gnutls-cli")
    _, target = serve_nginx_tls(test, False)
    proxy = tls.Proxy(test, target)
    stdin = test.write("request", "GET /1m HTTP/1.0\r\n\r\n")
    test.check_client(proxy, ["gnutls-cli", "--insecure", "--logfile", test.path("log"), "-p",
                              proxy.port, proxy.host], stdin=stdin, clean=lib.nothing)


def wget(test):
    test.need("wget")
    _, target = serve_nginx_tls(test, False)
    for version in VERSIONS:
        proxy = tls.Proxy(test, target, version=version)
        test.check_client(proxy, ["wget", "-q", "--no-check-certificate", "-O", "-",
                                  *[f"https://{proxy.address}/{name}" for name in NAMES]])


lib.main(cli, wget)
