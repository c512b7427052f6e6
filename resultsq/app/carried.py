"""An entry as a device keeps it: one JSON document with the files in it, sent to the node or carried there as a file.

    {"resultsq-entry": 2, "id": UUID, "event": slug, "date": ISO 8601, "publish": true, "account": name,
     "files": [{"name", "length", "sha256", "content": Base64}]}

Format 1 had no `publish`. A node takes the present format and the one before, for a device may wait for weeks.
"""

import uuid
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resultsq.app.intake import MOST_FILES, name_of
from resultsq.domain import cldr
from resultsq.domain.errors import BodyDamaged, InputRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.invalid import first, is_no_json

FORMAT: Final = 2
TAKEN: Final = (FORMAT - 1, FORMAT)

MARK: Final = "resultsq-entry"
"""The member that names the format: what has it at its beginning is an entry."""

_BEGINNING: Final = f'{{"{MARK}":'.encode()

_NAME: Final = 1000
_MOST_SIGNS: Final = MOST_FILES * (_NAME + 20)
"""Commas and brackets of an entry: Base64 has none, the names of its files may have some."""


class CarriedFile(BaseModel):
    """A file with what the device measured of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(max_length=_NAME)
    length: int
    sha256: str
    content: str


class CarriedEntry(BaseModel):
    """An entry as it arrived. `publish`: it may be published without another look if nothing is wrong with it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int = Field(alias=MARK)
    id: uuid.UUID
    event: str = Field(max_length=64)
    date: str = Field(max_length=10)
    publish: bool = False
    files: Annotated[tuple[CarriedFile, ...], Field(min_length=1, max_length=MOST_FILES)]

    @property
    def contents(self) -> list[tuple[str, bytes]]:
        """Each file's name and bytes.

        :raises BodyDamaged: one is not as long as on the device, or other bytes."""
        return [(name_of(file.name) or f"file {at}", _whole(file)) for at, file in enumerate(self.files, 1)]


def is_entry(content: bytes) -> bool:
    """Whether a file is an entry that a device saved for carrying."""
    return content.startswith(_BEGINNING)


def parse(body: bytes) -> CarriedEntry:
    """The entry in a body or a file.

    :raises BodyDamaged: it was emptied, cut off or changed on its way.
    :raises InputRefused: it is whole and cannot be taken."""
    if not body:
        raise _damaged(gettext("nothing of it arrived"))
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > _MOST_SIGNS:  # a parsed value costs a hundred times more
        raise _unknown("/files")
    try:
        entry = CarriedEntry.model_validate_json(body)
    except ValidationError as error:
        if is_no_json(error):
            raise _damaged(gettext("its end is missing")) from None
        raise _unknown(first(error).pointer) from None
    if entry.format not in TAKEN:
        raise InputRefused(
            gettext(
                "This entry has the format {format}, and this node takes {taken}. Nothing was stored. Load the page "
                "again while the node can be reached, or choose the files in the form.",
                format=entry.format,
                taken=cldr.listed(TAKEN),
            )
        )
    return entry


def unpacked(files: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The files, and of each that is an entry the files in it.

    :raises BodyDamaged, InputRefused: as `parse`."""
    return [inner for name, content in files for inner in _inner(name, content)]


def _inner(name: str, content: bytes) -> list[tuple[str, bytes]]:
    return parse(content).contents if is_entry(content) else [(name, content)]


def digest_of(entry: CarriedEntry) -> str:
    """Names what an entry says: the same id with another digest is another entry."""
    said: list[Any] = [entry.event, entry.date, *((file.name, file.length, file.sha256) for file in entry.files)]
    return sha256(repr(said).encode()).hexdigest()


def _whole(file: CarriedFile) -> bytes:
    try:
        content = b64decode(file.content, validate=True)
    except (NotBase64, ValueError):
        raise _damaged(gettext("the file {name} cannot be read", name=file.name)) from None
    if len(content) != file.length or sha256(content).hexdigest() != file.sha256:
        raise _damaged(gettext("the file {name} is not what the device had", name=file.name))
    return content


def _damaged(reason: str) -> BodyDamaged:
    return BodyDamaged(
        gettext(
            "These results did not arrive whole: {reason}. Nothing was stored, and the device still has them.",
            reason=reason,
        )
    )


def _unknown(pointer: str) -> InputRefused:
    return InputRefused(gettext("{place} is missing or makes no sense. Nothing was stored.", place=pointer or "It"))
