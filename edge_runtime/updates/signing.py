"""Creates keys and signs bundles, on the machine that ships them; see :mod:`edge_runtime.updates.signature`."""

from __future__ import annotations

import base64
import copy
import os
import shutil
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.bundle.store import check_inside
from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.common.atomic_file import replace_file
from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import temporary_file
from edge_runtime.golden import verify_files
from edge_runtime.updates.signature import (
    SIGNATURE_FILE,
    Signature,
    public_key,
    read_pem,
    require_cryptography,
    signed_text,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def new_key(name: Path) -> tuple[Path, Path, str]:
    """Creates a key pair: ``NAME.pem``, readable by its owner only, and ``NAME.pub`` for the devices.

    Args:
        name: Path of the files without suffix.

    Returns:
        The private file, the public file, and the key's id.

    Raises:
        UsageError: One of them exists, the place cannot be written, or the name is invalid.
        EnvironmentMissingError: The package cryptography is not installed.
    """
    if name.name in ("", ".."):
        raise UsageError(
            f"A key's name must be a path without suffix. Received: {str(name)!r}. Pass --new-key NAME."
        )
    require_cryptography("Making a key")
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    private_file, public_file = (name.with_name(name.name + ending) for ending in (".pem", ".pub"))
    private_pem = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    public_pem = public.public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    if os.path.lexists(public_file):
        raise UsageError(f"A key must be new. Received: {public_file}, which exists. Pass another --new-key.")
    try:
        _write_once(private_file, private_pem, 0o600)
        try:
            _write_once(public_file, public_pem, 0o644)
        except BaseException:
            private_file.unlink()
            raise
    except FileExistsError as error:
        raise UsageError(
            f"A key must be new. Received: {error.filename}, which exists. Pass another --new-key."
        ) from error
    except OSError as error:
        raise UsageError(
            f"A key's place must be writable. Received: {name} ({error.strerror}). Pass another --new-key."
        ) from error
    return private_file, public_file, public_key(public).id


def sign(location: Path, private_file: Path) -> Signature:
    """Signs a bundle and writes ``signature.json`` into it, replacing an older one.

    Args:
        location: A folder or zip. All its files are verified first.
        private_file: ``NAME.pem`` of :func:`new_key`.

    Returns:
        The signature.

    Raises:
        BundleError: The bundle is damaged.
        UsageError: The key is invalid, or the bundle cannot be written.
        EnvironmentMissingError: The package cryptography is not installed.
    """
    require_cryptography("Signing")
    key = _read_private_key(private_file)
    bundle = Bundle.open(location)
    # Do not sign a damaged bundle.
    verify_files(bundle)
    signature = Signature(
        schema_version=1,
        algorithm="ed25519",
        key_id=public_key(key.public_key()).id,
        signature=base64.b64encode(key.sign(signed_text(bundle))).decode("ascii"),
    )
    data = encode_json(signature)
    try:
        if location.is_dir():
            replace_file(location / SIGNATURE_FILE, data)
        else:
            _into_zip(location.resolve(), data)
    except OSError as error:
        raise UsageError(
            f"A bundle to sign must be writable. Received: {location} ({error.strerror}). "
            "Check its permissions and the free space."
        ) from error
    return signature


def _read_private_key(file: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    wrong = UsageError(
        f"A private key must be an Ed25519 key in PEM without a password. Received: {file}. "
        "Pass the .pem file that snapship sign --new-key wrote."
    )
    try:
        # TypeError: the key has a password.
        key = load_pem_private_key(read_pem(file), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise wrong from error
    if not isinstance(key, Ed25519PrivateKey):
        raise wrong
    return key


def _into_zip(location: Path, data: bytes) -> None:
    """Writes a copy of a zip with a new ``signature.json`` beside its manifest, then renames it."""
    with temporary_file(location.parent) as aside:
        with zipfile.ZipFile(location) as old, zipfile.ZipFile(aside.file, "w", zipfile.ZIP_DEFLATED) as new:
            manifests = [entry.filename for entry in old.infolist() if _base(entry.filename) == MANIFEST_FILE]
            # The bundle was opened, so there is one, at the top or in the only folder there.
            top = min(manifests, key=len)
            own = top.removesuffix(MANIFEST_FILE) + SIGNATURE_FILE
            for entry in old.infolist():
                if str(check_inside(entry.filename)) != str(check_inside(own)):
                    with old.open(entry) as read, new.open(copy.copy(entry), "w") as written:
                        shutil.copyfileobj(read, written, 1 << 20)
            info = zipfile.ZipInfo(own, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            new.writestr(info, data)
        aside.move_to(location, stat.S_IMODE(location.stat().st_mode))


def _base(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _write_once(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
    except BaseException:
        path.unlink()
        raise
