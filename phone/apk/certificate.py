"""A certificate for a key that has none. Android compares it between updates and reads nothing else in it."""

from __future__ import annotations

import datetime
import hashlib
from typing import TYPE_CHECKING

from edge_runtime.common.errors import EnvironmentMissingError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_SINCE, _UNTIL = datetime.datetime(2020, 1, 1), datetime.datetime(2120, 1, 1)
_NAME = "snapship"


def self_signed(key: RSAPrivateKey | EllipticCurvePrivateKey) -> bytes:
    """A certificate that depends on nothing but the key: the same one each time.

    Args:
        key: The key.

    Returns:
        DER.

    Raises:
        EnvironmentMissingError: The installed cryptography cannot do that for an EC key.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import rsa

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _NAME)])
    public = key.public_key()
    encoded = public.public_bytes(pem.Encoding.DER, pem.PublicFormat.SubjectPublicKeyInfo)
    # A serial number is positive and has at most 20 bytes.
    serial = int.from_bytes(hashlib.sha256(encoded).digest()[:15]) | 1
    builder = x509.CertificateBuilder(name, name, public, serial, _SINCE, _UNTIL)
    if isinstance(key, rsa.RSAPrivateKey):
        return builder.sign(key, hashes.SHA256()).public_bytes(pem.Encoding.DER)
    try:
        signed = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    except TypeError as error:
        raise EnvironmentMissingError(
            "A certificate for an EC key needs a newer package cryptography. Received: one that signs "
            "with random numbers. Run: pip install -U cryptography, or put the certificate into the key file."
        ) from error
    return signed.public_bytes(pem.Encoding.DER)
