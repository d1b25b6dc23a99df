"""The parameter file of a rule travels with its bundle, and a changed one is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from edge_runtime.bundle.bundle import Bundle, rule_files
from edge_runtime.bundle.manifest import MANIFEST_FILE, TensorSpec, encode_manifest
from edge_runtime.bundle.rules import KnownRule, Rules
from edge_runtime.common.errors import BundleError
from edge_runtime.golden import verify_files
from edge_runtime.updates.unpacking import copy_body, copy_head

FILE = "rules/tflite-int8_known.bin"


def with_rule(folder: Path, file: str = FILE) -> Bundle:
    """Gives the bundle's first artifact a features output, as the manifest has it, and a rule with parameters."""
    data = b"parameters"
    (folder / FILE).parent.mkdir()
    (folder / FILE).write_bytes(data)
    known = KnownRule("nearest", -9.5, 0.95, "features", file, hashlib.sha256(data).hexdigest())
    manifest = Bundle.open(folder).manifest
    rules, features = Rules(400, "0" * 64, known=known), TensorSpec("features", "float32", (1, 64))
    first = msgspec.structs.replace(manifest.artifacts[0], rules=rules, outputs=(features,))
    written = msgspec.structs.replace(manifest, artifacts=(first, *manifest.artifacts[1:]))
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(written))
    return Bundle.open(folder)


def test_parameter_file_is_read_verified_and_copied(own_digits_bundle: Path, tmp_path: Path) -> None:
    before = verify_files(Bundle.open(own_digits_bundle))
    bundle = with_rule(own_digits_bundle)
    first, second = bundle.manifest.artifacts[:2]
    assert bundle.rule_file(first) == b"parameters"
    assert bundle.rule_file(second) is None
    assert list(rule_files(bundle.manifest)) == [FILE]
    assert verify_files(bundle) == before + 1
    copy = tmp_path / "copy"
    copy.mkdir()
    copied: list[str] = []
    copy_body(bundle, copy_head(bundle, copy), 10_000_000, copied.append)
    assert FILE in copied
    assert verify_files(Bundle.open(copy)) == before + 1


def test_changed_missing_or_outside_parameter_file_is_refused(own_digits_bundle: Path) -> None:
    bundle = with_rule(own_digits_bundle)
    (own_digits_bundle / FILE).write_bytes(b"parameterz")
    for check in (bundle.verify, lambda: bundle.rule_file(bundle.manifest.artifacts[0])):
        with pytest.raises(BundleError, match="another sha256 for rules/tflite-int8_known"):
            check()
    (own_digits_bundle / FILE).unlink()
    with pytest.raises(BundleError) as refused:
        bundle.verify()
    assert "\n" not in str(refused.value)


def test_parameter_file_outside_the_bundle_is_refused(own_digits_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"\.\./secret"):
        with_rule(own_digits_bundle, "../secret")
