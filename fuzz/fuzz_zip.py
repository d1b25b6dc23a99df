"""Fuzz target: any bytes are a zip bundle whose files verify, or a BundleError in one line."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edge_runtime", "zipfile"]):
    import zipfile  # noqa: F401

    from edge_runtime.bundle.bundle import Bundle
    from edge_runtime.common.errors import BundleError
    from edge_runtime.golden import verify_files

# Below TMPDIR: libFuzzer ends the process without a chance to clean up.
SCRATCH = Path(tempfile.mkdtemp()) / "bundle.zip"


def test_one_input(data: bytes) -> None:
    """Tries one input."""
    SCRATCH.write_bytes(data)
    try:
        verify_files(Bundle.open(SCRATCH))
    except BundleError as error:
        if "\n" in str(error) or "Received:" not in str(error):
            raise AssertionError(f"not a one-line error: {error}") from error


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
