"""Prediction flips: images whose answer changed, with the scores of both models."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from exporter.images import PixelTable
from exporter.judging import Judgement

MOST_FLIPS = 24
_THUMBNAIL_PIXELS = 112
_TOP = 3

Outcome = Literal["lost", "won", "other"]
_ORDER: tuple[Outcome, ...] = ("lost", "won", "other")


@dataclass(frozen=True)
class Score:
    """A line of a score list.

    Attributes:
        label: The class.
        score: Its score, 0..1.
        right: Whether it is the true class.
    """

    label: str
    score: float
    right: bool


@dataclass(frozen=True)
class Flip:
    """One image on one artifact.

    Attributes:
        artifact: Its name.
        ref: The image.
        truth: The true class.
        outcome: ``lost``: only the full model is right; ``won``: only the artifact is.
        picture: The image as the models saw it, as a data URL.
        before: The full model's best scores.
        after: The artifact's best scores.
    """

    artifact: str
    ref: str
    truth: str
    outcome: Outcome
    picture: str
    before: tuple[Score, ...]
    after: tuple[Score, ...]


def flips(found: Judgement, table: PixelTable) -> tuple[list[Flip], int]:
    """Lists the images whose answer changed: lost ones first, most confident first.

    Args:
        found: The judged artifacts.
        table: The images.

    Returns:
        Up to :data:`MOST_FLIPS` of them, and the total number.
    """
    truth, before = table.truth, found.reference.argmax(axis=1)
    ranked: list[tuple[int, float, str, int]] = []
    for name, scores in found.scores.items():
        after = scores.argmax(axis=1)
        for row in np.flatnonzero(after != before):
            rank = _ORDER.index(_outcome(int(before[row]), int(after[row]), int(truth[row])))
            ranked.append((rank, -float(scores[row].max()), name, int(row)))
    ranked.sort(key=lambda entry: entry[:2])
    labels = table.images.labels
    shown = [
        Flip(
            artifact=name,
            ref=table.images.items[row].ref,
            truth=labels[truth[row]],
            outcome=_ORDER[rank],
            picture=thumbnail(table.pixels[row]),
            before=_best(found.reference[row], labels, int(truth[row])),
            after=_best(found.scores[name][row], labels, int(truth[row])),
        )
        for rank, _, name, row in ranked[:MOST_FLIPS]
    ]
    return shown, len(ranked)


def _outcome(was: int, now: int, true: int) -> Outcome:
    if now == true:
        return "won"
    return "lost" if was == true else "other"


def _best(scores: Float32Array, labels: tuple[str, ...], true: int) -> tuple[Score, ...]:
    order = np.argsort(-scores, kind="stable")[:_TOP]
    return tuple(Score(labels[place], float(scores[place]), int(place) == true) for place in order)


def thumbnail(pixels: UInt8Array) -> str:
    """What the model saw, as a data URL.

    Args:
        pixels: uint8 ``[height, width, 1 or 3]``.
    """
    array = np.asarray(pixels)
    picture = Image.fromarray(array if array.shape[2] == 3 else array[:, :, 0])
    small = picture.width < _THUMBNAIL_PIXELS
    picture = picture.resize(
        (_THUMBNAIL_PIXELS, max(1, _THUMBNAIL_PIXELS * picture.height // picture.width)),
        Image.Resampling.NEAREST if small else Image.Resampling.BILINEAR,
    )
    stored = io.BytesIO()
    if picture.mode == "RGB":
        picture.save(stored, "JPEG", quality=80)
        return f"data:image/jpeg;base64,{base64.b64encode(stored.getvalue()).decode()}"
    picture.save(stored, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stored.getvalue()).decode()}"
