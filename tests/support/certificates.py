"""An authority of a test's own, and what it vouches for: right, expired, and for somebody else."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.services import HOST

_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def write(folder: Path) -> Path:
    """Makes authority.pem, and good.pem (this machine), named.pem (mail.test), expired.pem and other.pem with their
    keys; the folder."""
    now = datetime.now(UTC)
    later = now + timedelta(days=9)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A test's authority")])
    identity = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())

    def begun(subject: x509.Name, key: ec.EllipticCurvePrivateKey, ends: datetime) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(days=9)).not_valid_after(ends)

    def signed(builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    uses = x509.KeyUsage(*(use in {"key_cert_sign", "crl_sign"} for use in _USES))
    own = begun(authority, authority_key, later).add_extension(uses, critical=True)
    own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    (folder / "authority.pem").write_bytes(signed(own.add_extension(identity, critical=False)))
    here = x509.IPAddress(ipaddress.ip_address(HOST))
    for name, ends, subject in (
        ("good", later, here),
        ("named", later, x509.DNSName("mail.test")),
        ("expired", now - timedelta(days=2), here),
        ("other", later, x509.DNSName("login.hotel.example")),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity)
        builder = begun(x509.Name([]), key, ends).add_extension(issuer, critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([subject]), critical=True)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.pem").write_bytes(signed(builder) + private)
    return folder
