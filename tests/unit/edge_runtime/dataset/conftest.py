"""Tiny pictures in every arrangement."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WriteClasses = Callable[[Path, Mapping[str, int]], Path]


def png(seed: int) -> bytes:
    """A 6x6 picture; another seed is another picture."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def picture() -> Callable[[int], bytes]:
    """Makes the bytes of a picture from a number."""
    return png


@pytest.fixture
def write_classes() -> WriteClasses:
    """Writes so many pictures into each class folder; every one differs from all others."""
    written = iter(range(1_000_000))

    def write(folder: Path, classes: Mapping[str, int]) -> Path:
        for name, count in classes.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            for place in range(count):
                (folder / name / f"{place}.png").write_bytes(png(next(written)))
        return folder

    return write
