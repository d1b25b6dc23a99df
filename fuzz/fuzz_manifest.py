"""Fuzz target: any bytes are a manifest that reads as it is written, or a BundleError in one line."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["edge_runtime"]):
    from edge_runtime.bundle.labels import parse_labels
    from edge_runtime.bundle.manifest import encode_manifest, read_manifest
    from edge_runtime.bundle.store import check_inside
    from edge_runtime.common.errors import BundleError


def test_one_input(data: bytes) -> None:
    """Tries one input."""
    try:
        manifest = read_manifest(data, "manifest.json")
        for artifact in manifest.artifacts:
            check_inside(artifact.file)
    except BundleError as error:
        if "\n" in str(error) or "Received:" not in str(error):
            raise AssertionError(f"not a one-line error: {error}") from error
    else:
        if read_manifest(encode_manifest(manifest)) != manifest:
            raise AssertionError("reads otherwise than it is written")
    try:
        parse_labels(data.decode("utf-8", "replace"))
    except BundleError as error:
        if "\n" in str(error):
            raise AssertionError(f"not a one-line error: {error}") from error


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
