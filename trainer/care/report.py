"""What was found in a data set, and what it means for training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from trainer.care.duplicates import Pair
from trainer.care.sizes import Sizes

FEW_TRAIN = 20
"""Train images of a class below which it is hardly learnt."""

FEW_VAL = 5
"""Val images of a class below which its accuracy moves by 20 points or more with one answer."""

MAX_IMBALANCE = 3.0
"""Largest class over smallest, in train images, from which training should weigh classes."""

MOST_GRAY = 0.5
"""Gray images are worth a word up to this share; above it the set is gray."""

Level = Literal["error", "warning", "note"]
"""``error``: numbers measured on this data would be wrong, or it cannot be trained on."""


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing.

    Attributes:
        kind: ``leak``, ``unreadable``, ``conflict``, ``repeat``, ``few``, ``imbalance``,
            ``size``, ``gray`` or ``blank``.
        level: How bad it is.
        count: Images, or classes for ``few`` and ``imbalance``.
        message: One line for people, with the cure.
    """

    kind: str
    level: Level
    count: int
    message: str


@dataclass(frozen=True)
class ClassCount:
    """Images of one class."""

    label: str
    train: int
    val: int


@dataclass(frozen=True)
class DataReport:
    """What :func:`trainer.care.check_data` found.

    Attributes:
        source: The data.
        images: Images that decode.
        classes: Images of every class that decode.
        skipped: Files that are no part of the set, as ``ref: reason``.
        unreadable: Images that do not decode, as ``ref: reason``.
        refusal: Why training would refuse the set, empty when it would not.
        leaks: Val images that are in train too.
        conflicts: Images that have a copy of another class.
        repeats: Images that have a copy of their class in their split.
        sizes: Sizes of the image files.
        input_size: Side of the input in pixels that sizes were judged by.
        gray: Refs of images without colour in a set that has colour.
        blank: Refs of images of one brightness.
    """

    source: str
    images: int
    classes: tuple[ClassCount, ...]
    skipped: tuple[str, ...]
    unreadable: tuple[str, ...]
    refusal: str
    leaks: tuple[Pair, ...]
    conflicts: tuple[Pair, ...]
    repeats: tuple[Pair, ...]
    sizes: Sizes
    input_size: int
    gray: tuple[str, ...]
    blank: tuple[str, ...]

    @property
    def has_leak(self) -> bool:
        """Whether a val image is in train too."""
        return bool(self.leaks)

    @property
    def imbalance(self) -> float:
        """Train images of the largest class over those of the smallest that has any."""
        counts = [entry.train for entry in self.classes if entry.train]
        return max(counts) / min(counts) if counts else 1.0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything worth a line, the worst first."""
        found = [*self._unreadable(), *self._copies(), *self._counts(), *self._pictures()]
        order = ("error", "warning", "note")
        return tuple(sorted(found, key=lambda finding: order.index(finding.level)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
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
        text = f"{_images(count)} cannot be read and will be skipped, the first is {self.unreadable[0]}"
        return [Finding("unreadable", "warning", count, text)]

    def _copies(self) -> list[Finding]:
        found = []
        if self.leaks:
            count, val = len(self.leaks), sum(entry.val for entry in self.classes)
            text = (f"{count} of {_images(val, 'val')} {_are(count)} also in train (a leak), which makes val accuracy "
                    f"look better than it is: {_pair(self.leaks[0])}. Remove them from one side.")  # fmt: skip
            found.append(Finding("leak", "error", count, text))
        if self.conflicts:
            first, count = self.conflicts[0], len(self.conflicts)
            text = (f"{_images(count)} {_have(count)} a copy under another label: {_pair(first)} "
                    f"({first.first.label}, {first.second.label}). Correct one of the two.")  # fmt: skip
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
                        f"images: {names}{more}. Add some.")  # fmt: skip
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
        for why, level, words in (
            ("small", "warning", f"much smaller than the input of {self.input_size} pixels"),
            ("strip", "note", "more than 3 times as long as wide"),
        ):
            odd = [entry for entry in self.sizes.odd if entry.why == why]
            if odd:
                first = odd[0]
                text = (f"{len(odd)} of {_images(self.sizes.looked_at)} {_are(len(odd))} {words}: {first.ref} has "
                        f"{first.width}x{first.height}.")  # fmt: skip
                found.append(Finding("size", "warning" if level == "warning" else "note", len(odd), text))
        if self.gray:
            text = (
                f"{_images(len(self.gray))} {_have(len(self.gray))} no colour, the others do: {self.gray[0]}."
            )
            found.append(Finding("gray", "note", len(self.gray), text))
        if self.blank:
            text = f"{_images(len(self.blank))} {_are(len(self.blank))} blank: {self.blank[0]}. Remove them."
            found.append(Finding("blank", "warning", len(self.blank), text))
        return found


def _pair(pair: Pair) -> str:
    how = "equal files" if pair.exact else "mirrored" if pair.mirrored else "the same picture"
    return f"{pair.first.ref} and {pair.second.ref}, {how}"


def _images(count: int, kind: str = "") -> str:
    return f"{count:,} {kind + ' ' if kind else ''}image{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
