"""Two mails and a refused one: takes the server's address and port."""
import smtplib
import sys

with smtplib.SMTP(sys.argv[1], int(sys.argv[2]), local_hostname="client.example") as smtp:
    smtp.sendmail("a@example.com", ["b@example.com", "c@example.com"],
                  "Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\nend\r\n")
    smtp.sendmail("a@example.com", ["b@example.com"], "Subject: hi\r\n\r\nGr\xfc\xdfe".encode())
    try:
        smtp.sendmail("a@example.com", ["nobody@example.com"], "Subject: no\r\n\r\n")
    except smtplib.SMTPException:
        pass
