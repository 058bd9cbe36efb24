"""The report's way to receive: 4096 bytes at a time, unpickled, recorded as XVID at 20 pictures a second, and shown.

Usage: report_server.py [--window] [--record FILE] [--seconds SECONDS]
It prints the port that it listens on, and at the end how many pictures came in how many seconds. With --seconds it hangs up
that long after the first picture.
"""
import pickle
import socket
import struct
import sys
import time


def option(name):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


window = "--window" in sys.argv
path = option("--record")
seconds = float(option("--seconds") or "inf")
if window or path:
    import cv2

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen(5)
print("PORT", server.getsockname()[1], flush=True)
client, _ = server.accept()

LENGTH_BYTES = struct.calcsize("Q")
data = b""
writer = None
count = 0
start = None


def receive(wanted):
    """Adds to what has come until there is that much; False where the other end leaves before."""
    global data
    while len(data) < wanted:
        packet = client.recv(4 * 1024)
        if not packet:
            return False
        data += packet
    return True


while receive(LENGTH_BYTES):
    (length,) = struct.unpack("Q", data[:LENGTH_BYTES])
    data = data[LENGTH_BYTES:]
    if not receive(length):
        break
    picture = pickle.loads(data[:length])
    data = data[length:]
    if start is None:
        start = time.monotonic()
    else:
        count += 1
    if path:
        if writer is None:
            size = (picture.shape[1], picture.shape[0])
            writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"XVID"), 20, size)
        writer.write(picture)
    if window:
        cv2.imshow("RECEBENDO VIDEO (CLIENTE)", picture)
        if cv2.waitKey(1) & 0xFF == ord("q"):
            break
    if time.monotonic() - start > seconds:
        break
if writer is not None:
    writer.release()
client.close()
server.close()
print("FRAMES", count, "SECONDS", time.monotonic() - (start or 0), flush=True)
