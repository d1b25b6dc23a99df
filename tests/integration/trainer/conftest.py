"""Tiny photos to train on."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """Writes class folders of noisy pictures, one colour a class; names may hold a split."""

    def write(**counts: int) -> Path:
        random = np.random.default_rng(0)
        folder = tmp_path / "photos"
        for place, (name, count) in enumerate(counts.items()):
            path = folder / name.replace("__", "/")
            path.mkdir(parents=True)
            base = np.zeros((24, 24, 3), np.int64)
            base[..., place % 3] = 160
            for index in range(count):
                noise = np.clip(base + random.integers(0, 90, base.shape), 0, 255).astype(np.uint8)
                buffer = io.BytesIO()
                Image.fromarray(noise).save(buffer, "PNG")
                (path / f"{index}.png").write_bytes(buffer.getvalue())
        return folder

    return write
