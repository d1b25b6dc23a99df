"""Finds copies in a data set: equal files, and equal images in different files.

::

    items -> contents        grouped by hash
          -> near contents   descriptor, nearby, compare
          -> pairs           each image with its closest copy of each kind
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from edge_runtime.dataset import ImageSet, Item, Split
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer.care.compare import SIDE, confirm_copies
from trainer.care.nearby import near_pairs


@dataclass(frozen=True)
class Picture:
    """One image of a pair: its ref, class name and split."""

    ref: str
    label: str
    split: Split


@dataclass(frozen=True)
class ImagePair:
    """Two images that are copies.

    Attributes:
        first: In a leak the val image; otherwise the later one in the data set.
        second: In a leak the train image; otherwise the earlier one.
        exact: Whether the files are equal byte by byte (for array data, the pixels).
        mirrored: Whether one is the mirror image of the other.
        difference: Share of the contrast that differs, 0..1; 0 if exact.
    """

    first: Picture
    second: Picture
    exact: bool
    mirrored: bool
    difference: float


@dataclass(frozen=True)
class Copies:
    """All copies in a data set.

    Attributes:
        leaks: One pair per val image that is also in train.
        conflicts: One pair per image with an earlier copy in another class.
        repeats: One pair per image with an earlier copy in its class and split.
    """

    leaks: tuple[ImagePair, ...]
    conflicts: tuple[ImagePair, ...]
    repeats: tuple[ImagePair, ...]


@dataclass(frozen=True)
class _Link:
    """A copy among the other contents."""

    content: int
    difference: float
    mirrored: bool
    exact: bool


@dataclass
class _Contents:
    """Items grouped by hash, and which groups are copies."""

    members: list[list[int]]
    links: dict[int, list[_Link]] = field(default_factory=dict)

    def around(self, content: int) -> Iterable[_Link]:
        """The content itself and its copies, the closest first."""
        near = self.links.get(content, [])
        return [_Link(content, 0.0, False, True), *sorted(near, key=lambda link: link.difference)]


def find_copies(images: ImageSet, pixels: UInt8Array, described: Float32Array) -> Copies:
    """Finds equal files, and the same image at another size, quality or brightness, or mirrored.

    Args:
        images: The set.
        pixels: uint8 ``[len(images), height, width, channels]``.
        described: float32 ``[len(images), 63]``, from :func:`trainer.care.descriptor.descriptors`.
    """
    contents = _grouped(images, pixels, described)
    index = {place: content for content, members in enumerate(contents.members) for place in members}
    involved = sorted(
        place for content, members in enumerate(contents.members)
        if len(members) > 1 or content in contents.links for place in members
    )  # fmt: skip
    # Of thousands of equal files, one per class and split is enough to compare with.
    chosen = [_one_each(images, members) if len(members) > 1 else members for members in contents.members]

    def pairs(partner: Callable[[Item, int, Item, int], bool]) -> tuple[ImagePair, ...]:
        return tuple(
            pair for place in involved
            if (pair := _closest(images, contents, chosen, index[place], place, partner)) is not None
        )  # fmt: skip

    return Copies(
        leaks=pairs(lambda item, _, other, __: item.split == "val" and other.split == "train"),
        conflicts=pairs(lambda item, place, other, earlier: earlier < place and item.label != other.label),
        repeats=pairs(
            lambda item, place, other, earlier: (
                earlier < place and item.label == other.label and item.split == other.split
            )
        ),
    )


def _grouped(images: ImageSet, pixels: UInt8Array, described: Float32Array) -> _Contents:
    members: dict[str, list[int]] = {}
    for place, item in enumerate(images.items):
        members.setdefault(item.sha256, []).append(place)
    contents = _Contents(list(members.values()))
    first = np.array([places[0] for places in contents.members], np.int64)
    near = near_pairs(described[first])
    # Compared by index in the data set, so that the pixels are not copied.
    side = min(images.native_size) if images.native_size is not None else SIDE
    kept, differences = confirm_copies(near.at(first), pixels, side)
    content_of = {int(place): content for content, place in enumerate(first)}
    for one, other, flipped, difference in zip(
        kept.first.tolist(), kept.second.tolist(), kept.flipped.tolist(), differences.tolist(), strict=True
    ):
        for mine, its in ((one, other), (other, one)):
            link = _Link(content_of[its], round(difference, 4), flipped, False)
            contents.links.setdefault(content_of[mine], []).append(link)
    return contents


def _one_each(images: ImageSet, members: list[int]) -> list[int]:
    """The first image of each class and split."""
    seen: dict[tuple[int, Split], int] = {}
    for place in members:
        seen.setdefault((images.items[place].label, images.items[place].split), place)
    return list(seen.values())


def _closest(
    images: ImageSet,
    contents: _Contents,
    chosen: list[list[int]],
    content: int,
    place: int,
    partner: Callable[[Item, int, Item, int], bool],
) -> ImagePair | None:
    item = images.items[place]
    for link in contents.around(content):
        for other in chosen[link.content]:
            if other != place and partner(item, place, images.items[other], other):
                first, second = (_picture(images, entry) for entry in (item, images.items[other]))
                return ImagePair(first, second, link.exact, link.mirrored, link.difference)
    return None


def _picture(images: ImageSet, item: Item) -> Picture:
    return Picture(item.ref, images.labels[item.label], item.split)
