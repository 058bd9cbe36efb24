"""The report's way to send: each picture mirrored, pickled, and sent behind its length; shown in a window of its own.

Usage: report_client.py PORT WIDTH HEIGHT [--window] [--repeat]
It takes bgr24 pictures from its standard input in place of a camera. With --repeat it sends the first one again and again, as
fast as it can, until the other end has gone.
"""
import pickle
import socket
import struct
import sys

import numpy

port, width, height = (int(word) for word in sys.argv[1:4])
window = "--window" in sys.argv
repeat = "--repeat" in sys.argv


def captured():
    """The next picture, or None after the last one."""
    data = sys.stdin.buffer.read(width * height * 3)
    if len(data) < width * height * 3:
        return None
    return numpy.frombuffer(data, numpy.uint8).reshape((height, width, 3))


def send(connection, picture):
    data = pickle.dumps(picture)
    connection.sendall(struct.pack("Q", len(data)) + data)


client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("127.0.0.1", port))
try:
    if repeat:
        picture = captured()
        while True:
            send(client, picture)
    import cv2

    while True:
        picture = captured()
        if picture is None:
            break
        picture = cv2.flip(picture, 1)
        send(client, picture)
        if window:
            cv2.imshow("TRANSMITINDO VIDEO", picture)
            if cv2.waitKey(1) & 0xFF == ord("q"):
                break
except (BrokenPipeError, ConnectionResetError):
    pass
client.close()
