"""A caller that does what the report's client does, fed pictures from a file in place of a webcam.

Usage: report_client.py HOST PORT PICTURES ROWS COLUMNS PROTOCOL ORDER
PICTURES holds bgr24 pictures one after the other; ORDER is C or F.
"""
import pickle
import socket
import struct
import sys
import time

import numpy as np

host, port, path, rows, columns, protocol, order = sys.argv[1:8]
shape = (int(rows), int(columns), 3)
pictures = np.fromfile(path, dtype=np.uint8).reshape((-1, *shape))

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((host, int(port)))
try:
    for picture in pictures:
        frame = np.asarray(picture.copy(), order=order)
        data = pickle.dumps(frame, protocol=int(protocol))
        client.sendall(struct.pack("Q", len(data)) + data)
        time.sleep(0.05)
except (BrokenPipeError, ConnectionResetError):
    print("ENDED BY THE HOST")
client.close()
