"""What programs and people wrote, inside of sentences that run from right to left: isolates of UAX 9.

Two signs without a width stand around a file's name, a barcode or a person's name: the piece gets the direction of its
own first letter, and leaves the words beside it where they are. The gaps of a catalogue get theirs when it is compiled
(config/build.py), in languages from right to left alone. Here is the same for what no catalogue holds."""

from resultsq.domain.current_language import current

START, END = "\u2068", "\u2069"
_NONE = str.maketrans("", "", START + END)


def isolated(text: str) -> str:
    """`text` between the two signs where the language of the moment runs from right to left; elsewhere as it is."""
    return START + text + END if text and current().isolates else text


def without_isolates(text: str) -> str:
    """`text` without those signs, for what shows them as boxes, or checks what people typed."""
    return text.translate(_NONE)
