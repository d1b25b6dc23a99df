"""The findings about a data set, and what they mean for training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from trainer.data_checks.duplicates import ImagePair
from trainer.data_checks.sizes import Sizes

FEW_TRAIN = 20
"""With fewer train images a class is hardly learnt."""

FEW_VAL = 5
"""With fewer val images one answer changes the accuracy of a class by 20 points or more."""

MAX_IMBALANCE = 3.0
"""Ratio of the largest to the smallest class, in train images, from which to weight classes."""

MOST_GRAY = 0.5
"""Gray images are reported up to this share; above it, the data set itself is gray."""

Level = Literal["error", "warning", "note"]
"""``error``: metrics on this data would be wrong, or it cannot be used for training."""


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        kind: ``leak``, ``unreadable``, ``conflict``, ``repeat``, ``few``, ``imbalance``,
            ``size``, ``gray`` or ``blank``.
        level: Severity.
        count: Number of images; of classes for ``few`` and ``imbalance``.
        message: One line for people, with the cure.
    """

    kind: str
    level: Level
    count: int
    message: str


@dataclass(frozen=True)
class ClassCount:
    """Number of images of one class."""

    label: str
    train: int
    val: int


@dataclass(frozen=True)
class DataReport:
    """The result of :func:`trainer.data_checks.check_data`.

    Attributes:
        source: The data.
        images: Number of images that can be decoded.
        classes: The same per class.
        skipped: Files that are not part of the data set, as ``ref: reason``.
        unreadable: Images that cannot be decoded, as ``ref: reason``.
        refusal: Why training would refuse the data set; empty if it would not.
        leaks: Val images that are also in train.
        conflicts: Images with a copy in another class.
        repeats: Images with a copy in the same class and split.
        sizes: Sizes of the image files.
        input_size: Side of the model's input in pixels, by which sizes were judged.
        gray: Refs of images without colour in a data set that has colour.
        blank: Refs of images of a single brightness.
    """

    source: str
    images: int
    classes: tuple[ClassCount, ...]
    skipped: tuple[str, ...]
    unreadable: tuple[str, ...]
    refusal: str
    leaks: tuple[ImagePair, ...]
    conflicts: tuple[ImagePair, ...]
    repeats: tuple[ImagePair, ...]
    sizes: Sizes
    input_size: int
    gray: tuple[str, ...]
    blank: tuple[str, ...]

    @property
    def has_leak(self) -> bool:
        """Whether a val image is also in train."""
        return bool(self.leaks)

    @property
    def imbalance(self) -> float:
        """Ratio of train images in the largest class to those in the smallest non-empty one."""
        counts = [entry.train for entry in self.classes if entry.train]
        return max(counts) / min(counts) if counts else 1.0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the most severe first."""
        found = [*self._unreadable(), *self._copies(), *self._counts(), *self._pictures()]
        order = ("error", "warning", "note")
        return tuple(sorted(found, key=lambda finding: order.index(finding.level)))

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for JSON."""
        return {
            **asdict(self),
            "has_leak": self.has_leak,
            "imbalance": round(self.imbalance, 2),
            "findings": [asdict(finding) for finding in self.findings],
        }

    def _unreadable(self) -> list[Finding]:
        if self.refusal:
            return [Finding("unreadable", "error", len(self.unreadable), self.refusal)]
        if not self.unreadable:
            return []
        count = len(self.unreadable)
        text = f"{_images(count)} cannot be read and will be skipped, the first: {self.unreadable[0]}"
        return [Finding("unreadable", "warning", count, text)]

    def _copies(self) -> list[Finding]:
        found = []
        if self.leaks:
            count, val = len(self.leaks), sum(entry.val for entry in self.classes)
            text = (f"{count} of {_images(val, 'val')} {_are(count)} also in train (a leak), which makes val accuracy "
                    f"look better than it is: {_pair(self.leaks[0])}. Remove them from one of the splits.")  # fmt: skip
            found.append(Finding("leak", "error", count, text))
        if self.conflicts:
            first, count = self.conflicts[0], len(self.conflicts)
            text = (f"{_images(count)} {_have(count)} a copy under another label: {_pair(first)} "
                    f"({first.first.label}, {first.second.label}). Correct one of the labels.")  # fmt: skip
            found.append(Finding("conflict", "warning", count, text))
        if self.repeats:
            count = len(self.repeats)
            text = (f"{_images(count)} {_are(count)} a copy of another in the same class and split: "
                    f"{_pair(self.repeats[0])}. Training sees them twice.")  # fmt: skip
            found.append(Finding("repeat", "warning", count, text))
        return found

    def _counts(self) -> list[Finding]:
        found = []
        for side, least in (("train", FEW_TRAIN), ("val", FEW_VAL)):
            few = sorted((getattr(entry, side), entry.label) for entry in self.classes)
            few = [entry for entry in few if entry[0] < least]
            if few:
                names = ", ".join(f"{label} has {count}" for count, label in few[:3])
                more = f" and {len(few) - 3} more" if len(few) > 3 else ""
                text = (f"{len(few)} of {len(self.classes)} classes {_have(len(few))} fewer than {least} {side} "
                        f"images: {names}{more}. Add more.")  # fmt: skip
                found.append(Finding("few", "warning", len(few), text))
        if self.imbalance >= MAX_IMBALANCE:
            ordered = sorted((entry for entry in self.classes if entry.train), key=lambda entry: entry.train)
            text = (f"The largest class has {self.imbalance:.1f} times the train images of the smallest "
                    f"({ordered[-1].label} {ordered[-1].train:,}, {ordered[0].label} {ordered[0].train:,}). "
                    "Train with --class-weights balanced.")  # fmt: skip
            found.append(Finding("imbalance", "warning", len(self.classes), text))
        return found

    def _pictures(self) -> list[Finding]:
        found = []
        kinds: tuple[tuple[str, Level, str], ...] = (
            ("small", "warning", f"much smaller than the input of {self.input_size} pixels"),
            ("strip", "note", "more than 3 times as long as wide"),
        )
        for why, level, words in kinds:
            odd = [entry for entry in self.sizes.odd if entry.why == why]
            if odd:
                first = odd[0]
                text = (f"{len(odd)} of {_images(self.sizes.looked_at)} {_are(len(odd))} {words}: {first.ref} is "
                        f"{first.width}x{first.height}.")  # fmt: skip
                found.append(Finding("size", level, len(odd), text))
        if self.gray:
            text = f"{_images(len(self.gray))} {_have(len(self.gray))} no colour, unlike the others: {self.gray[0]}."
            found.append(Finding("gray", "note", len(self.gray), text))
        if self.blank:
            text = f"{_images(len(self.blank))} {_are(len(self.blank))} blank: {self.blank[0]}. Remove them."
            found.append(Finding("blank", "warning", len(self.blank), text))
        return found


def _pair(pair: ImagePair) -> str:
    how = "equal files" if pair.exact else "mirrored" if pair.mirrored else "the same image"
    return f"{pair.first.ref} and {pair.second.ref}, {how}"


def _images(count: int, kind: str = "") -> str:
    return f"{count:,} {kind + ' ' if kind else ''}image{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
