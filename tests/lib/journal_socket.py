#!/usr/bin/env python3
"""A journal's ear: journal_socket.py PATH listens at PATH as systemd-journald does, and prints each message
as a line of JSON."""
import json
import socket
import sys


def fields(data):
    """https://systemd.io/JOURNAL_NATIVE_PROTOCOL"""
    found = {}
    while data:
        line, data = data.split(b"\n", 1)
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(data[:8], "little")
            value, data = data[8 : 8 + size], data[8 + size + 1 :]
        found[name.decode()] = value.decode()
    return found


ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind(sys.argv[1])
print("listening", flush=True)
while True:
    print(json.dumps(fields(ear.recv(1 << 20))), flush=True)
