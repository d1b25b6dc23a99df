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


@pytest.fixture
def table(tmp_path: Path, picture: Callable[[int], bytes]) -> Callable[..., Path]:
    """Writes a table beside 0.png to 8.png, three of each class; a line is made from path, class, number, place."""
    for place in range(9):
        (tmp_path / f"{place}.png").write_bytes(picture(place))

    def write(head: str, line: Callable[[str, str, int, int], str], name: str = "index.csv") -> Path:
        rows = [line(f"{n}.png", ("daisy", "rose", "tulip")[n // 3], n // 3, n % 3) for n in range(9)]
        path = tmp_path / name
        path.write_text("\n".join([head, *rows] if head else rows) + "\n", "utf-8")
        return path

    return write
