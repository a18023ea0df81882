#!/usr/bin/env python3
"""A service manager's ear: notify_socket.py NAME listens at the abstract address NAME and prints each line
that it is told."""
import socket
import sys

ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind("\0" + sys.argv[1])
print("listening", flush=True)
while True:
    for line in ear.recv(65536).decode().splitlines():
        print(line, flush=True)
