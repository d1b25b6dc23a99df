"""A labelled image set: images with class and split, in the order of the model's outputs.

Images without a given split are split by content, so that the same image is always in the same one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from edge_runtime.common.errors import DataError
from edge_runtime.image.preprocess import UInt8Array

Split = Literal["train", "val"]
Content: TypeAlias = "bytes | UInt8Array"

MAX_UNREADABLE = 0.05
"""Largest share of unreadable images before the whole set is rejected.

A single unreadable image is always skipped: one bad file of ten says nothing about the other nine,
but two suggest that something went wrong when the set was made. So of up to 39 images one may fail,
from 40 on two, and so on. A class that loses all its images is always rejected.
"""

VAL_SHARE = 0.2
"""Share of distinct contents that go to val."""

_MAX_LISTED = 8
"""Class names that a message lists."""


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled image.

    Attributes:
        ref: Its name within the source, such as ``train/roses/123.jpg``; unique and stable.
        label: Index of its class in the set's labels.
        split: ``train`` or ``val``.
        sha256: Hash of the encoded bytes, or of the pixels where the source is an array.
    """

    ref: str
    label: int
    split: Split
    sha256: str


@dataclass(frozen=True)
class ImageSet:
    """A labelled image set; make one with :func:`edge_runtime.dataset.open_dataset`.

    Attributes:
        source: Absolute path, or the name of a known set.
        labels: Class names, in the order of the model's outputs.
        items: The images.
        reader: Reads one item; use :meth:`read` instead.
        skipped: Files that are not part of the set, as ``ref: reason``.
        native_size: Height and width of array sources in pixels, None for image files.
        gray: Whether the source has one channel.
    """

    source: str
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    reader: Callable[[Item], Content] = field(repr=False, compare=False)
    skipped: tuple[str, ...] = ()
    native_size: tuple[int, int] | None = None
    gray: bool = False

    def __len__(self) -> int:
        """Number of images."""
        return len(self.items)

    def read(self, item: Item) -> Content:
        """Reads an image for :func:`edge_runtime.image.preprocess.pixels`.

        Args:
            item: One of this set's items.

        Returns:
            Encoded bytes, or a uint8 array ``[height, width]`` or ``[height, width, 3]``.

        Raises:
            DataError: The file was removed or became unreadable since the set was opened.
        """
        return self.reader(item)

    def only(self, split: Split) -> ImageSet:
        """Returns the images of one split; labels stay unchanged.

        Args:
            split: ``train`` or ``val``.
        """
        return replace(self, items=tuple(item for item in self.items if item.split == split))

    def relabelled(self, labels: Sequence[str]) -> ImageSet:
        """Returns the same images with class indices for other labels.

        Args:
            labels: The model's class names; may include classes that this set lacks.

        Raises:
            DataError: An image's class is not among ``labels``.
        """
        target = tuple(labels)
        if target == self.labels:
            return self
        index = {name: place for place, name in enumerate(target)}
        used = sorted({item.label for item in self.items})
        unknown = [self.labels[label] for label in used if self.labels[label] not in index]
        if unknown:
            raise DataError(
                f"Every class of the data must be a class of the model. Received: {_listing(unknown)} in "
                f"{self.source}, the model knows {_listing(target)}. Rename or remove those classes."
            )
        items = tuple(replace(item, label=index[self.labels[item.label]]) for item in self.items)
        return replace(self, labels=target, items=items)

    def without(self, failures: Mapping[str, str]) -> ImageSet:
        """Removes images that do not decode and adds them to :attr:`skipped`.

        Args:
            failures: Reason by ref.

        Raises:
            DataError: More than :data:`MAX_UNREADABLE` of the images (and more than one) or a whole class fails.
        """
        if not failures:
            return self
        kept = tuple(item for item in self.items if item.ref not in failures)
        lost = [item for item in self.items if item.ref in failures]
        if not lost:
            return self
        first = f"{lost[0].ref}: {failures[lost[0].ref]}"
        refuse_unreadable(len(lost), len(self.items), self.source, first)
        for label in sorted({item.label for item in lost} - {item.label for item in kept}):
            raise no_image_left(self.labels[label], self.source, first)
        skipped = self.skipped + tuple(f"{item.ref}: {failures[item.ref]}" for item in lost)
        return replace(self, items=kept, skipped=skipped)

    def counts(self) -> dict[str, dict[Split, int]]:
        """Images per class and split, by label."""
        tally = Counter((item.label, item.split) for item in self.items)
        return {
            name: {"train": tally[index, "train"], "val": tally[index, "val"]}
            for index, name in enumerate(self.labels)
        }

    @property
    def sha256(self) -> str:
        """Hash of contents with class names and splits, 64 hex digits.

        File names and order do not matter, so a copy elsewhere has the same hash.
        """
        digest = hashlib.sha256()
        for line in sorted(f"{item.sha256} {item.split} {self.labels[item.label]}" for item in self.items):
            digest.update(f"{line}\n".encode())
        return digest.hexdigest()


def refuse_unreadable(lost: int, total: int, source: str, first: str) -> None:
    """Rejects a set that loses too many images.

    Args:
        lost: Number of images that cannot be read.
        total: Number of images including them.
        source: Name of the set for the message.
        first: The first of them, as ``ref: reason``.

    Raises:
        DataError: More than :data:`MAX_UNREADABLE` of the images, and more than one, are lost.
    """
    if lost > max(1, MAX_UNREADABLE * total):
        raise DataError(
            f"At most {MAX_UNREADABLE:.0%} of the images may be unreadable. Received: {lost} of {total} in "
            f"{source}, the first is {first}"
        )


def no_image_left(label: str, source: str, first: str) -> DataError:
    """The error for a class that loses all its images.

    Args:
        label: Its name.
        source: Name of the set.
        first: The first of the lost images, as ``ref: reason``.
    """
    return DataError(
        f"A class must have readable images. Received: none for {label!r} in {source}, the first is {first}"
    )


def _listing(names: Sequence[str]) -> str:
    """The first names and how many more there are."""
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more


def fraction(sha256: str) -> float:
    """Position of a content hash in 0..1, from its first 32 bits."""
    return int(sha256[:8], 16) / 2**32


def by_content(found: Sequence[tuple[str, int, str]]) -> tuple[Item, ...]:
    """Splits images by the hash of their content.

    A class with at least two distinct contents gets at least one image in each split.

    Args:
        found: ``(ref, label, sha256)`` of each image.

    Returns:
        The items in the same order.
    """
    side: dict[str, Split] = {
        sha256: "val" if fraction(sha256) < VAL_SHARE else "train" for _, _, sha256 in found
    }
    contents: dict[int, set[str]] = {}
    for _, label, sha256 in found:
        contents.setdefault(label, set()).add(sha256)
    for label in sorted(contents):
        # The hash decides which one moves, so that adding images elsewhere changes nothing here.
        ordered = sorted(contents[label], key=lambda sha256: (fraction(sha256), sha256))
        if len(ordered) < 2:
            continue
        sides = {side[sha256] for sha256 in ordered}
        if sides == {"train"}:
            side[ordered[0]] = "val"
        elif sides == {"val"}:
            side[ordered[-1]] = "train"
    return tuple(Item(ref, label, side[sha256], sha256) for ref, label, sha256 in found)


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorts class names; numerically if all are integers, so that 10 follows 9.

    Args:
        names: Class names; duplicates are dropped.
    """
    unique = set(names)
    if unique and all(_is_integer(name) for name in unique):
        return tuple(sorted(unique, key=lambda name: (int(name), name)))
    return tuple(sorted(unique))


def distinct_labels(names: Sequence[str]) -> tuple[str, ...]:
    """Makes duplicate names unique by their index, as needed for the two cranes of ImageNet.

    Args:
        names: Class names in the order of the model's outputs.

    Returns:
        The same names, with the index appended to repeated ones: ``crane (517)``.
    """
    seen: set[str] = set()
    result = []
    for index, name in enumerate(names):
        result.append(f"{name} ({index})" if name in seen else name)
        seen.add(name)
    return tuple(result)


def _is_integer(name: str) -> bool:
    return name.isascii() and name.isdigit()
