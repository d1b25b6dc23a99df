"""The bundle on its way to the workers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import BundleError
from edge_runtime.score.job import bundle_zip, opened_bundle


def test_zip_has_the_same_bytes_each_time_and_opens(digits_bundle: Path, tmp_path: Path) -> None:
    data = bundle_zip(digits_bundle)
    assert data == bundle_zip(digits_bundle)
    place = tmp_path / "bundle.zip"
    place.write_bytes(data)
    opened = opened_bundle(place, hashlib.sha256(data).hexdigest())
    opened.verify()
    assert opened.manifest == Bundle.open(digits_bundle).manifest
    # Of a zip, the file itself.
    assert bundle_zip(place) == data


def test_another_bundle_is_refused(digits_bundle: Path, tmp_path: Path) -> None:
    place = tmp_path / "bundle.zip"
    place.write_bytes(bundle_zip(digits_bundle))
    with pytest.raises(BundleError, match="must be the driver's"):
        opened_bundle(place, "0" * 64)


def test_changed_file_is_found_before_the_workers_have_it(own_digits_bundle: Path) -> None:
    model = next(own_digits_bundle.glob("*int8*.tflite"))
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match="unchanged since its export"):
        bundle_zip(own_digits_bundle)
