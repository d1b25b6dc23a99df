"""Images for the pages: mistakes, close calls and correct answers, and their pictures as data URIs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.common.html_page import data_uri, fitted
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from trainer.analysis.layers import FeatureMaps, Filters
from trainer.core.cache import Int64Array
from trainer.evaluation.metrics import ScoredImages

ALL_CLASSES = 10
"""Maximum number of classes for which every score is shown; with more, the best and the true class."""

_BEST = 5

SIDE = 144
"""Longest side of a picture, in pixels."""

_TILE, _GAP = 56, 2
_ACROSS = 8
_QUALITY = 78


@dataclass(frozen=True)
class ScoreBar:
    """The score of one class; ``true`` marks the true class."""

    label: str
    score: float
    true: bool


@dataclass(frozen=True)
class Case:
    """One image.

    Attributes:
        image: Data URI of the image at the model's input size.
        ref: Its name.
        truth: The true class; None if unknown.
        answer: The predicted class.
        score: Its score, 0..1.
        margin: Difference to the second best score, 0..1.
        bars: Scores, best first.
        hidden: Number of classes whose scores are not shown.
    """

    image: str
    ref: str
    truth: str | None
    answer: str
    score: float
    margin: float
    bars: tuple[ScoreBar, ...]
    hidden: int


def case(
    image: UInt8Array, ref: str, scores: Float32Array, labels: tuple[str, ...], truth: int | None
) -> Case:
    """Describes one image.

    Args:
        image: uint8 ``[height, width, channels]``.
        ref: Its name.
        scores: float32 ``[classes]``.
        labels: Class names.
        truth: Index of the true class; None if unknown.
    """
    order = [int(place) for place in np.argsort(-scores, kind="stable")]
    shown = order if len(labels) <= ALL_CLASSES else order[:_BEST]
    if truth is not None and truth not in shown:
        shown = [*shown, truth]
    return Case(
        image=thumbnail(image),
        ref=ref,
        truth=None if truth is None else labels[truth],
        answer=labels[order[0]],
        score=float(scores[order[0]]),
        margin=float(scores[order[0]] - scores[order[1]]) if len(order) > 1 else 1.0,
        bars=tuple(ScoreBar(labels[place], float(scores[place]), place == truth) for place in shown),
        hidden=len(labels) - len(shown),
    )


def cases(scored: ScoredImages, places: Int64Array) -> tuple[Case, ...]:
    """Describes some images of a scored set.

    Args:
        scored: The images with their scores.
        places: Indices of the images.
    """
    return tuple(
        case(scored.pixels(int(place)), scored.refs[place], scored.scores[place], scored.labels,
             int(scored.targets[place]))
        for place in places
    )  # fmt: skip


def surest_mistakes(scores: Float32Array, targets: Int64Array, count: int) -> Int64Array:
    """Returns the indices of wrong answers, the most confident first.

    Args:
        scores: float32 ``[n, classes]``.
        targets: int64 ``[n]``.
        count: Maximum number of indices.
    """
    wrong = np.flatnonzero(scores.argmax(axis=1) != targets)
    return wrong[np.argsort(-scores[wrong].max(axis=1), kind="stable")][:count]


def closest_calls(scores: Float32Array, count: int) -> Int64Array:
    """Returns the indices of the smallest gaps between the two best scores, correct or not.

    Args:
        scores: float32 ``[n, classes]``.
        count: Maximum number of indices.
    """
    if scores.shape[1] < 2:
        return np.zeros(0, np.int64)
    best = np.partition(scores, -2, axis=1)[:, -2:]
    return np.argsort(best[:, 1] - best[:, 0], kind="stable")[:count]


def surest_right(scores: Float32Array, targets: Int64Array, count: int) -> Int64Array:
    """Returns the indices of correct answers: the most confident of each class first, then the others.

    Args:
        scores: float32 ``[n, classes]``.
        targets: int64 ``[n]``.
        count: Maximum number of indices.
    """
    right = np.flatnonzero(scores.argmax(axis=1) == targets)
    ranked = right[np.argsort(-scores[right].max(axis=1), kind="stable")]
    _, first = np.unique(targets[ranked], return_index=True)
    leaders = ranked[np.sort(first)]
    rest = ranked[~np.isin(ranked, leaders)]
    return np.concatenate([leaders, rest])[:count]


def thumbnail(image: UInt8Array) -> str:
    """Returns the model's input as a picture: an enlarged PNG for tiny inputs, else a JPEG.

    Args:
        image: uint8 ``[height, width, 1 or 3]``.
    """
    picture: Any = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    tiny = max(picture.size) < SIDE // 2
    picture = fitted(picture, SIDE)
    return data_uri(picture, "PNG", optimize=True) if tiny else data_uri(picture, quality=_QUALITY)


def heat_overlay(image: UInt8Array, heat: Float32Array) -> str:
    """Returns a gray copy of an image under the colours of a heat map.

    Args:
        image: uint8 ``[height, width, 1 or 3]``.
        heat: float32 ``[rows, columns]``, 0 and above; scaled to its own maximum.
    """
    from matplotlib import colormaps

    picture: Any = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    picture = fitted(picture.convert("L"), SIDE)
    peak = float(heat.max())
    scaled = heat / peak if peak > 0 else heat
    small = Image.fromarray(np.asarray(scaled, np.float32))
    share = np.clip(np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC)), 0, 1)
    colour = colormaps["inferno"](share)[..., :3] * 255
    gray = np.asarray(picture, np.float32)[..., None]
    weight = (0.25 + 0.5 * share)[..., None]
    mixed = gray * (1 - weight) + colour * weight
    return data_uri(Image.fromarray(np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)), quality=_QUALITY)


def map_strip(maps: FeatureMaps) -> str:
    """Returns the channels of a layer side by side, each scaled from black to white.

    Args:
        maps: Feature maps of a layer.
    """
    count = len(maps.maps)
    rows, columns = maps.maps.shape[1:]
    height = max(8, round(_TILE * rows / max(rows, columns)))
    width = max(8, round(_TILE * columns / max(rows, columns)))
    sheet = Image.new("L", (count * (width + _GAP) - _GAP, height), 128)
    for place, values in enumerate(maps.maps):
        low, high = float(values.min()), float(values.max())
        tile = Image.fromarray(np.rint(255 * (values - low) / max(high - low, 1e-12)).astype(np.uint8))
        how = Image.Resampling.NEAREST if columns < width else Image.Resampling.BILINEAR
        sheet.paste(tile.resize((width, height), how), (place * (width + _GAP), 0))
    return data_uri(sheet, quality=_QUALITY)


def filter_sheet(filters: Filters) -> str:
    """Returns all kernels in rows.

    Args:
        filters: The filters of the first layer.
    """
    count, height, width, channels = filters.pictures.shape
    factor = max(1, 28 // max(height, width))
    tile = (width * factor, height * factor)
    rows, across = -(-count // _ACROSS), min(_ACROSS, count)
    size = (across * (tile[0] + _GAP) - _GAP, rows * (tile[1] + _GAP) - _GAP)
    sheet = Image.new("RGBA", size, (0, 0, 0, 0))
    for place, kernel in enumerate(filters.pictures):
        picture = Image.fromarray(kernel[:, :, 0] if channels == 1 else kernel).convert("RGBA")
        corner = (place % across * (tile[0] + _GAP), place // across * (tile[1] + _GAP))
        sheet.paste(picture.resize(tile, Image.Resampling.NEAREST), corner)
    return data_uri(sheet, "PNG", optimize=True)
