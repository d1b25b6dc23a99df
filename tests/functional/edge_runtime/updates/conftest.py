"""Small bundles to update to, and keys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.updates import new_key, read_public_keys
from edge_runtime.updates.signature import PublicKey

MakeBundle = Callable[[str], Path]


@pytest.fixture
def make_bundle(digits_bundle: Path, tmp_path: Path) -> MakeBundle:
    """Makes a bundle of another name, and so of another version, with the int8 artifact alone."""

    def make(name: str) -> Path:
        bundle = tmp_path / "bundles" / name
        shutil.copytree(digits_bundle, bundle)
        manifest = json.loads((bundle / "manifest.json").read_text())
        manifest["name"] = name
        manifest["artifacts"] = [entry for entry in manifest["artifacts"] if entry["kind"] == "tflite-int8"]
        (bundle / "manifest.json").write_text(json.dumps(manifest))
        for other in (*bundle.glob("*_fp32.*"), bundle / "check.json"):
            other.unlink()
        return bundle

    return make


@pytest.fixture
def zipped() -> Callable[[Path], Path]:
    """Packs a bundle folder beside itself."""
    return lambda bundle: Path(shutil.make_archive(str(bundle), "zip", bundle))


@pytest.fixture
def private_key(tmp_path: Path) -> Path:
    return new_key(tmp_path / "team")[0]


@pytest.fixture
def public_keys(private_key: Path) -> tuple[PublicKey, ...]:
    return read_public_keys(private_key.with_suffix(".pub"))
