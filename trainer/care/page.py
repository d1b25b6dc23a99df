"""The page of the data checks, with copies side by side; opens offline."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from edge_runtime.atomic_file import write_whole
from edge_runtime.dataset import ImageSet
from edge_runtime.dataset.imageset import Item
from edge_runtime.errors import SnapshipError
from edge_runtime.pages import render_page
from edge_runtime.preprocess import decoded
from trainer.care.duplicates import ImagePair
from trainer.care.report import DataReport

MOST_PAIRS = 100
"""Maximum number of pairs shown per kind; each takes about 20 kB."""

_SIDE = 240


@dataclass(frozen=True)
class Shown:
    """A pair with its pictures as data URIs."""

    pair: ImagePair
    first: str
    second: str


def write_page(path: str | os.PathLike[str], report: DataReport, images: ImageSet) -> None:
    """Writes the page atomically.

    Args:
        path: The file to create or replace.
        report: The findings.
        images: The data set, to read the images from.

    Raises:
        EnvironmentMissingError: Jinja2 is not installed.
        UsageError: The file cannot be written.
    """
    items = {item.ref: item for item in images.items}
    sections = [
        (title, words, _shown(pairs, images, items), max(0, len(pairs) - MOST_PAIRS))
        for title, words, pairs in (
            ("Leaks", "Val images that are also in train.", report.leaks),
            ("Conflicts", "The same image under two labels.", report.conflicts),
            ("Copies", "Copies in the same class and split.", report.repeats),
        )
        if pairs
    ]
    val = sum(entry.val for entry in report.classes)
    largest = max((entry.train for entry in report.classes), default=1)
    values = {"report": report, "sections": sections, "val": val, "largest": largest}
    template = Path(__file__).parent / "templates" / "data.html"
    text = render_page(template, values, purpose="The data report", extra="train")
    write_whole(Path(path), text, "--report")


def _shown(pairs: Sequence[ImagePair], images: ImageSet, items: Mapping[str, Item]) -> list[Shown]:
    return [
        Shown(pair, *(_data_uri(images, items[picture.ref]) for picture in (pair.first, pair.second)))
        for pair in pairs[:MOST_PAIRS]
    ]


def _data_uri(images: ImageSet, item: Item) -> str:
    """The upright image as a data URI; empty if its file no longer exists."""
    try:
        picture = decoded(images.read(item), 1 if images.gray else 3)
    except SnapshipError:
        return ""
    if max(picture.size) < _SIDE // 2:
        factor = _SIDE // max(picture.size)
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    else:
        picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
