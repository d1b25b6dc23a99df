"""``snapship package`` up to the moment when it packs; the rest is tested under AWS's emulator."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.bundle.manifest import encode_manifest, read_manifest
from edge_runtime.common.errors import (
    BundleError,
    GateFailedError,
    SnapshipError,
    UnknownNameError,
    UsageError,
)
from serverless.deploy.config.errors import DownloadError
from serverless.deploy.package.cli import package


def refused(*words: str | Path) -> SnapshipError:
    with pytest.raises(SnapshipError) as caught:
        package.main([str(word) for word in words], standalone_mode=False)
    assert "\n" not in str(caught.value)
    return caught.value


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(package, ["--help"])
    assert result.exit_code == 0
    assert "    snapship package flowers.bundle --out lambda.zip" in result.output.splitlines()


def test_bad_use_is_told_before_anything_is_fetched(digits_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "lambda.zip"
    assert isinstance(refused(digits_bundle), UsageError)
    assert isinstance(refused(tmp_path / "no.bundle", "--out", out), BundleError)
    assert isinstance(refused(digits_bundle, "--out", out, "--artifact", "tflite-int4"), UnknownNameError)
    out.write_bytes(b"mine")
    assert "--overwrite" in str(refused(digits_bundle, "--out", out))
    assert out.read_bytes() == b"mine"


def test_an_artifact_that_failed_its_check_is_refused(own_digits_bundle: Path, tmp_path: Path) -> None:
    import msgspec

    path = own_digits_bundle / "manifest.json"
    manifest = read_manifest(path.read_bytes())
    failed = tuple(msgspec.structs.replace(entry, verdict="fail") for entry in manifest.artifacts)
    path.write_bytes(encode_manifest(msgspec.structs.replace(manifest, artifacts=failed)))
    error = refused(own_digits_bundle, "--out", tmp_path / "lambda.zip", "--artifact", "tflite-int8")
    assert isinstance(error, GateFailedError)
    assert error.exit_code == 1


def test_without_network_and_cache_nothing_is_left(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "none"))
    error = refused(digits_bundle, "--out", tmp_path / "lambda.zip")
    assert isinstance(error, DownloadError)
    assert error.exit_code == 4
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_a_place_without_access_is_told_before_anything_is_fetched(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "file").write_bytes(b"mine")
    assert "--out" in str(refused(digits_bundle, "--out", tmp_path / "file" / "lambda.zip"))
    assert "--out" in str(refused(digits_bundle, "--out", tmp_path / f"{'x' * 300}.zip"))
    assert "--image" in str(refused(digits_bundle, "--image", tmp_path / "file" / "context"))
    assert "--image" in str(refused(digits_bundle, "--image", tmp_path / ("x" * 300)))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
