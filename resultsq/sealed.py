"""Personal data at rest: sealed (AES-GCM, 256 bits) with a key that is not in the database.

A value is sealed for one owner, such as a submission's id, and opens for no other: a row that is moved inside the
database does not open. Keys are changed without a gap: the first one seals, and each one opens what it sealed. Every
sealed value names its key, so a missing key is told apart from damage.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from resultsq import secret_files
from resultsq.domain.errors import ResultsqError, SettingsError
from resultsq.domain.i18n import gettext, gettext_noop, kept_sentence

KEY_FILE = "personal.key"
_FORMAT = b"RQ1"
_KEY_BYTES = 32
_NAME_BYTES = 8
_NONCE_BYTES = 12
_HEAD_BYTES = len(_FORMAT) + _NAME_BYTES


class KeyMissing(ResultsqError):
    """A value was sealed with a key that this process does not have. Nothing is lost: with the key it opens."""


class SealBroken(ResultsqError):
    """A sealed value was damaged, was changed, or belongs to another owner."""


def is_sealed(value: bytes) -> bool:
    """Whether this is what `seal` makes; no JSON begins like it."""
    return value.startswith(_FORMAT)


@dataclass(frozen=True, slots=True)
class PersonalKeys:
    """The keys of one node. No key shows in its representation."""

    ciphers: dict[bytes, AESGCM] = field(repr=False)
    """By the key's name; the first one seals."""

    @classmethod
    def of(cls, keys: Sequence[bytes]) -> "PersonalKeys":
        return cls({_name(key): AESGCM(key) for key in keys})

    def seal(self, plain: bytes, owner: str) -> bytes:
        """`plain`, to be opened for the same owner only."""
        name, cipher = next(iter(self.ciphers.items()))
        head, nonce = _FORMAT + name, secrets.token_bytes(_NONCE_BYTES)
        return head + nonce + cipher.encrypt(nonce, plain, head + owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """What `seal` was given.

        :raises KeyMissing: another key is needed
        :raises SealBroken: this is not what `seal` made for this owner"""
        head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        if len(nonce) < _NONCE_BYTES or not head.startswith(_FORMAT):
            raise SealBroken(gettext_noop("Personal data in the database is damaged and cannot be opened."))
        cipher = self.ciphers.get(head[len(_FORMAT) :])
        if cipher is None:
            raise KeyMissing(
                kept_sentence(
                    "Personal data in the database was sealed with the key {key}, which is not here. Nothing is lost: "
                    "add that key.",
                    key=head[len(_FORMAT) :].hex(),
                )
            )
        try:
            return cipher.decrypt(nonce, sealed[_HEAD_BYTES + _NONCE_BYTES :], head + owner.encode())
        except InvalidTag:
            raise SealBroken(gettext_noop("Personal data in the database is damaged and cannot be opened.")) from None

    @property
    def names(self) -> tuple[str, ...]:
        """What the keys are called; a name tells nothing of its key."""
        return tuple(name.hex() for name in self.ciphers)


def personal_keys(given: str, data_dir: Path) -> PersonalKeys:
    """The keys in `given`, separated by commas; where none is given, the one in the data folder, made at first use.

    :raises SettingsError: a key makes no sense, or the folder can be neither read nor written"""
    text = given or _kept(data_dir / KEY_FILE)
    keys = [_key(one.strip()) for one in text.split(",") if one.strip()]
    if not keys:
        raise SettingsError(gettext("There is no key to seal personal data with: the file or setting is empty."))
    return PersonalKeys.of(keys)


def new_key() -> str:
    """A key as a setting or a file holds it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _kept(path: Path) -> str:
    try:
        return secret_files.kept(path, new_key)
    except OSError as error:
        raise SettingsError(
            gettext(
                "The key that seals personal data cannot be kept in {path}: {reason}. Make the folder writable.",
                path=path,
                reason=error.strerror,
            )
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(gettext("The file {path} holds no key that seals personal data.", path=path)) from None


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise SettingsError(gettext("A key that seals personal data is not 32 bytes in base64."))
    return key


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"resultsq personal key" + key).digest()[:_NAME_BYTES]
