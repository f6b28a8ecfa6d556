"""A mail server that keeps nothing: takes the address, prints the port."""
import asyncore
import smtpd
import sys


class Server(smtpd.SMTPServer):
    def process_message(self, peer, mailfrom, rcpttos, data, **options):
        return "550 no such person" if "nobody" in rcpttos[0] else None


server = Server((sys.argv[1], 0), None)
print("listening on", server.socket.getsockname()[1], flush=True)
asyncore.loop()
