"""A barcode as a picture for mails: PNG, for few mail programs show SVG."""

import struct
import zlib

from resultsq.domain import code128

_SCALE, _HEIGHT = 3, 120
"""Pixels of the narrowest bar, and of the whole height: a phone's screen shows it, and scanners read it from there."""


def png(text: str) -> bytes:
    """The barcode of this text, black on white.

    :raises ValueError: Code 128 cannot have the text"""
    quiet = [False] * code128.QUIET
    modules = [*quiet]
    for index, width in enumerate(map(int, code128.widths(text))):
        modules += [index % 2 == 0] * width
    modules += quiet
    pixels = "".join(("0" if dark else "1") * _SCALE for dark in modules)
    row = int(pixels.ljust(-(-len(pixels) // 8) * 8, "1"), 2).to_bytes(-(-len(pixels) // 8))
    head = struct.pack(">IIBBBBB", len(pixels), _HEIGHT, 1, 0, 0, 0, 0)  # one bit a pixel, in shades of grey
    rows = zlib.compress((b"\0" + row) * _HEIGHT, 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
