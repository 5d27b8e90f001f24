"""Pictures of the images in a .npy file, without numpy."""
import ast
import math
import pathlib
import struct
import sys
import zlib
from array import array

GAP, GRAY = 2, 128


def read_images(path):
    """Shape (images, channels, height, width) and pixels of a .npy file that `digits sample` wrote."""
    data = pathlib.Path(path).read_bytes()
    width = 2 if data[6] == 1 else 4
    start = 8 + width
    end = start + int.from_bytes(data[8:start], "little")
    about = ast.literal_eval(data[start:end].decode("latin1"))
    if data[:6] != b"\x93NUMPY" or about["descr"] != "<f4" or about["fortran_order"] or len(about["shape"]) != 4:
        raise ValueError(f"{path} is not of four axes of float32 in C order")
    pixels = array("f", data[end:])
    if sys.byteorder == "big":
        pixels.byteswap()
    return about["shape"], pixels


def write_picture(npy, png, most=100):
    """Writes the first images of a .npy file side by side; pixels are clipped to [0, 1]."""
    (count, channels, height, width), pixels = read_images(npy)
    count = min(count, most)
    columns = math.isqrt(max(count, 1) - 1) + 1
    rows = -(-count // columns)
    across, down = columns * (width + GAP) + GAP, rows * (height + GAP) + GAP
    lines = [bytearray([GRAY]) * (across * channels) for _ in range(down)]
    plane = height * width
    for image in range(count):
        top, left = image // columns * (height + GAP) + GAP, image % columns * (width + GAP) + GAP
        for y in range(height):
            for c in range(channels):
                first = (image * channels + c) * plane + y * width
                row = bytes(int(255 * min(1.0, max(0.0, v)) + 0.5) for v in pixels[first : first + width])
                lines[top + y][left * channels + c : (left + width) * channels : channels] = row
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", across, down, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + line for line in lines), 9)
    pathlib.Path(png).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
