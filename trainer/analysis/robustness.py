"""Robustness: accuracy on images with blur, noise and other corruptions, in five severities.

The families follow ImageNet-C (Hendrycks and Dietterich 2019, arXiv 1903.12261); the amounts
are our own. Lengths are shares of the side, so that a severity means the same at 28 and at
224 pixels.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from edge_runtime.common.errors import UsageError
from edge_runtime.image.preprocess import UInt8Array
from trainer.core.cache import Int64Array
from trainer.evaluation.metrics import ScoredImages, top1
from trainer.progress import Event, Progress, silent

SEVERITIES = (1, 2, 3, 4, 5)
"""0 is the unchanged image."""

FEWEST_IMAGES = 30
"""With fewer images a curve is mostly noise."""

_CHUNK = 64
_LEAST_BLUR_PIXELS = 0.35
Change = Callable[[UInt8Array, float, np.random.Generator], UInt8Array]


@dataclass(frozen=True)
class RobustnessCurve:
    """Accuracy under one family of corruptions.

    Attributes:
        family: Name of the family.
        amounts: The amount at each severity, as text.
        top1: Top-1 accuracy at each severity, 0..1.
    """

    family: str
    amounts: tuple[str, ...]
    top1: tuple[float, ...]


@dataclass(frozen=True)
class Robustness:
    """Accuracy under every family.

    Attributes:
        images: Number of images, drawn evenly from the classes.
        severities: The severities measured, of 1 to 5.
        clean: Top-1 accuracy on the same images unchanged, 0..1.
        curves: One per family.
    """

    images: int
    severities: tuple[int, ...]
    clean: float
    curves: tuple[RobustnessCurve, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Corruption:
    """One family of corruptions.

    Attributes:
        name: Its name everywhere.
        amounts: The amount for each severity, 1 to 5.
        unit: Format string of an amount, with its unit.
        change: Applies an amount to uint8 ``[height, width, channels]``.
    """

    name: str
    amounts: tuple[float, ...]
    unit: str
    change: Change

    def amount_text(self, severity: int) -> str:
        """Returns the amount of a severity with its unit.

        Args:
            severity: 1 to 5.
        """
        return self.unit.format(self.amounts[severity - 1])


def measure_robustness(
    scored: ScoredImages,
    *,
    images: int = 200,
    severities: Sequence[int] = SEVERITIES,
    progress: Progress = silent,
) -> Robustness:
    """Measures the accuracy on corrupted copies of some images.

    Args:
        scored: Images and the model.
        images: Maximum number of images.
        severities: The severities to measure, of 1 to 5.
        progress: Progress callback, called for every batch.
    """
    chosen = spread_over_classes(scored.targets, images)
    targets = scored.targets[chosen]
    tasks = list(product(CORRUPTIONS, severities, chosen.tolist()))
    progress(Event("robustness", 0, len(tasks), f"robustness: {len(tasks)} corrupted images"))
    answers = np.empty(len(tasks), np.int64)
    for start in range(0, len(tasks), _CHUNK):
        part = tasks[start : start + _CHUNK]
        batch = np.stack(
            [corrupted(scored.pixels(place), family, severity, place) for family, severity, place in part]
        )
        answers[start : start + len(batch)] = _answers(scored, batch, whole=start > 0)
        progress(Event("robustness", start + len(batch), len(tasks)))
    right = answers.reshape(len(CORRUPTIONS), len(severities), len(chosen)) == targets
    curves = tuple(
        RobustnessCurve(
            family.name,
            tuple(family.amount_text(severity) for severity in severities),
            tuple(float(share) for share in shares),
        )
        for family, shares in zip(CORRUPTIONS, right.mean(axis=2), strict=True)
    )
    return Robustness(len(chosen), tuple(severities), top1(scored.scores[chosen], targets), curves)


def seconds_per_image(scored: ScoredImages) -> float:
    """Measures how many seconds one severity of every family takes per image.

    Args:
        scored: Images and the model.
    """
    images = np.stack([scored.pixels(place) for place in range(min(_CHUNK, len(scored.targets)))])
    started = time.monotonic()
    for family in CORRUPTIONS:
        corrupted(images[0], family, 3, 0)
    changing = time.monotonic() - started
    started = time.monotonic()
    scored.predict(images)
    return changing + len(CORRUPTIONS) * (time.monotonic() - started) / len(images)


def corrupted(image: UInt8Array, family: Corruption, severity: int, seed: int) -> UInt8Array:
    """Corrupts an image.

    Args:
        image: uint8 ``[height, width, 1 or 3]``.
        family: One of :data:`CORRUPTIONS`.
        severity: 0 to 5; 0 returns the image itself.
        seed: Seed of the noise and of the direction of a rotation or shift. With the same seed a
            higher severity is more of the same.

    Returns:
        uint8, the same shape.

    Raises:
        UsageError: ``severity`` is out of range.
    """
    if severity == 0:
        return image
    if severity not in SEVERITIES:
        raise UsageError(f"severity must be 0 to 5. Received: {severity}. Choose one of these.")
    return family.change(image, family.amounts[severity - 1], np.random.default_rng(seed))


def spread_over_classes(targets: Int64Array, count: int) -> Int64Array:
    """Draws images evenly from the classes.

    Takes one image of each class in turn until there are enough; a class that runs out is
    skipped.

    Args:
        targets: int64 ``[n]``, the true classes.
        count: Maximum number of images.

    Returns:
        Indices into ``targets``, int64, ascending.
    """
    random = np.random.default_rng(0)
    order = random.permutation(len(targets))
    # The turn in which each image is taken.
    turn = np.empty(len(targets), np.int64)
    seen: dict[int, int] = {}
    for place in order:
        label = int(targets[place])
        turn[place] = seen.get(label, 0)
        seen[label] = turn[place] + 1
    chosen = order[np.argsort(turn[order], kind="stable")][:count]
    return np.sort(chosen).astype(np.int64)


def _answers(scored: ScoredImages, batch: UInt8Array, whole: bool) -> Int64Array:
    """Predicted classes of a batch; ``whole`` pads it, since Keras compiles again for another shape."""
    count = len(batch)
    if whole and scored.model is not None and count < _CHUNK:
        batch = np.concatenate([batch, np.repeat(batch[-1:], _CHUNK - count, axis=0)])
    answers: Int64Array = scored.predict(batch)[:count].argmax(axis=1).astype(np.int64)
    return answers


def _blur(image: UInt8Array, amount: float, random: np.random.Generator) -> UInt8Array:
    """Gaussian blur of at least a third of a pixel, below which Pillow changes nothing."""
    radius = float(np.hypot(amount * min(image.shape[:2]), _LEAST_BLUR_PIXELS))
    return _through_pillow(image, lambda picture: picture.filter(ImageFilter.GaussianBlur(radius)))


def _scale(image: UInt8Array, amount: float, random: np.random.Generator) -> UInt8Array:
    return _clipped(image * np.float32(amount))


def _jpeg(image: UInt8Array, amount: float, random: np.random.Generator) -> UInt8Array:
    def encode(picture: Any) -> Any:
        stored = io.BytesIO()
        picture.save(stored, "JPEG", quality=int(amount))
        return Image.open(stored)

    return _through_pillow(image, encode)


def _rotate(image: UInt8Array, amount: float, random: np.random.Generator) -> UInt8Array:
    """Corners are filled with the mirrored image: black ones would be a corruption of their own."""
    angle = amount * random.choice((-1.0, 1.0))
    height, width = image.shape[:2]
    margin = max(height, width) // 2
    wide = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    turned = _through_pillow(wide, lambda picture: picture.rotate(angle, Image.Resampling.BILINEAR))
    return np.ascontiguousarray(turned[margin : margin + height, margin : margin + width])


def _noise(image: UInt8Array, amount: float, random: np.random.Generator) -> UInt8Array:
    return _clipped(image + np.float32(amount) * random.standard_normal(image.shape, np.float32))


def _shift(image: UInt8Array, amount: float, random: np.random.Generator) -> UInt8Array:
    """Shifts by whole pixels, at least one: fractions would blur."""
    directions = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    down, right = directions[int(random.integers(len(directions)))]
    height, width = image.shape[:2]
    steps = max(1, round(amount * min(height, width)))
    rows = np.clip(np.arange(height) - down * steps, 0, height - 1)
    columns = np.clip(np.arange(width) - right * steps, 0, width - 1)
    return np.ascontiguousarray(image[rows][:, columns])


def _through_pillow(image: UInt8Array, change: Callable[[Any], Any]) -> UInt8Array:
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    return np.array(change(picture), np.uint8).reshape(image.shape)


def _clipped(values: Any) -> UInt8Array:
    clipped: UInt8Array = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return clipped


CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption("blur", (0.004, 0.008, 0.014, 0.022, 0.032), "radius {:.1%} of the side", _blur),
    Corruption("darker", (0.8, 0.6, 0.45, 0.3, 0.2), "light x {:g}", _scale),
    Corruption("brighter", (1.25, 1.5, 1.9, 2.4, 3.0), "light x {:g}", _scale),
    Corruption("JPEG", (70, 45, 25, 12, 6), "quality {:g}", _jpeg),
    Corruption("rotation", (5, 10, 15, 22, 30), "{:g} degrees", _rotate),
    Corruption("noise", (8, 16, 28, 44, 64), "deviation {:g} of 255", _noise),
    Corruption("shift", (0.03, 0.06, 0.09, 0.13, 0.18), "{:.0%} of the side", _shift),
)
"""Every family, in the order of the plot."""
