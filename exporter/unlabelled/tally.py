"""What answers say about one artifact: the verdict that stands whatever the other photos show.

Where two models give the same answer, a photo adds nothing to the images lost or won, whatever its label. So
the labels of the differing photos alone give the verdict of all labels. Of u photos without an answer, any may
be lost, won or neither; one more loss never helps and one more win never hurts, so two cases cover all others::

    pass          if it would pass with all u lost
    fail          if it would fail with all u won
    inconclusive  otherwise

Without any answer nothing is known to be lost, so it can pass and never fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from edge_runtime.common.arrays import IntArray
from exporter.statistics.gate import GateVerdict, images_needed, paired_interval
from exporter.statistics.gate_limits import gate_limits
from exporter.unlabelled.answers import Answer
from exporter.unlabelled.differing import Photo


@dataclass(frozen=True)
class Tally:
    """The differing images of one artifact, counted as often as they occur.

    Attributes:
        n: All images.
        margin: Largest drop that passes, in fractions of 1.
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        answered: Images with a label, lost and won among them.
        open: Copies of each photo that nobody has answered yet, most first.
        untold: Images whose label nobody can tell.
    """

    n: int
    margin: float
    lost: int
    won: int
    answered: int
    open: tuple[int, ...]
    untold: int

    def with_open(self, images: int) -> Tally:
        """Adds differing images that nobody was asked about.

        Args:
            images: How many.
        """
        return replace(self, untold=self.untold + images)

    @property
    def unanswered(self) -> int:
        """Images without a label."""
        return sum(self.open) + self.untold

    @property
    def verdict(self) -> GateVerdict:
        """The verdict that every way to label the other images gives."""
        return self._settled(self.lost, self.won, self.unanswered)

    def at_least(self) -> int | None:
        """The fewest further answers that can settle it; None if it is settled, or if no answers can."""
        # Nothing settles it sooner than answers that all speak for the same model.
        ends = [self._first(lambda told: (0, told)), self._first(lambda told: (told, 0))]
        return min((count for count in ends if count is not None), default=None)

    def about(self) -> int | None:
        """How many answers will settle it, if they go on like those so far; without any, if they change nothing."""
        seen = max(1, self.answered)
        return self._first(lambda told: (round(told * self.lost / seen), round(told * self.won / seen)))

    def reason(self) -> str:
        """The verdict in words."""
        points, rest = f"{100 * self.margin:g} points", self.unanswered
        if self.verdict == "pass":
            bound = paired_interval(self.lost + rest, self.won, self.n)[0]
            return f"a drop of {points} is excluded{_whatever(rest)}: at most {-100 * bound:.2f} (95 %)"
        if self.verdict == "fail":
            upper = paired_interval(self.lost, self.won + rest, self.n)[1]
            return f"it is worse by more than {points}{_whatever(rest)}: at least {-100 * upper:.2f} (95 %)"
        return f"{_images(self.n)} cannot tell whether the drop is below {points}; {self._prospect()}"

    def _prospect(self) -> str:
        """What would settle an open verdict."""
        if not self.unanswered:
            more = images_needed(self.lost, self.won, self.n, self.margin)
            return (
                f"about {more:,} images would decide"
                if more
                else "no number of images like these would decide"
            )
        least, about = self.at_least(), self.about()
        without = f"{_images(self.unanswered)} of {self.unanswered + self.answered} that differ have no label"
        if least is None:
            blocked = f", {self.untold} of them because nobody can tell" if self.untold else ""
            return f"{without}{blocked}, and no answers to these photos would settle it: pass more photos"
        far = f"{least:,} answer{'' if least == 1 else 's'} at least"
        if about is None:
            return f"{without}; {far} would settle it, and if they go on like this, more photos are needed"
        how = "if they go on like this" if self.answered else "if the differences turn out harmless"
        return f"{without}; {far}, and about {about:,} {how}, would settle it"

    def _settled(self, lost: int, won: int, open_: int) -> GateVerdict:
        return gate_limits(self.n, self.margin).settled(lost, won, open_)

    def _first(self, split: Callable[[int], tuple[int, int]]) -> int | None:
        """The fewest photos, those with most copies first, after which the verdict stands."""
        if self.verdict != "inconclusive":
            return None
        for count, told in enumerate(accumulate(self.open), start=1):
            lost, won = split(told)
            if self._settled(self.lost + lost, self.won + won, self.unanswered - told) != "inconclusive":
                return count
        return None


def tally(
    full: IntArray,
    artifact: IntArray,
    photos: Sequence[Photo],
    answers: Mapping[str, Answer],
    *,
    margin: float,
) -> Tally:
    """Counts what the answers say about one artifact.

    Args:
        full: The full model's answers, int64 ``[n]``.
        artifact: The artifact's.
        photos: The photos on which any artifact differs.
        answers: By the ``sha256`` of a photo.
        margin: Largest drop that passes, in fractions of 1.
    """
    lost = won = answered = untold = 0
    open_ = []
    for photo in photos:
        rows = photo.rows[full[photo.rows] != artifact[photo.rows]]
        if not len(rows):
            continue
        answer = answers.get(photo.sha256)
        if answer is None:
            open_.append(len(rows))
        elif answer == "(cannot tell)" or not (
            isinstance(answer, int) or _were_shown(photo, rows, full, artifact)
        ):
            untold += len(rows)
        else:
            # The words add nothing: neither model is right, or both are.
            answered += len(rows)
            lost += int(np.sum(full[rows] == answer)) if isinstance(answer, int) else 0
            won += int(np.sum(artifact[rows] == answer)) if isinstance(answer, int) else 0
    return Tally(len(full), margin, lost, won, answered, tuple(sorted(open_, reverse=True)), untold)


def _were_shown(photo: Photo, rows: IntArray, full: IntArray, artifact: IntArray) -> bool:
    """Whether "neither" and "both" were said of these answers: other kernels may name a class that nobody saw."""
    return set(full[rows]) | set(artifact[rows]) <= set(photo.classes)


def _whatever(rest: int) -> str:
    """That the images without an answer do not matter."""
    if not rest:
        return ""
    return f", whatever the {rest:,} differing image{'' if rest == 1 else 's'} without a label show"


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"
