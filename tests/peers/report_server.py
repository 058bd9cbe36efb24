"""An answerer that does what the report's server does, and writes the pictures to a file in place of a window.

Usage: report_server.py PICTURES [FRAMES]
It prints the port it listens on, a line for the shape of the first picture, and how the call ended. With FRAMES, it hangs up
by itself after that many.
"""
import pickle
import socket
import struct
import sys

path = sys.argv[1]
most = int(sys.argv[2]) if len(sys.argv) > 2 else None

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen(5)
print("PORT", server.getsockname()[1], flush=True)

client, address = server.accept()
data = b""
length_size = struct.calcsize("Q")
count = 0
with open(path, "wb") as pictures:
    while most is None or count < most:
        while len(data) < length_size:
            packet = client.recv(4 * 1024)
            if not packet:
                break
            data += packet
        if len(data) < length_size:
            break
        (length,) = struct.unpack("Q", data[:length_size])
        data = data[length_size:]
        while len(data) < length:
            data += client.recv(4 * 1024)
        frame = pickle.loads(data[:length])
        data = data[length:]
        if count == 0:
            print("FRAME", type(frame).__name__, frame.dtype, frame.shape, frame.flags.writeable, flush=True)
        pictures.write(frame.tobytes())
        count += 1
client.close()
server.close()
print("ENDED AFTER", count, flush=True)
