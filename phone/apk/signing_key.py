"""The key that signs an app. Android takes an update only if the key is the one of the installed app."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.common.errors import EnvironmentMissingError, UsageError, first_line
from edge_runtime.common.user_folder import user_folder
from phone.apk.certificate import self_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

PASSWORD_VARIABLE = "SNAPSHIP_APK_PASSWORD"
"""Environment variable with the password of a key file; a password in an option would be seen by others."""

DEBUG_KEY_FILE = "android-debug.pem"

_MAX_BYTES = 1_000_000
_JAVA_KEYSTORES = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
_RSA_SHA256, _RSA_SHA512, _EC_SHA256, _EC_SHA512 = 0x0103, 0x0104, 0x0201, 0x0202
_RSA_BITS = (2048, 8192)
_RULE = "A key for an Android app must be an RSA or EC private key in PEM or PKCS#12"


@dataclass(frozen=True)
class SigningKey:
    """A private key with its certificates.

    Attributes:
        private: The key.
        certificates: DER, the key's own first.
        public_key: DER, SubjectPublicKeyInfo.
        digest: ``sha256`` or ``sha512``.
        algorithm: Its number in the signature schemes.
        file: Where it was read from.
    """

    private: PrivateKey
    certificates: tuple[bytes, ...]
    public_key: bytes
    digest: str
    algorithm: int
    file: Path

    @classmethod
    def load(cls, path: Path, password: str | None = None) -> SigningKey:
        """Reads a key.

        Args:
            path: PEM with a private key, or PKCS#12 (``.p12``, ``.pfx``, a ``.keystore`` of today's
                keytool). A PEM may hold its certificate; without one it gets one that depends on the
                key alone, so that it is the same each time.
            password: Of an encrypted file.

        Raises:
            UsageError: The file, the password or the kind of key cannot be used.
            EnvironmentMissingError: The package cryptography is not installed.
        """
        _require_cryptography()
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES)
        except OSError as error:
            raise UsageError(
                f"A key file must be readable. Received: {path} ({error.strerror}). Pass another --apk-key."
            ) from error
        if data.startswith(_JAVA_KEYSTORES):
            raise UsageError(
                f"{_RULE}. Received: {path}, a Java keystore of the old kind. "
                "Convert it: keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12"
            )
        # Any bytes: a variable of the environment need not be text.
        secret = os.fsencode(password) if password else None
        private, certificates = (
            _read_pem(path, data, secret) if b"-----BEGIN" in data else _read_p12(path, data, secret)
        )
        return _signing_key(path, private, certificates)

    @classmethod
    def debug(cls) -> SigningKey:
        """The debug key of this user, made at its first use; only its owner can read it.

        Kept in ``snapship/`` below ``$XDG_CONFIG_HOME`` or ``~/.config``.

        Raises:
            UsageError: It cannot be read or written.
            EnvironmentMissingError: The package cryptography is not installed.
        """
        file = user_folder("XDG_CONFIG_HOME", ".config") / DEBUG_KEY_FILE
        if not file.exists():
            _require_cryptography()
            from cryptography.hazmat.primitives import serialization as pem
            from cryptography.hazmat.primitives.asymmetric import rsa

            key = rsa.generate_private_key(65537, 2048)
            _write_once(
                file, key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
            )
        return cls.load(file)

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes; the same bytes give the same signature."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

        digest = hashes.SHA512() if self.digest == "sha512" else hashes.SHA256()
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        return self.private.sign(data, ec.ECDSA(digest, deterministic_signing=True))


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError as error:
        raise EnvironmentMissingError.of_extra("Signing an Android app", "cryptography", "phone") from error


def _signing_key(path: Path, private: object, certificates: tuple[bytes, ...]) -> SigningKey:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    # Of each kind, what apksigner takes for the size.
    if isinstance(private, rsa.RSAPrivateKey):
        if not _RSA_BITS[0] <= private.key_size <= _RSA_BITS[1]:
            raise UsageError(
                f"An RSA key for an Android app must have {_RSA_BITS[0]} to {_RSA_BITS[1]} bits. "
                f"Received: {path} with {private.key_size}. Pass another --apk-key."
            )
        large, algorithms = private.key_size > 3072, (_RSA_SHA256, _RSA_SHA512)
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        if not isinstance(private.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1):
            raise UsageError(
                f"An EC key for an Android app must be on P-256, P-384 or P-521. "
                f"Received: {path} on {private.curve.name}. Pass another --apk-key."
            )
        large, algorithms = private.key_size > 256, (_EC_SHA256, _EC_SHA512)
    else:
        kind = type(private).__name__.removesuffix("PrivateKey").lstrip("_")
        raise UsageError(f"{_RULE}. Received: {path}, a key of kind {kind}. Pass another --apk-key.")
    public = private.public_key().public_bytes(pem.Encoding.DER, pem.PublicFormat.SubjectPublicKeyInfo)
    if not certificates:
        certificates = (self_signed(private),)
    own = x509.load_der_x509_certificate(certificates[0]).public_key()
    if own.public_bytes(pem.Encoding.DER, pem.PublicFormat.SubjectPublicKeyInfo) != public:
        raise UsageError(
            f"The first certificate of a key file must be the key's own. Received: {path}, where it is "
            "another key's. Put the key's certificate first."
        )
    return SigningKey(private, certificates, public, "sha512" if large else "sha256", algorithms[large], path)


def _read_pem(path: Path, data: bytes, password: bytes | None) -> tuple[object, tuple[bytes, ...]]:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as pem

    try:
        try:
            private = pem.load_pem_private_key(data, password)
        except TypeError as error:
            # A password for a file without one is no harm; the variable may be set for another file.
            if password is None:
                raise _password_missing(path) from error
            private = pem.load_pem_private_key(data, None)
        has_certificate = b"-----BEGIN CERTIFICATE" in data
        found = x509.load_pem_x509_certificates(data) if has_certificate else []
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(path, password, error) from error
    return private, tuple(certificate.public_bytes(pem.Encoding.DER) for certificate in found)


def _read_p12(path: Path, data: bytes, password: bytes | None) -> tuple[object, tuple[bytes, ...]]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        private, own, others = pkcs12.load_key_and_certificates(data, password)
    except (ValueError, UnsupportedAlgorithm) as error:
        # DER begins with a sequence: PKCS#12, so the password is what is wrong.
        if data.startswith(b"\x30") and password is None:
            raise _password_missing(path) from error
        raise _unusable(path, password, error) from error
    if private is None:
        raise UsageError(f"{_RULE}. Received: {path} without a private key. Pass another --apk-key.")
    certificates = [certificate for certificate in (own, *others) if certificate is not None]
    return private, tuple(certificate.public_bytes(pem.Encoding.DER) for certificate in certificates)


def _password_missing(path: Path) -> UsageError:
    return UsageError(
        f"An encrypted key file needs its password. Received: {path} without one. "
        f"Set the environment variable {PASSWORD_VARIABLE}."
    )


def _unusable(path: Path, password: bytes | None, error: Exception) -> UsageError:
    if password is not None:
        return UsageError(
            f"A key file must open with its password. Received: {path} and a password that does not fit, "
            f"or a damaged file ({first_line(error)}). Check {PASSWORD_VARIABLE}."
        )
    return UsageError(f"{_RULE}. Received: {path} ({first_line(error)}). Pass another --apk-key.")


def _write_once(file: Path, data: bytes) -> None:
    """Writes a file that only its owner can read; if another process was first, its file stays."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{os.getpid()}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(data)
            # Unlike a rename, a link never replaces a key with which apps were signed.
            os.link(temporary, file)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    except OSError as error:
        raise UsageError(
            f"The folder of the debug key must be writable. Received: {file.parent} ({error.strerror}). "
            "Set XDG_CONFIG_HOME to a writable folder, or pass --apk-key."
        ) from error
