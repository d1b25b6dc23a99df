"""``signature.json``: an Ed25519 signature of a bundle.

The signed text, with hashes in hexadecimal::

    snapship bundle 1
    manifest.json <sha256 of the file>
    labels.txt <sha256 of the file>

The manifest holds the hash of every model file, of every rule's parameters and of ``golden/golden.json``,
which holds the hash of every golden image and all expected scores. So everything used on a device is
covered: models, labels, preprocessing, temperatures, verdicts, rules and self-test. ``check.json`` and
``report.html`` are not: no device reads or receives them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.labels import LABELS_FILE
from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.bundle.strict_json import Strict, decode_json
from edge_runtime.common.errors import BundleError, EnvironmentMissingError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNATURE_FILE = "signature.json"

_MAX_KEY_BYTES = 100_000
_PUBLIC_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class Signature(Strict, frozen=True):
    """``signature.json``.

    Attributes:
        schema_version: 1.
        algorithm: ``ed25519``, RFC 8032.
        key_id: Id of the public key that verifies it, 16 hex digits; see :func:`key_id`.
        signature: 64 bytes in base64.
    """

    schema_version: Literal[1]
    algorithm: Literal["ed25519"]
    key_id: str
    signature: str


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies signatures.

    Attributes:
        id: 16 hex digits.
        key: The key itself.
    """

    id: str
    key: Ed25519PublicKey


def signed_text(bundle: Bundle) -> bytes:
    """The signed text of the bundle's files as they are now; see the head of this file.

    Raises:
        BundleError: One cannot be read.
    """
    lines = ["snapship bundle 1"]
    for file in (MANIFEST_FILE, LABELS_FILE):
        lines.append(f"{file} {hashlib.sha256(bundle.read(file)).hexdigest()}")
    return "\n".join([*lines, ""]).encode("ascii")


def version_of(bundle: Bundle) -> str:
    """The id of a bundle's content: the first 16 hex digits of the sha256 of :func:`signed_text`."""
    return hashlib.sha256(signed_text(bundle)).hexdigest()[:16]


def key_id(raw: bytes) -> str:
    """The id of a public key: the first 16 hex digits of the sha256 of its 32 bytes."""
    return hashlib.sha256(raw).hexdigest()[:16]


def public_key(key: Ed25519PublicKey) -> PublicKey:
    """Names a key."""
    return PublicKey(key_id(key.public_bytes_raw()), key)


def read_public_keys(file: Path) -> tuple[PublicKey, ...]:
    """Reads the keys of a PEM file; it may hold several, so that keys can be rotated.

    Args:
        file: ``NAME.pub`` of ``snapship sign --new-key``.

    Raises:
        UsageError: It cannot be read or holds something else.
        EnvironmentMissingError: The package cryptography is not installed.
    """
    require_cryptography("Checking a signature")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    blocks = _PUBLIC_PEM.findall(read_pem(file))
    keys = []
    for block in blocks:
        try:
            key = load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _no_public_key(file) from error
        if not isinstance(key, Ed25519PublicKey):
            raise _no_public_key(file)
        keys.append(public_key(key))
    if not keys:
        raise _no_public_key(file)
    return tuple(keys)


def read_signature(bundle: Bundle) -> Signature | None:
    """The signature of a bundle, not verified; None if it has none.

    Raises:
        BundleError: The file does not follow its schema.
    """
    if not bundle.has(SIGNATURE_FILE):
        return None
    signature: Signature = decode_json(
        bundle.read(SIGNATURE_FILE), Signature, f"{bundle.location}/{SIGNATURE_FILE}"
    )
    return signature


def check_signature(bundle: Bundle, keys: tuple[PublicKey, ...], name: str) -> str:
    """Verifies the signature of a bundle.

    Args:
        bundle: An open bundle.
        keys: The trusted keys.
        name: Name of the bundle for messages.

    Returns:
        The id of the key that signed it.

    Raises:
        BundleError: It is not signed, signed by another key, or was changed since.
    """
    from cryptography.exceptions import InvalidSignature

    cure = "Do not use it, or sign it with: snapship sign BUNDLE --key PRIVATE.pem"
    rule = "A bundle must be signed by the configured key."
    trusted = ", ".join(key.id for key in keys)
    found = read_signature(bundle)
    if found is None:
        raise BundleError(f"{rule} Received: {name} without {SIGNATURE_FILE}. {cure}")
    matching = [key for key in keys if key.id == found.key_id]
    if not matching:
        raise BundleError(
            f"{rule} Received: {name} signed by key {found.key_id!r}, trusted {trusted}. {cure}"
        )
    try:
        matching[0].key.verify(base64.b64decode(found.signature, validate=True), signed_text(bundle))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise BundleError(
            f"{rule} Received: {name}, changed after key {found.key_id} signed it. {cure}"
        ) from error
    return matching[0].id


def require_cryptography(need: str) -> None:
    """Raises EnvironmentMissingError when the package cryptography is not installed."""
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError as error:
        raise EnvironmentMissingError.of_extra(need, "cryptography", "sign") from error


def read_pem(file: Path) -> bytes:
    """Reads a key file.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return opened.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise UsageError(
            f"A key file must be readable. Received: {file} ({error.strerror}). "
            "Check the path, or make keys with: snapship sign --new-key NAME"
        ) from error


def _no_public_key(file: Path) -> UsageError:
    return UsageError(
        f"A public key must be an Ed25519 key in PEM. Received: {file}. "
        "Pass the .pub file that snapship sign --new-key wrote."
    )
