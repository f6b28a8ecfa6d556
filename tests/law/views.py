"""What the formats of messages show: of captures that are made for it, so that it is known."""
import base64
import glob
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

from made import Capture

IOTRACE = os.environ["IOTRACE"]
STREAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/streams")
# What may not reach a terminal.
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
SECRETS = {"X_API_TOKEN": "planted-variable", "DB_PASSWORD": "planted-pass'word"}


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.capture = Capture()
        self.path = os.path.join(self.directory.name, "made.jsonl")

    def run_it(self, *argv, status=0):
        self.capture.write(self.path)
        self.capture.lines.pop()
        done = subprocess.run([IOTRACE, *argv], capture_output=True, timeout=60, check=False,
                              env={**os.environ, **SECRETS, "TZ": "UTC"})
        self.assertEqual(done.returncode, status, done.stderr)
        self.said = done.stderr.decode()
        return done.stdout.decode()

    def show(self, *options, **more):
        return self.run_it("show", *options, self.path, **more)

    def lines(self, *options):
        """Without times and the totals."""
        return [line.split(" ", 1)[1] for line in self.show(*options).split("\n")[:-2]]

    def messages(self, *options):
        return [json.loads(line) for line in self.show("-f", "messages", *options).splitlines()]

    def exchanges(self, *options):
        return [one for one in self.messages(*options) if one["type"] == "exchange"]


class Lines(Case):
    def test_http(self):
        conn = self.capture.open(80)
        self.capture.http(conn, "GET /a?b HTTP/1.1\nHost: example.com", "HTTP/1.1 200 OK", "body")
        self.capture.http(conn, "POST /c HTTP/1.1\nHost: example.com\nContent-Length: 0",
                          "HTTP/1.1 404 Not Found", "")
        self.capture.close(conn)
        self.assertEqual(self.lines(), [
            "client[100] -> 127.0.0.2:80 GET http://example.com/a?b -> 200 OK, 4 B, 1.0 ms",
            "client[100] -> 127.0.0.2:80 POST http://example.com/c -> 404 Not Found, 1.0 ms"])
        self.assertIn("    > Host: example.com\n", self.show("-v"))
        self.assertNotIn("    body\n", self.show("-v"))
        self.assertIn("    body\n", self.show("-vv"))
        self.assertIn("recvfrom", self.show("-vvvv"))
        self.assertIn("recvfrom", self.show("-f", "calls"))

    def test_bodies(self):
        conn = self.capture.open(80)
        body = json.dumps({"list": [1, {"a": "b"}], "long": "x" * 5000})
        self.capture.http(conn, "GET / HTTP/1.1\nHost: h", "HTTP/1.1 200 OK", body)
        self.assertIn('\n    {\n      "list": [\n        1,\n', self.show("-vv"))
        self.assertRegex(self.show("-vv"), r"2048 of \d+ bytes shown")
        self.assertNotIn("x" * 5000, self.show("-vv"))
        self.assertIn("x" * 5000, self.show("-vvv"))

    def test_not_decoded(self):
        conn = self.capture.open(9)
        self.capture.say(conn, "out", b"\xff\x00\x01 what")
        self.capture.say(conn, "in", b"\xfe ever")
        self.capture.close(conn)
        self.assertEqual(self.lines(), ["client[100] -> 127.0.0.2:9 tcp, 8 B out, 6 B in: not "
                                        "decoded, no protocol was recognised"])
        self.assertIn("|... what|", self.show("-vv"))
        self.assertIn("iotrace: 0 exchanges, 1 connection", self.show("-q"))

    def test_refused_options_empty_no_file(self):
        there = os.path.join(self.directory.name, "there.jsonl")
        for options in (["--redact"], ["--url", "x"]):
            with open(there, "w", encoding="utf-8") as file:
                file.write("as it was")
            self.run_it("export", *options, self.path, "-o", there, status=125)
            with open(there, encoding="utf-8") as file:
                self.assertEqual(file.read(), "as it was")

    def test_refused(self):
        conn = self.capture.open(1, error="ECONNREFUSED")
        del conn["error"]
        self.capture.close(conn)
        self.assertEqual(self.lines(), ["client[100] -> 127.0.0.2:1 tcp: ECONNREFUSED"])

    def test_no_answer(self):
        conn = self.capture.open(80)
        self.capture.say(conn, "out", "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        self.capture.close(conn)
        self.assertEqual(self.lines(), ["client[100] -> 127.0.0.2:80 GET http://h/ -> no answer: "
                                        "the connection was closed"])

    def test_plaintext_takes_the_wires_place(self):
        conn = self.capture.open(443)
        self.capture.say(conn, "out", b"\x17\x03\x03\x00\x20" + bytes(32))
        self.capture.http({**conn}, "GET / HTTP/1.1\nHost: h", "HTTP/1.1 200 OK", "x")
        for line in self.capture.lines[3:]:
            line["layer"] = "plain"
        self.capture.say(conn, "in", b"\x17\x03\x03\x00\x20" + bytes(32))
        self.capture.close(conn)
        self.assertEqual(self.lines(), ["client[100] -> 127.0.0.2:443 GET https://h/ -> 200 OK, "
                                        "1 B, 1.0 ms"])

    def test_both_ends(self):
        """One exchange, as the client saw it, and the server is named."""
        mine = self.capture.open(80)
        theirs = {"fd": 9, "conn": 2, "proto": "tcp", "local": mine["remote"],
                  "remote": mine["local"], "pid": 200, "tid": 200, "comm": "server"}
        request, answer = "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 204 None\r\n\r\n"
        self.capture.say(mine, "out", request)
        self.capture.add("socket", **theirs, event="accept", family="inet")
        self.capture.say(theirs, "in", request)
        self.capture.say(theirs, "out", answer)
        self.capture.say(mine, "in", answer)
        self.capture.close(mine)
        self.capture.close(theirs)
        lines = self.lines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("client[100] -> server[200] GET http://h/ -> 204"),
                        lines)
        one, = self.exchanges()
        self.assertEqual(one["peer"], {"pid": 200, "comm": "server", "conn": 2})
        self.assertEqual(len([m for m in self.messages() if m["type"] == "connection"]), 1)
        self.assertIn("server[200] <- ", self.show("--pid", "200"))

    def test_both_ends_encrypted(self):
        """Who says it first in plain says it alone; encrypted, an end does not speak for one that can."""
        request, answer = "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 204 None\r\n\r\n"
        talk = {"client": (("out", request), ("in", answer)),
                "server": (("in", request), ("out", answer))}
        for order in ("client", "server"), ("server", "client"), ("server",), ("client",):
            self.capture = Capture()
            mine = self.capture.open(443)
            theirs = {"fd": 9, "conn": 2, "proto": "tcp", "local": mine["remote"],
                      "remote": mine["local"], "pid": 200, "tid": 200, "comm": "server"}
            self.capture.add("socket", **theirs, event="accept", family="inet")
            for end, way in (mine, "out"), (theirs, "in"):
                self.capture.say(end, way, b"\x17\x03\x03\x00\x20" + bytes(32))
            for end in order:
                for way, data in talk[end]:
                    self.capture.say(mine if end == "client" else theirs, way, data, "plain")
            self.capture.close(mine)
            self.capture.close(theirs)
            line, = self.lines()
            arrow = "client[100] -> server[200]" if order[0] == "client" else \
                "server[200] <- client[100]"
            self.assertTrue(line.startswith(f"{arrow} GET https://h/ -> 204"), line)
            self.assertEqual(len([m for m in self.messages() if m["type"] == "connection"]), 1)

    def test_as(self):
        conn = self.capture.open(7777)
        self.capture.say(conn, "out", "PING\r\n")
        self.capture.say(conn, "in", "+PONG\r\n")
        self.assertIn("PING -> PONG", self.show("--as", "redis:7777"))
        self.assertIn("protocol and a port", (self.show("--as", "morse:1", status=125), self.said)[1])

    def test_calls_by_their_bytes(self):
        conn = self.capture.open(80)
        self.capture.http(conn, "GET / HTTP/1.1\nHost: h", "HTTP/1.1 200 OK", "x")
        self.assertIn("sendto", self.show("--dir", "out"))


class Recorded(Case):
    def test_all_in_all_formats(self):
        """Every protocol there is, broken ones included: nothing fails, and all is well formed."""
        for path in sorted(glob.glob(STREAMS + "/*.stream")):
            self.capture.recorded(path)
        self.assertGreater(self.capture.conns, 40)
        for level in "-v", "-vv", "-vvv":
            self.assertFalse(HIDDEN.search(self.show(level)))
        lines = self.lines()
        for one in ("GET http://example.com/next -> 200 OK, 2 B", "SELECT 2 -> 1 row",
                    "LRANGE list 0 -1 -> [\"a\",\"b\",\"c\"]", "MX 10 mail.mx.test",
                    "test.Service/Count -> OK, 1 messages out and 3 in", "WebSocket ping",
                    "TLS 1.3", "INSERT INTO t VALUES (1, 'one'), (2, NULL) -> 2 affected"):
            self.assertTrue([line for line in lines if one in line], one)
        messages = self.messages()
        self.assertGreater(len(messages), 500)
        self.assertLess(len(self.messages("--method", "GET")), len(messages))
        for options in [], ["--no-redact"]:
            json.loads(self.run_it("export", "-t", "har", *options, self.path))
            self.run_it("export", "-t", "html", *options, self.path)
        curl = self.run_it("export", "-t", "curl", self.path)
        subprocess.run(["bash", "-n", "-c", curl], check=True)


class Picking(Case):
    def setUp(self):
        super().setUp()
        conn = self.capture.open(80)
        for method, host, path, status in (("GET", "a.example.com", "/1", 200),
                                           ("PUT", "b.example.com:80", "/2", 404),
                                           ("GET", "example.org", "/3", 503)):
            self.capture.http(conn, f"{method} {path} HTTP/1.1\nHost: {host}",
                              f"HTTP/1.1 {status} Word", "x")
        sql = self.capture.open(5432)
        query = b"SELECT 1\0"
        self.capture.say(sql, "out", b"Q" + (len(query) + 4).to_bytes(4, "big") + query)
        self.capture.say(sql, "in", b"C\0\0\0\x0dSELECT 1\0" + b"Z\0\0\0\x05I")

    def picked(self, *options):
        return [re.search(r"/(\d) ->|(SELECT)", line)[0][:2] for line in self.lines(*options)]

    def test_each(self):
        for option, value, wanted in (
                ("method", "get", ["/1", "/3"]), ("method", "PUT,POST", ["/2"]),
                ("status", "404", ["/2"]), ("status", "4xx,5xx", ["/2", "/3"]),
                ("status", "400-499", ["/2"]), ("status", "404-", ["/2", "/3"]),
                ("host", "A.example.com", ["/1"]), ("host", "*.example.com", ["/1", "/2"]),
                ("host", "b.example.com", ["/2"]), ("host", "b.example.com:80", ["/2"]),
                ("url", r"example\.(com|org)/[13]$", ["/1", "/3"]), ("sql", "SELECT", ["SE"])):
            self.assertEqual(self.picked("--" + option, value), wanted, (option, value))
        self.assertEqual(self.picked("--method", "GET", "--status", "5xx"), ["/3"])

    def test_messages_go_with_their_exchange(self):
        found = self.messages("--status", "404")
        self.assertEqual([one["type"] for one in found], ["message", "message", "exchange"])
        self.assertEqual(found[2]["request"], found[0]["number"])
        self.assertTrue(all(one.get("seqs") for one in found[:2]))

    def test_nonsense(self):
        for option, value in (("status", "abc"), ("status", "5-4"), ("url", "("), ("method", ",")):
            self.show("--" + option, value, status=125)
            self.assertIn("--" + option, self.said)
        self.show("--method", "GET", "-f", "jsonl", status=125)
        self.show("--method", "GET", "-vvvv", status=125)


class Exports(Case):
    def setUp(self):
        super().setUp()
        conn = self.capture.open(80)
        self.capture.http(conn, "GET /a?b=c&d HTTP/1.1\nHost: example.com\nCookie: one=1; two=2\n"
                          "Authorization: Bearer planted-header",
                          "HTTP/1.1 200 OK\nContent-Type: application/json\nSet-Cookie: s=planted-c",
                          '{"key": "planted-variable"}')
        self.capture.say(conn, "out", b"POST /p HTTP/1.1\r\nHost: example.com\r\nContent-Length: "
                         b"5\r\n\r\n\x00\xffit'"[:-1] + b"'")
        self.capture.say(conn, "in", "HTTP/1.1 204 No Content\r\n\r\n")
        other = self.capture.open(9)
        self.capture.say(other, "out", b"\xff\x00 something else")
        self.capture.open(10)

    def har(self, *options):
        return json.loads(self.run_it("export", "-t", "har", *options, self.path))["log"]

    def test_har(self):
        log = self.har("--no-redact")
        self.assertEqual(log["version"], "1.2")
        self.assertEqual(log["comment"], "1 of 2 conversations are no HTTP and not here")
        self.assertIn("1 of 2 conversations", self.said)
        get, post = log["entries"]
        self.assertEqual(get["startedDateTime"][:11], "2023-11-14T")
        self.assertEqual((get["request"]["method"], get["request"]["url"]),
                         ("GET", "http://example.com/a?b=c&d"))
        self.assertEqual(get["request"]["queryString"],
                         [{"name": "b", "value": "c"}, {"name": "d", "value": ""}])
        self.assertEqual(get["request"]["cookies"],
                         [{"name": "one", "value": "1"}, {"name": "two", "value": "2"}])
        self.assertEqual(get["response"]["content"]["text"], '{"key": "planted-variable"}')
        self.assertEqual(get["response"]["content"]["mimeType"], "application/json")
        self.assertAlmostEqual(get["time"], 1.001, 2)
        self.assertEqual(post["request"]["postData"]["encoding"], "base64")
        self.assertEqual(post["response"]["status"], 204)
        for entry in log["entries"]:
            self.assertLessEqual({"startedDateTime", "time", "request", "response", "cache",
                                  "timings"}, set(entry))
            for side in "request", "response":
                self.assertLessEqual({"httpVersion", "cookies", "headers", "headersSize",
                                      "bodySize"}, set(entry[side]))

    def test_websocket_in_har(self):
        conn = self.capture.open(81)
        self.capture.say(conn, "out", "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        self.capture.say(conn, "in", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: "
                         "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
        self.capture.say(conn, "in", b"\x81\x05hello")
        self.capture.close(conn)
        entry = next(one for one in self.har()["entries"] if one["response"]["status"] == 101)
        said, = entry["_webSocketMessages"]
        self.assertEqual((said["type"], said["opcode"], said["data"]), ("receive", 1, "hello"))

    def test_curl(self):
        get, post = self.run_it("export", "-t", "curl", self.path).splitlines()
        self.assertEqual(shlex.split(get), [
            "curl", "-g", "http://example.com/a?b=c&d", "-H", "Cookie: one=1; two=2", "-H",
            "Authorization: Bearer planted-header", "-H", "User-Agent:", "-H", "Accept:"])
        self.assertIn("| base64 -d | curl -g 'http://example.com/p'", post)
        self.assertIn("--data-binary @-", post)

    def test_curl_in_a_shell(self):
        """What a shell makes of the words is what was sent."""
        self.capture = Capture()
        conn = self.capture.open(80)
        body = "it's \\ \"quoted\"\n$(touch /nonexistent/x) `x` \x01 1 é \u202e"
        self.capture.say(conn, "out", f"PUT /q?a[]='$x HTTP/1.1\r\nHost: h\r\nX: a'b\r\n"
                         f"Content-Length: {len(body.encode())}\r\n\r\n{body}")
        text = self.run_it("export", "-t", "curl", self.path)
        self.assertEqual(text.count("\n"), 1)
        self.assertFalse(re.search("[\x00-\x09\x0b-\x1f\u202e]", text))
        words = subprocess.run(["bash", "-c", "curl() { printf '%s\\0' \"$@\"; }; " + text],
                               capture_output=True, check=True).stdout.decode().split("\0")
        self.assertIn("http://h/q?a[]='$x", words)
        self.assertIn("X: a'b", words)
        self.assertIn(body, words)

    def test_redact(self):
        for format in "har", "html":
            self.assertNotIn("planted", self.run_it("export", "-t", format, self.path))
            self.assertIn("planted-header",
                          self.run_it("export", "-t", format, "--no-redact", self.path))
        for options in ["-vvv"], ["-f", "messages"], ["-f", "curl"]:
            self.assertIn("planted", self.show(*options))
            self.assertNotIn("planted", self.show(*options, "--redact"))
        self.show("--redact", "-vvvv", status=125)
        self.assertIn("[redacted]", self.show("--redact", "-v"))

    def check_redacted(self, *there):
        """No secret (they begin with Xx) is in anything that is redacted; this is in the messages."""
        for format in "har", "html":
            self.assertNotIn("Xx", self.run_it("export", "-t", format, self.path))
        for options in ["-vvv"], ["-f", "messages"], ["-f", "curl"]:
            self.assertNotIn("Xx", self.show(*options, "--redact"))
        messages = self.messages("--redact")
        self.assertIn("Xx", self.show("-f", "messages"))
        for one in there:
            self.assertIn(one, json.dumps(messages))

    def test_redact_raw(self):
        """The bytes of a message of which not all is known are in no page."""
        self.capture = Capture()
        conn = self.capture.open(6379)
        self.capture.say(conn, "out", "*1\r\n$4\r\nPING\r\n")
        self.capture.say(conn, "in", "+PONG\r\n")
        # A length that is wrong.
        said = '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$9\r\n{"token":"Xx1"}\r\n'
        self.capture.say(conn, "out", said)
        raw = base64.b64encode(said.encode()).decode()
        self.assertNotIn(raw, self.run_it("export", "-t", "html", self.path))
        self.assertIn(raw, self.run_it("export", "-t", "html", "--no-redact", self.path))

    def test_redact_http(self):
        self.capture = Capture()
        conn = self.capture.open(80)
        headers = "".join(f"\n{name}: Xx{name}" for name in (
            "Ocp-Apim-Subscription-Key", "X-Functions-Key", "X-Encryption-Key", "X-Session-Id",
            "X-Hub-Signature", "X-Some-Token-Hint", "Private-Token"))
        self.capture.http(conn, "GET /a?page=2&access_token=Xx1#sig=Xx2 HTTP/1.1\nHost: h\n"
                          "Referer: http://h/?a=b&token=Xx3" + headers,
                          "HTTP/1.1 200 OK\nContent-Type: application/json\n"
                          "Location: http://me:Xx9@h/b#access_token=Xx4",
                          '{"access_token": "Xx5", "page": 3, "url": "db://me:Xx8@h/",'
                          ' "token": {"value": "Xx6\\"", "n": 4711},'
                          ' "secrets": ["Xx7"]}')
        for kind, body in (("application/x-www-form-urlencoded", "user=me&pass%77ord=Xx1"),
                           ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; "
                            'name="password"\r\n\r\nXx1\r\nXx2\r\n--b--\r\n'),
                           ("application/x-ndjson", '{"token":"Xx1"}\n{"token":"Xx2"}\n')):
            self.capture.say(conn, "out", f"POST /f HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\n"
                             f"Content-Length: {len(body)}\r\n\r\n{body}")
            self.capture.say(conn, "in", "HTTP/1.1 204 No Content\r\n\r\n")
        self.check_redacted("/a?page=2&access_token=[redacted]", "user=me&pass%77ord=[redacted]")
        get, form, *_ = self.har()["entries"]
        self.assertEqual(json.loads(get["response"]["content"]["text"]),
                         {"access_token": "[redacted]", "page": 3, "secrets": ["[redacted]"],
                          "url": "db://[redacted]@h/",
                          "token": {"value": "[redacted]", "n": "[redacted]"}})
        self.assertEqual(get["response"]["content"]["size"],
                         self.har("--no-redact")["entries"][0]["response"]["content"]["size"])
        self.assertIn({"name": "page", "value": "2"}, get["request"]["queryString"])
        self.assertIn("[redacted]", form["request"]["postData"]["text"])

    def test_redact_commands(self):
        """Arguments, answers that tell them, statements and errors that quote them."""
        self.capture = Capture()
        conn = self.capture.open(6379)
        for command, answer in (("CONFIG SET masterauth Xx000001", "+OK\r\n"),
                                ("ACL SETUSER joe on >Xx000002", "-ERR near 'Xx000002'\r\n"),
                                ("CONFIG GET requirepass",
                                 "*2\r\n$11\r\nrequirepass\r\n$3\r\nXx3\r\n"),
                                ("GET plain", "$5\r\nvalue\r\n")):
            words = command.split()
            self.capture.say(conn, "out", f"*{len(words)}\r\n" + "".join(
                f"${len(word)}\r\n{word}\r\n" for word in words))
            self.capture.say(conn, "in", answer)
        conn = self.capture.open(5432)
        self.capture.say(conn, "out", b"\0\0\0\x12\0\3\0\0user\0bob\0\0")
        self.capture.say(conn, "in", b"R\0\0\0\x08\0\0\0\0Z\0\0\0\5I")
        for sql in ("alter role r with password E'Xx000001'", "alter role r password $$Xx2$$",
                    "alter user u identified with p by \"Xx3\"", "select 'plain'"):
            self.capture.say(conn, "out", b"Q" + (len(sql) + 5).to_bytes(4, "big") + sql.encode() + b"\0")
            error = b"SERROR\0Mat \"" + sql.encode() + b"\"\0\0"
            self.capture.say(conn, "in", b"E" + (len(error) + 4).to_bytes(4, "big") + error +
                             b"Z\0\0\0\5I")
        self.check_redacted("alter role r with password E'[redacted]'", "select 'plain'", "masterauth",
                            "identified with p by ", "value", "SETUSER")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
