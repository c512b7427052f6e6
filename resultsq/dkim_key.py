"""The key that signs this node's mails (DKIM, RFC 6376): receivers find the public one in the DNS of the sender's
domain."""

from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext

SHORTEST_BITS = 1024
"""Receivers trust no shorter key (RFC 8301)."""

_SIGNED = [b"from", b"to", b"subject", b"date", b"message-id", b"list-unsubscribe", b"list-unsubscribe-post"]


def signer(path: Path, selector: str, domain: str) -> Callable[[bytes], bytes]:
    """What makes the signature's header, with its line end, of a message with CRLF.

    :raises SettingsError: the file, its key or the selector cannot be used, or dkimpy is not installed"""
    if not selector:
        raise SettingsError(gettext("It needs dkim_selector, the name under which its public key stands in the DNS."))
    key = _key(path)
    try:
        import dkim  # an extra: most nodes sign nothing
    except ImportError:
        raise SettingsError(gettext("To sign mails takes dkimpy: pip install 'resultsq[dkim]'.")) from None

    def sign(message: bytes) -> bytes:
        made: bytes = dkim.sign(
            message,
            selector.encode(),
            domain.encode("idna"),
            key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=_SIGNED,
        )
        return made

    return sign


def _key(path: Path) -> bytes:
    """The key in the form that dkimpy reads."""
    try:
        found = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError(
            gettext("The file {path} cannot be read: {reason}.", path=path, reason=error.strerror)
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsError(
            gettext("The file {path} holds no private key in PEM, or one with a passphrase.", path=path)
        ) from None
    if not isinstance(found, RSAPrivateKey) or found.key_size < SHORTEST_BITS:
        raise SettingsError(
            gettext("The key in {path} is not an RSA key of at least {number} bits.", path=path, number=SHORTEST_BITS)
        )
    return found.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
