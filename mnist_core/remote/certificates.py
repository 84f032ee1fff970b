"""Private keys with certificates that they signed themselves. Importing this module does not import cryptography."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

YEARS = 10
"""The certificate outlasts what uses it: what ends its use is that its file is deleted."""


def key_and_certificate(name: str) -> bytes:
    """Return a new private key and a certificate that it signed itself, in PEM.

    An elliptic curve: its key takes 10 µs, where one of RSA with 2048 bits takes 10 to 70 ms. `name` says what it is
    for. It names no host: whoever uses it compares its fingerprint, or accepts no other certificate.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # the clock of another machine may be behind
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of the first certificate in a PEM file: 64 hexadecimal digits.

    Raises
    ------
    OSError
        where the file cannot be read.
    ValueError
        where there is no certificate in it.
    """
    import ssl  # 5 ms, in every process that may start the job service

    text = path.read_text(encoding="ascii", errors="replace")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    if begin not in text or end not in text:
        raise ValueError(f"{path.name} has no certificate in PEM")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[text.index(begin) : text.index(end) + len(end)])).hexdigest()
