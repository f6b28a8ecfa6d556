#!/usr/bin/python3
"""Sends and gets back every secret that it is given: check_secrets.py HOST PORT SECRET..."""
import base64
import http.client
import json
import os
import sys
import urllib.parse

host, port, *s = sys.argv[1:]
conn = http.client.HTTPConnection(host, int(port))


def ask(method, path, body=None, **headers):
    conn.request(method, path, body, {key.replace("_", "-"): value
                                      for key, value in headers.items()})
    conn.getresponse().read()


basic = base64.b64encode(f"user:{s[1]}".encode()).decode()
ask("GET", "/", Authorization=f"Bearer {s[0]}", Cookie=f"sid={s[2]}; theme=dark",
    X_Api_Key=s[3], X_Vault_Token=s[4], Proxy_Authorization=f"Basic {basic}",
    X_My_Service_Secret=s[5])
ask("GET", "/?" + urllib.parse.urlencode({"access_token": s[6], "api_key": s[7], "page": 2}))
ask("POST", "/login", urllib.parse.urlencode({"user": "me", "password": s[8], "client_secret": s[9]}),
    Content_Type="application/x-www-form-urlencoded")
ask("POST", "/json", json.dumps({"password": s[10], "deep": [{"refreshToken": s[11]}],
                                 "note": f"the key is {os.environ['SERVICE_API_KEY']} today",
                                 "url": f"https://me:{s[12]}@example.com/",
                                 "privateKey": s[13]}), Content_Type="application/json")
ask("POST", "/text", f"token ghp_{s[14]} and AKIA{s[15].upper()[:16]} and {os.environ['DB_PASSWORD']}",
    Content_Type="text/plain")
jwt = "eyJhbGciOiJIUzI1NiJ9." + base64.urlsafe_b64encode(
    json.dumps({"sub": s[16]}).encode()).decode().rstrip("=") + "." + s[17]
ask("GET", f"/jwt?next={jwt}", X_Note=f"xoxb-{s[18]}-{s[18]}")
ask("GET", "/private", "-----BEGIN PRIVATE KEY-----\n" + s[19] + "\n-----END PRIVATE KEY-----\n",
    Content_Type="text/plain")
ask("GET", f"/more?pass%77ord={s[20]}", Referer=f"http://example.com/?token={s[21]}#access_token={s[22]}",
    X_Encryption_Key=s[23])
ask("POST", "/below", json.dumps({"token": {"value": s[24]}, "passwords": [s[25]]}),
    Content_Type="application/json")
ask("POST", "/lines", f'{{"password": "{s[26]}"}}\n{{"secrets": ["{s[27]}"]}}\n',
    Content_Type="application/x-ndjson")
ask("POST", "/parts", f'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{s[28]}\r\n--b--\r\n',
    Content_Type="multipart/form-data; boundary=b")
