"""An athlete's barcode as people type it, and as a phone's camera reads it from a QR code."""

import re

_ADDRESS = re.compile(r"HTTPS?://.*[/=]A?([1-9][0-9]{0,8})(?:[/?&#].*)?", re.ASCII)


def scanned_or_typed(text: str) -> str:
    """`A1234567` for `a1234567`, `A 1234567` and an address that ends in the number; anything else as it is."""
    plain = "".join(text.split()).upper()
    address = _ADDRESS.fullmatch(plain)
    return f"A{address[1]}" if address else plain
