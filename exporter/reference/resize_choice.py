"""Which resize filter an external model was trained with, as far as labelled images can tell.

The gate cannot see it: the full model and its artifacts get the same pixels, however wrong. So the full
model is scored on the same images with both filters, and the two are compared image by image::

    gained, lost    images it gets right only with the other filter, only with the present one
    clear           p at most 0.05 in a two-sided exact sign test; otherwise the images do not decide
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from edge_runtime.common.arrays import IntArray
from edge_runtime.common.progress import Progress
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import InputSpec, Resize
from exporter.reference.class_order import sign_p_value
from exporter.reference.usage_check import ReferenceUse, balanced_rows
from exporter.source.images import PixelTable, decode_table
from exporter.source.scoring import Scorer

CLEAR = 0.05
"""Largest p-value at which one filter counts as better."""

MOST_IMAGES = 2_000
"""Images on which both are tried: enough to see a difference of one point."""


@dataclass(frozen=True)
class ResizesCompared:
    """The same images with both filters.

    Attributes:
        present: The filter in use.
        images: Number of images.
        changed: Images with another answer.
        gained: Images the model gets right only with the other filter.
        lost: Images it gets right only with the present one.
    """

    present: Resize
    images: int
    changed: int
    gained: int
    lost: int

    @property
    def other(self) -> Resize:
        """The filter not in use."""
        return other_resize(self.present)

    @property
    def p_value(self) -> float:
        """Two-sided exact sign test, 0..1."""
        high, low = max(self.gained, self.lost), min(self.gained, self.lost)
        return min(1.0, 2.0 * sign_p_value(high, low))

    @property
    def suits(self) -> Resize | None:
        """The filter that is clearly right more often; None if the images do not decide."""
        if self.p_value > CLEAR:
            return None
        return self.other if self.gained > self.lost else self.present

    def note(self, file: str, cure: str) -> str:
        """Which filter fits, in one sentence, and what to do if it is the other one.

        Args:
            file: The model's file.
            cure: What to put before the option, for example ``Pass``.
        """
        better, worse = self.present, self.other
        if self.gained >= self.lost:
            better, worse = worse, better
        more, high, low = abs(self.gained - self.lost), *sorted((self.gained, self.lost), reverse=True)
        counts = (
            f"({high} only with {better}, {low} only with {worse}, p = {self.p_value:.2g}; "
            f"{self.changed} answers differ)"
        )
        if self.suits is None:
            found = f"right on {more} more with {better}" if more else "right on as many with either"
            return f"{self.images} images do not tell which resize suits {file}: {found} {counts}"
        found = (
            f"{better} resizing suits {file}: right on {more} more of {self.images} images than with "
            f"{worse} {counts}"
        )
        return f"{found}. {cure} --resize {better}." if better == self.other else found


def other_resize(present: Resize) -> Resize:
    """The other filter."""
    return "antialiased" if present == "plain" else "plain"


def resize_notes(
    scores: Float32Array,
    table: PixelTable,
    input: InputSpec,
    scorer: Scorer,
    use: ReferenceUse,
    progress: Progress,
) -> tuple[str, ...]:
    """The result of :func:`compare_resizes` in words; empty for our own models.

    Args:
        scores: The full model's scores of the table, float32 ``[n, classes]``.
        table: Labelled images, in the order of its classes.
        input: Its input, as the table was decoded.
        scorer: Scores with the full model.
        use: How the full model is used.
        progress: Progress callback.
    """
    if use.resize_cure is None:
        return ()
    found = compare_resizes(scores, table, input, scorer, progress)
    return () if found is None else (found.note(use.file, use.resize_cure),)


def compare_resizes(
    scores: Float32Array, table: PixelTable, input: InputSpec, scorer: Scorer, progress: Progress
) -> ResizesCompared | None:
    """Scores the same images with the other resize filter.

    Args:
        scores: Its scores of the table, float32 ``[n, classes]``.
        table: Labelled images, in the order of its classes.
        input: Its input, as the table was decoded.
        scorer: Scores with it.
        progress: Progress callback.

    Returns:
        None if no image has other pixels: all have the model's size.
    """
    rows = balanced_rows(table.truth, MOST_IMAGES)
    chosen = replace(table.images, items=tuple(table.images.items[row] for row in rows))
    name = other_resize(input.resize)
    with decode_table(
        chosen,
        msgspec.structs.replace(input, resize=name),
        progress=progress,
        step=f"decoding with {name} resizing",
    ) as other:
        if len(other.truth) != len(rows) or not _differ(table, rows, other):
            return None
        found = scorer(other.pixels, progress, f"scoring with {name} resizing").argmax(axis=1)
    present, truth = scores[rows].argmax(axis=1), table.truth[rows]
    return ResizesCompared(
        present=input.resize,
        images=len(rows),
        changed=int(np.sum(found != present)),
        gained=int(np.sum((found == truth) & (present != truth))),
        lost=int(np.sum((found != truth) & (present == truth))),
    )


def _differ(table: PixelTable, rows: IntArray, other: PixelTable) -> bool:
    return any(not np.array_equal(table.pixels[row], other.pixels[at]) for at, row in enumerate(rows))
