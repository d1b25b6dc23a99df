"""Keys and signatures."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import BundleError, UsageError
from edge_runtime.golden import verify_files
from edge_runtime.updates import PublicKey, new_key, read_public_keys, sign
from edge_runtime.updates.signature import SIGNATURE_FILE, check_signature, signed_text, version_of
from exporter.bundle.bundle_files import may_write
from snapship.cli import cli

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def private(tmp_path: Path) -> Path:
    return new_key(tmp_path / "team")[0]


@pytest.fixture
def keys(private: Path) -> tuple[PublicKey, ...]:
    return read_public_keys(private.with_suffix(".pub"))


def test_new_key_is_private_and_never_replaces_one(tmp_path: Path) -> None:
    private, public, name = new_key(tmp_path / "team.v2")
    assert (private.name, public.name) == ("team.v2.pem", "team.v2.pub")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert [key.id for key in read_public_keys(public)] == [name]
    before = private.read_bytes()
    with pytest.raises(UsageError, match="must be new"):
        new_key(tmp_path / "team.v2")
    public.unlink()
    with pytest.raises(UsageError, match="must be new"):
        new_key(tmp_path / "team.v2")
    assert private.read_bytes() == before
    private.unlink()
    public.write_text("")
    with pytest.raises(UsageError, match="must be new"):
        new_key(tmp_path / "team.v2")
    assert not private.exists()
    with pytest.raises(UsageError, match="must be writable"):
        new_key(tmp_path / "nowhere" / "team")


@pytest.mark.parametrize("name", ["", ".", "/", ".."])
def test_new_key_needs_a_file_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="must be a path without suffix"):
        new_key(Path(name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit_bytes", [0, 1])
def test_new_key_that_the_disk_refuses_leaves_no_file(tmp_path: Path, limit_bytes: int) -> None:
    code = """
import resource, sys
from pathlib import Path
from edge_runtime.common.errors import UsageError
from edge_runtime.updates import new_key

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    new_key(Path(sys.argv[1]))
except UsageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "team", str(limit_bytes)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith("A key's place must be writable"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_signature_is_over_the_documented_text(
    own_digits_bundle: Path, private: Path, keys: tuple[PublicKey, ...]
) -> None:
    """Checked as another program would: by the text, the PEM file and the JSON."""
    import base64
    import hashlib

    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    sign(own_digits_bundle, private)
    files = {name: (own_digits_bundle / name).read_bytes() for name in ("manifest.json", "labels.txt")}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    text = f"snapship bundle 1\nmanifest.json {hashes['manifest.json']}\nlabels.txt {hashes['labels.txt']}\n"
    record = json.loads((own_digits_bundle / SIGNATURE_FILE).read_text())
    key = load_pem_public_key(private.with_suffix(".pub").read_bytes())
    key.verify(base64.b64decode(record["signature"]), text.encode())  # type: ignore[union-attr,call-arg]
    assert signed_text(Bundle.open(own_digits_bundle)) == text.encode()
    assert record["key_id"] == keys[0].id
    assert version_of(Bundle.open(own_digits_bundle)) == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("top", ["", "flowers/"])
def test_zip_is_signed_in_place(
    digits_bundle: Path, private: Path, keys: tuple[PublicKey, ...], tmp_path: Path, top: str
) -> None:
    archive = tmp_path / "digits.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for file in sorted(path for path in digits_bundle.rglob("*") if path.is_file()):
            opened.write(file, top + file.relative_to(digits_bundle).as_posix())
    before = archive.stat()
    for _ in range(2):
        sign(archive, private)
    bundle = Bundle.open(archive)
    assert check_signature(bundle, keys, "digits") == keys[0].id
    verify_files(bundle)
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist().count(f"{top}{SIGNATURE_FILE}") == 1
        assert len(opened.namelist()) == 1 + sum(path.is_file() for path in digits_bundle.rglob("*"))
    assert archive.stat().st_mode == before.st_mode
    # What "zip -r" writes is compressed still.
    assert archive.stat().st_size < before.st_size + 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits.zip", "team.pem", "team.pub"]


def test_check_signature_refuses_other_keys_and_changed_bundles(
    own_digits_bundle: Path, private: Path, keys: tuple[PublicKey, ...], tmp_path: Path
) -> None:
    other = read_public_keys(new_key(tmp_path / "other")[1])
    sign(own_digits_bundle, private)
    bundle = Bundle.open(own_digits_bundle)
    assert check_signature(bundle, (*other, *keys), "digits") == keys[0].id
    with pytest.raises(BundleError, match=f"signed by key '{keys[0].id}', trusted {other[0].id}"):
        check_signature(bundle, other, "digits")

    file = own_digits_bundle / SIGNATURE_FILE
    record = json.loads(file.read_text())
    for change in (
        {"key_id": other[0].id},
        {"signature": "AAAA"},
        {"signature": "not base64!"},
        {"signature": record["signature"][:-4] + "AAA="},
    ):
        file.write_text(json.dumps(record | change))
        with pytest.raises(BundleError, match="changed after key"):
            check_signature(bundle, (*other, *keys), "digits")
    for change in ({"algorithm": "none"}, {"schema_version": 2}, {"more": 1}):
        file.write_text(json.dumps(record | change))
        with pytest.raises(BundleError, match="must follow its schema"):
            check_signature(bundle, keys, "digits")

    file.write_text(json.dumps(record))
    with (own_digits_bundle / "labels.txt").open("a") as labels:
        labels.write("\n")
    # The same labels, other bytes.
    with pytest.raises(BundleError, match="changed after key"):
        check_signature(Bundle.open(own_digits_bundle), keys, "digits")


def test_damaged_bundle_is_not_signed(own_digits_bundle: Path, private: Path) -> None:
    with (own_digits_bundle / "digits_int8.tflite").open("ab") as model:
        model.write(b"x")
    with pytest.raises(BundleError, match="digits_int8"):
        sign(own_digits_bundle, private)
    assert not (own_digits_bundle / SIGNATURE_FILE).exists()


def test_files_that_are_no_ed25519_key_are_refused(
    own_digits_bundle: Path, private: Path, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    other = ec.generate_private_key(ec.SECP256R1())
    form = (Encoding.PEM, PrivateFormat.PKCS8)
    locked = load_pem_private_key(private.read_bytes(), None).private_bytes(
        *form, BestAvailableEncryption(b"p")
    )
    wrong = {"ec.pem": other.private_bytes(*form, NoEncryption()), "locked.pem": locked, "text.pem": b"key"}
    for name, data in wrong.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UsageError, match="must be an Ed25519 key"):
            sign(own_digits_bundle, tmp_path / name)
    with pytest.raises(UsageError, match="must be readable"):
        sign(own_digits_bundle, tmp_path / "nowhere.pem")

    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for data in (public, b"", private.read_bytes(), private.with_suffix(".pub").read_bytes() + public):
        (tmp_path / "wrong.pub").write_bytes(data)
        with pytest.raises(UsageError, match="must be an Ed25519 key"):
            read_public_keys(tmp_path / "wrong.pub")


def test_key_file_may_hold_two_keys(private: Path, keys: tuple[PublicKey, ...], tmp_path: Path) -> None:
    other = new_key(tmp_path / "next")[1]
    both = tmp_path / "both.pub"
    both.write_bytes(private.with_suffix(".pub").read_bytes() + other.read_bytes())
    assert [key.id for key in read_public_keys(both)] == [keys[0].id, read_public_keys(other)[0].id]


def test_signed_bundle_may_be_exported_over(digits_bundle: Path, private: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "digits.bundle"
    shutil.copytree(digits_bundle, bundle)
    sign(bundle, private)
    may_write(bundle, overwrite=True)


def test_command_makes_keys_and_signs(own_digits_bundle: Path, tmp_path: Path) -> None:
    def run(*words: str | Path) -> tuple[int, str]:
        shown = CliRunner().invoke(cli, ["sign", *map(str, words)])
        return shown.exit_code, shown.output

    code, made = run("--new-key", tmp_path / "team", "--json")
    assert code == 0
    key = json.loads(made)
    code, signed = run(own_digits_bundle, "--key", key["private"], "--json")
    assert code == 0
    assert json.loads(signed)["key_id"] == key["key_id"]
    for words in ((), (own_digits_bundle,), (own_digits_bundle, "--new-key", tmp_path / "b")):
        code, said = run(*words)
        assert code == 2
        assert said.startswith("Error: sign ")
    assert not (tmp_path / "b.pem").exists()
