"""Fuzz target: any bytes are pixels of the model's shape, or an ImageError in one line."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["edge_runtime", "PIL"]):
    from edge_runtime.common.errors import ImageError
    from edge_runtime.image.input_spec import InputSpec
    from edge_runtime.image.preprocess import pixels

SPECS = (
    InputSpec(8, 8),
    InputSpec(5, 7, 1, "crop"),
    InputSpec(6, 5, 3, "crop", "plain"),
    InputSpec(4, 9, 1, resize="plain"),
)


def test_one_input(data: bytes) -> None:
    """Tries one input."""
    for spec in SPECS:
        try:
            found = pixels(data, spec, max_pixels=1_000_000)
        except ImageError as error:
            if "\n" in str(error) or "Received:" not in str(error):
                raise AssertionError(f"not a one-line error: {error}") from error
        else:
            if found.shape != spec.shape:
                raise AssertionError(f"shape {found.shape}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
