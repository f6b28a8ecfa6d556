"""
The page that `export -t html` makes, in a browser without a window: it opens, shows what was said, filters,
and is quick about it; it may load nothing, and holds no secret. Skipped where there is no Chromium.
"""
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from made import Capture

IOTRACE = os.environ["IOTRACE"]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or \
    shutil.which("google-chrome")
EXCHANGES = 10000
LIMIT_MS = 1000
SECRETS = {"SOME_TOKEN": "planted-variable"}


def make(path):
    """200 connections of 50 exchanges each, and some that are nasty."""
    capture = Capture()
    for number in range(EXCHANGES // 50):
        conn = capture.open(80, pid=100 + number % 7, tid=100 + number % 7, comm=f"c{number % 7}")
        for i in range(50):
            status = 500 if i == 49 else 200
            body = json.dumps({"connection": number, "item": i, "text": "word " * 40,
                               "token": "planted-variable"})
            capture.http(conn, f"GET /item/{number}/{i} HTTP/1.1\nHost: example.com\n"
                         f"Authorization: Bearer planted-header-{i}\nCookie: a=planted-cookie",
                         f"HTTP/1.1 {status} Word\nContent-Type: application/json", body)
        capture.close(conn)
    conn = capture.open(80)
    capture.http(conn, "GET /</script><script>document.title='broken'</script> HTTP/1.1\nHost: h",
                 "HTTP/1.1 200 <b>OK</b>", "</script><img src=http://192.0.2.1/x><!--<script>")
    capture.write(path)


def browse(page, state, profile):
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--enable-logging=stderr", "--v=0", "--user-data-dir=" + profile, "--window-size=1200,900",
         "--dump-dom", f"file://{page}#{state}"],
        capture_output=True, timeout=120, check=False)
    dom = done.stdout.decode()
    assert done.returncode == 0 and dom, done.stderr[-2000:]
    said = [line for line in done.stderr.decode("utf-8", "replace").split("\n")
            if "CONSOLE" in line]
    return dom, said


def times(dom):
    found = re.search(r'data-filter-ms="([\d.]+)" data-ready-ms="([\d.]+)"', dom)
    assert found, dom[:500]
    return float(found[1]), float(found[2])


def rows(dom):
    return [re.findall(r"<span[^>]*>([^<]*)</span>", row)
            for row in re.findall(r'<div class="row[^"]*"[^>]*>(.*?)</div>', dom)]


def check(directory):
    made, page = os.path.join(directory, "made.jsonl"), os.path.join(directory, "page.html")
    make(made)
    subprocess.run([IOTRACE, "export", made, "-o", page], check=True,
                   env={**os.environ, **SECRETS})
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert "planted" not in text, "a secret is in the page"
    assert "default-src 'none'" in text, "there is no policy"
    assert text.count("</script>") == 2, "data ends its element"

    profile = os.path.join(directory, "profile")
    browse(page, "", profile)  # So that the browser itself has been started once.
    best = [1e9, 1e9]
    for _ in range(3):
        dom, said = browse(page, "q=/item/17/ -word2", profile)
        best = [min(pair) for pair in zip(best, times(dom))]
    print("filters in %.0f ms, opens and filters in %.0f ms; %.1f MB" % (
        *best, os.path.getsize(page) / 1e6))
    assert not said, said
    assert best[1] < LIMIT_MS, "it is slow"
    assert f"50 of {EXCHANGES + 1}" in dom, re.search(r'id="count">[^<]*', dom)[0]
    assert all("/item/17/" in row[3] for row in rows(dom)) and rows(dom), rows(dom)

    dom, said = browse(page, "q=item&failed&sort=what&down&open=0&bytes", profile)
    assert not said, said
    assert f"{EXCHANGES // 50} of" in dom
    assert rows(dom)[0][3].endswith("/item/99/49"), rows(dom)[0]
    detail = dom[dom.index('id="detail"'):]
    assert "[redacted]" in detail and '"connection": 99' in html.unescape(detail), detail[:3000]
    assert "held back" in detail and "planted" not in detail, detail[:3000]

    dom, said = browse(page, "q=broken&open=0&bytes", profile)
    assert not said, said
    assert "<title>iotrace</title>" in dom, "a payload has run"
    detail = html.unescape(dom[dom.index('id="detail"'):])
    assert "<img src=http://192.0.2.1/x>" in detail and "|GET /</script><" in detail, detail


if not BROWSER:
    print("skipped: there is no chromium")
    sys.exit(77)
with tempfile.TemporaryDirectory() as home:
    os.environ["HOME"] = home
    check(home)
