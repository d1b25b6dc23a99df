"""Checks that the full model is used as it was trained, before anything is compared with it.

Two mistakes leave no trace: class names in another order than the model's outputs, and pixels in
another range than the model expects. Either puts the full model at chance, and any artifact then
passes in comparison. Which options can correct them depends on where the model comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edge_runtime.common.arrays import IntArray
from edge_runtime.common.errors import DataError, SnapshipError
from edge_runtime.common.progress import Progress
from edge_runtime.dataset import ImageSet
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array
from exporter.reference.class_order import ClassOrder, find_order, is_sorted, known_orders, undecided
from exporter.reference.reference_check import Standing, standing, standing_of
from exporter.source.external import look_at, prepared, scorer_of
from exporter.source.full_model import Source, load_source
from exporter.source.images import PixelTable
from exporter.source.input_range import RANGES, InputRange, check_range
from exporter.source.loaded_model import LoadedModel
from exporter.source.scoring import Scorer, full_scorer

WeakReference = Literal["error", "allow"]
"""What to do with a full model that is no better than guessing: nothing can be judged against it."""

CLEARLY_RIGHT = 1e-3
"""The message suggests another setting if a guesser does as well with at most this probability."""

_GUESS_IMAGES = 200
"""Images on which other input ranges are tried."""


@dataclass(frozen=True)
class ReferenceUse:
    """How the full model is used, and which options can change that.

    Attributes:
        file: Its file, for messages.
        cures: What to try, as the message says it.
        open_order: Whether the class names come only from the data, so that their order must be found.
        labels_option: The option that names the classes; None if the model has its own names.
        range_option: The option for the pixel range; None if it cannot be chosen.
        input_range: The pixel range in use.
        scorer: Scores with the same model in another range; None if the range cannot be chosen.
        resize_cure: How to choose ``--resize``, for example ``Pass``; None if it cannot be chosen.
    """

    file: str
    cures: str
    open_order: bool = False
    labels_option: str | None = None
    range_option: str | None = None
    input_range: InputRange = "0..255"
    scorer: Callable[[InputRange], Scorer] | None = None
    resize_cure: str | None = None


def order_is_open(images: ImageSet) -> bool:
    """Whether the order of a data set's classes depends on how a tool sorts their names.

    It does not for a published list, a ``labels.txt``, labels that are indices, or names that all
    tools sort alike.

    Args:
        images: The data, in its own order of classes.
    """
    numbered = images.native_size is not None
    return not numbered and is_sorted(images.labels) and len(known_orders(images.labels)) > 1


def settle_reference(
    scores: Float32Array,
    table: PixelTable,
    use: ReferenceUse,
    weak: WeakReference,
    progress: Progress,
) -> tuple[str, ...]:
    """Finds the order of the classes if it is open, and refuses a full model at chance.

    Args:
        scores: The full model's scores of the table, float32 ``[n, classes]``.
        table: The labelled images; relabelled in the order that was found.
        use: How the full model is used.
        weak: What to do with a full model at chance.
        progress: Progress callback.

    Returns:
        Notes for the user.

    Raises:
        DataError: The full model is not better than guessing, and that is not allowed.
        UsageError: The images do not settle the order of the classes.
    """
    found = find_order(scores, table.truth, table.images.labels) if use.open_order else None
    if found is not None:
        table.relabel((found.settled or found.best).labels)
    if weak == "error":
        _refuse_weak(scores, table, use, progress)
    if found is not None and found.settled is None:
        raise undecided(found, file=use.file, source=table.images.source, images=len(table.truth))
    if found is None or len(found.accuracies) == 1:
        return ()
    return (found.note(use.file, len(table.truth)),)


def _refuse_weak(scores: Float32Array, table: PixelTable, use: ReferenceUse, progress: Progress) -> None:
    found = standing(scores, table.truth)
    if found.above_chance:
        return
    if found.too_few:
        raise DataError(
            "A full model can only be told from a guesser on enough labelled images. Received: "
            f"{found.images} images of {found.classes} {'class' if found.classes == 1 else 'classes'} in "
            f"{table.images.source}; a guesser can name all of them right with a probability of "
            f"{_percent(found.best_p_value)}, over 5 %. Pass more labelled images, or --weak-reference allow."
        )
    progress("looking for the settings of the full model", 0, 0)
    hint = _better_guess(scores, table, use, progress)
    more = "more images, " if found.balanced_accuracy > found.chance else ""
    raise DataError(
        "A full model must be right more often than a guesser that never looks at the image. Received: "
        f"{use.file} with a balanced accuracy of {100 * found.balanced_accuracy:.2f} % on {found.images} "
        f"images of {found.classes} classes, where guessing gives {100 * found.chance:.2f} % and does as well "
        f"with a probability of up to {_percent(found.p_value)}. {hint}{use.cures}, {more}"
        "or --weak-reference allow."
    )


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f} %" if probability >= 0.1 else f"{100 * probability:.1f} %"


def _better_guess(scores: Float32Array, table: PixelTable, use: ReferenceUse, progress: Progress) -> str:
    """The settings that are clearly right, as a sentence and a space; empty if there are none."""
    names = table.images.labels
    orders: list[ClassOrder | None] = [None]
    if use.labels_option is not None:
        orders += [order for order in known_orders(names) if order.labels != names]
    rows = balanced_rows(table.truth, _GUESS_IMAGES)
    others = _other_ranges(np.asarray(table.pixels[rows]), use, progress)
    tries: list[tuple[InputRange | None, Float32Array, IntArray]] = [
        (None, scores, table.truth),
        *((name, found, table.truth[rows]) for name, found in others),
    ]
    best: tuple[Standing, InputRange | None, ClassOrder | None] | None = None
    for name, found, truth in tries:
        answers = found.argmax(axis=1)
        for order in orders:
            wanted = truth if order is None else order.indices(truth, names)
            now = standing_of(answers == wanted, wanted)
            if now.p_value <= CLEARLY_RIGHT and (
                best is None or now.balanced_accuracy > best[0].balanced_accuracy
            ):
                best = now, name, order
    if best is None:
        return ""
    now, name, order = best
    parts = [f"{use.range_option} {name}"] if name is not None else []
    parts += [f"{use.labels_option} {order}"] if order is not None else []
    return f"With {' and '.join(parts)} it would be right on {100 * now.balanced_accuracy:.0f} %. "


def _other_ranges(
    pixels: UInt8Array, use: ReferenceUse, progress: Progress
) -> list[tuple[InputRange, Float32Array]]:
    """Scores of the sampled images in every other pixel range."""
    if use.scorer is None:
        return []
    found = []
    for name in map(check_range, RANGES):
        if name == use.input_range:
            continue
        try:
            scores = use.scorer(name)(pixels, progress, f"trying pixels in {name}")
        except SnapshipError:
            # A quantized input that cannot hold the range, or imagenet with one channel.
            continue
        if np.isfinite(scores).all():
            found.append((name, scores))
    return found


def balanced_rows(truth: IntArray, count: int) -> IntArray:
    """Up to ``count`` rows, as equally spread over the classes as they allow, in ascending order.

    Args:
        truth: True class indices, int64 ``[n]``.
        count: How many.
    """
    order = np.argsort(truth, kind="stable")
    starts = np.r_[0, np.flatnonzero(np.diff(truth[order])) + 1]
    sizes = np.diff(np.r_[starts, len(order)])
    turns = np.arange(len(order)) - np.repeat(starts, sizes)
    rows: IntArray = np.sort(order[np.argsort(turns, kind="stable")[:count]])
    return rows


def use_of_run(run: Path) -> ReferenceUse:
    """A run's model, which has its labels and takes raw pixels.

    Args:
        run: The run folder.
    """
    return ReferenceUse(str(run), "Pass --data with images like those it was trained on, train it longer")


def use_of_source(source: Source, input_range: InputRange, *, open_order: bool) -> ReferenceUse:
    """The source of an export.

    Args:
        source: The source.
        input_range: The pixel range it expects.
        open_order: Whether the order of its classes must be found.
    """
    cures = "Pass --labels or --input-range as the model was trained"
    return _use(source, input_range, cures, None if source.brings_pixels else "Pass", open_order)


def use_of_bundle(source: Source, input_range: InputRange) -> ReferenceUse:
    """The full model of a bundle: its labels and range were settled by the export.

    Args:
        source: The full model.
        input_range: The pixel range it expects.
    """
    cures = "Export it again with --labels or --input-range as the model was trained, pass other --data"
    return _use(source, input_range, cures, "Export it again with")


def _use(
    source: Source, input_range: InputRange, cures: str, resize_cure: str | None, open_order: bool = False
) -> ReferenceUse:
    if source.run is not None:
        return use_of_run(source.run)
    return ReferenceUse(
        source.file.name,
        cures,
        open_order=open_order,
        labels_option="--labels",
        range_option="--input-range",
        input_range=input_range,
        scorer=lambda name: full_scorer(load_source(source, name)),
        resize_cure=resize_cure,
    )


def use_of_file(model: LoadedModel, spec: InputSpec, open_order: bool, *, own: bool = False) -> ReferenceUse:
    """Any model file as the reference of a check.

    Args:
        model: The file.
        spec: The pixels that it is given.
        open_order: Whether the order of its classes must be found.
        own: Whether one of the two models is our own and defines its preprocessing.
    """
    return ReferenceUse(
        model.path.name,
        "Pass --labels, --input-range or --reference-range as the model was trained",
        open_order=open_order,
        labels_option="--labels",
        # --input-range applies to the candidate too.
        range_option="--reference-range",
        input_range=model.input_range,
        scorer=lambda name: scorer_of(prepared(look_at(model.path, name), spec)),
        resize_cure=None if own else "Pass",
    )
