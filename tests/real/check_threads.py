#!/usr/bin/python3
"""Four threads with a connection of its own each: check_threads.py HOST PORT"""
import http.client
import sys
import threading


def ask():
    conn = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
    for number in range(8):
        conn.request("GET", f"/{number}")
        conn.getresponse().read()
    conn.close()


threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
