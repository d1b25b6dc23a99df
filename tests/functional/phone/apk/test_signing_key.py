"""Keys that people have: PEM, PKCS#12 of keytool, with and without password, and those that cannot be used."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from edge_runtime.common.errors import UsageError
from phone.apk import SigningKey

PASSWORD = "pass wörd"


def write(file: Path, key: Any, password: str | None = None) -> Path:
    cipher = pem.BestAvailableEncryption(password.encode()) if password else pem.NoEncryption()
    file.write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, cipher))
    return file


def verify(apk: Path) -> str:
    if shutil.which("apksigner") is None:
        pytest.skip("needs Debian's apksigner")
    command = ["apksigner", "verify", "--verbose", "--print-certs", apk]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "v3 scheme (APK Signature Scheme v3): true" in done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("kind", "digest"),
    [("rsa2048", "sha256"), ("rsa4096", "sha512"), ("p256", "sha256"), ("p384", "sha512")],
)
def test_keys_of_every_kind_sign_the_same_each_time(
    make: Callable[..., Path], tmp_path: Path, kind: str, digest: str
) -> None:
    if kind.startswith("rsa"):
        private: Any = rsa.generate_private_key(65537, int(kind[3:]))
    else:
        private = ec.generate_private_key(ec.SECP256R1() if kind == "p256" else ec.SECP384R1())
    file = write(tmp_path / "key.pem", private)
    first = SigningKey.load(file)
    assert first.digest == digest
    one, other = make("a.apk", key=first), make("b.apk", key=SigningKey.load(file))
    assert one.read_bytes() == other.read_bytes()
    verify(one)


def test_password_opens_an_encrypted_key(tmp_path: Path) -> None:
    file = write(tmp_path / "key.pem", rsa.generate_private_key(65537, 2048), PASSWORD)
    assert SigningKey.load(file, PASSWORD).digest == "sha256"
    with pytest.raises(UsageError, match=r"needs its password\. Received: .*SNAPSHIP_APK_PASSWORD"):
        SigningKey.load(file)
    with pytest.raises(UsageError, match="a password that does not fit"):
        SigningKey.load(file, "other")
    with pytest.raises(UsageError, match="a password that does not fit"):
        # As Python reads a variable whose bytes are no UTF-8.
        SigningKey.load(file, "\udcff")


def test_password_for_a_key_without_one_does_no_harm(tmp_path: Path) -> None:
    file = write(tmp_path / "key.pem", rsa.generate_private_key(65537, 2048))
    assert SigningKey.load(file, "unused").certificates == SigningKey.load(file).certificates


def test_keystore_of_keytool(make: Callable[..., Path], tmp_path: Path) -> None:
    if shutil.which("keytool") is None:
        pytest.skip("needs keytool of a JDK")
    for kind in ("PKCS12", "JKS"):
        subprocess.run(
            ["keytool", "-genkeypair", "-keystore", tmp_path / kind, "-storetype", kind, "-alias", "own",
             "-storepass", "secret1", "-keypass", "secret1", "-keyalg", "RSA", "-keysize", "2048",
             "-dname", "CN=Own"],
            check=True, capture_output=True,
        )  # fmt: skip
    assert "certificate DN: CN=Own" in verify(make(key=SigningKey.load(tmp_path / "PKCS12", "secret1")))
    with pytest.raises(UsageError, match="a password that does not fit"):
        SigningKey.load(tmp_path / "PKCS12", "secret2")
    with pytest.raises(UsageError, match="needs its password"):
        SigningKey.load(tmp_path / "PKCS12")
    with pytest.raises(UsageError, match=r"Java keystore of the old kind\. Convert it: keytool"):
        SigningKey.load(tmp_path / "JKS", "secret1")


def test_keys_that_android_refuses(tmp_path: Path) -> None:
    for name, key, message in (
        ("ed25519", ed25519.Ed25519PrivateKey.generate(), "a key of kind Ed25519"),
        (
            "small",
            rsa.generate_private_key(65537, 1024),
            "must have 2048 to 8192 bits. Received: .* with 1024",
        ),
        ("curve", ec.generate_private_key(ec.SECP256K1()), "on secp256k1"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            SigningKey.load(write(tmp_path / name, key))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\x30\x82xx"],
)
def test_files_without_a_key(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    for password in (None, "x"):
        with pytest.raises(UsageError) as caught:
            SigningKey.load(file, password)
        assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pem", tmp_path):
        with pytest.raises(UsageError, match="A key file must be readable"):
            SigningKey.load(path)


def test_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    from phone.apk.certificate import self_signed

    file = write(tmp_path / "key.pem", rsa.generate_private_key(65537, 2048))
    from cryptography import x509

    other = x509.load_der_x509_certificate(self_signed(rsa.generate_private_key(65537, 2048)))
    file.write_bytes(file.read_bytes() + other.public_bytes(pem.Encoding.PEM))
    with pytest.raises(UsageError, match="must be the key's own"):
        SigningKey.load(file)


def test_debug_key_is_made_once_for_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    first = SigningKey.debug()
    assert SigningKey.debug().certificates == first.certificates
    file = tmp_path / "snapship" / "android-debug.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_debug_key_without_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "snapship").write_text("a file")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="folder of the debug key must be writable"):
        SigningKey.debug()
