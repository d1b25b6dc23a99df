"""Judging photos in ten views, so that a share of a few hundred photos is known more precisely.

int8 changes answers where the full model itself hesitates, which is random for one photo and averages out over
its views. Views of one photo are correlated, so ten count for less than ten photos.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageOps

from edge_runtime.dataset import open_dataset

AS_IS = "as-is"
"""Folder of the photos themselves among the views."""

MIDDLES = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Sides of the middle that is seen, in those of the photo; each is mirrored too."""


def in_views(data: Path, folder: Path, calibrates: Callable[[int, str], bool]) -> Path:
    """Writes an image set in which the photos that judge stand in ten views.

    Args:
        data: Any DATA of image files.
        folder: Where to; made.
        calibrates: Called with a photo's place in the set and its split: whether it goes to the
            calibration side, as it is; all others judge.

    Returns:
        A CSV of ``path,label,split``.
    """
    images = open_dataset(data)
    folder.mkdir()
    rows = [("path", "label", "split")]
    for place, item in enumerate(images.items):
        label, content = images.labels[item.label], images.read(item)
        if not isinstance(content, bytes):
            raise ValueError(f"The data must be image files. Received: {data}.")
        if calibrates(place, item.split):
            name = f"train/{place}{os.path.splitext(item.ref)[1]}"
            _file(folder, name).write_bytes(content)
            rows.append((name, label, "train"))
            continue
        for view, picture in views(Image.open(io.BytesIO(content)).convert("RGB")).items():
            name = f"{view}/{place}.png"
            picture.save(_file(folder, name), compress_level=1)
            rows.append((name, label, "val"))
    listed = folder / "images.csv"
    with listed.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return listed


def views(photo: Image.Image) -> dict[str, Image.Image]:
    """The ten views by name.

    Args:
        photo: RGB.
    """
    width, height = photo.size
    found = {}
    for share in MIDDLES:
        left, top = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
        middle = photo.crop((left, top, width - left, height - top))
        name = AS_IS if share == 1.0 else f"middle-{share}"
        found |= {name: middle, f"{name}-mirrored": ImageOps.mirror(middle)}
    return found


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    return path
