"""Finds copies in a data set: equal files, and equal images in different files.

::

    items -> contents        grouped by hash
          -> near contents   descriptors of near_duplicates.py, then confirmed by pixels
          -> pairs           each image with its closest copy of each kind

To confirm a pair, both images are averaged down to at most 32 pixels per side, and brightness and
contrast of one are fitted to the other; the residual is the difference. Measured on real photos at
64 pixels: copies (JPEG quality 30 to 95, half or a third of the size, 25 % brighter, mirrored)
differ by at most 0.22, the most similar distinct photos by 0.38 or more; the closest two of 10,000
handwritten digits at 28 pixels by 0.17, of 1,797 at 8 pixels by 0.087.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from edge_runtime.dataset import ImageSet, Item, Split
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from trainer.data_checks.near_duplicates import LUMA, Near, blocks, near_pairs

SIDE = 32
"""Largest side compared, in pixels: finer detail changes with compression and resizing."""

MAX_DIFFERENCE = 0.22
"""Largest difference between copies, as a share of the contrast; 0 is equal, 1 unrelated."""

MAX_DIFFERENCE_PLAIN = 0.1
"""The same for images smaller than :data:`SIDE` or mostly background: many of those look alike."""

TINY = 16
"""Below this side in pixels, distinct images are even more alike."""

MAX_DIFFERENCE_TINY = 0.07
"""The same for images smaller than :data:`TINY`."""

MIN_COSINE_SMALL = 0.99
"""Small images with a lower cosine always exceed :data:`MAX_DIFFERENCE_PLAIN`; digits have many such pairs."""

MAX_BACKGROUND = 0.5
"""Share of pixels of about the same brightness from which an image is mostly background."""

MAX_GAIN = 2.0
"""Largest ratio between the contrasts of two copies."""

GRAY = 2.0
"""Mean distance of the channels, in levels, up to which an image is gray."""

_BYTES = 4_000_000
"""Pixels converted to float32 at a time, in bytes of uint8."""


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
        described: float32 ``[len(images), 63]``, from :func:`trainer.data_checks.near_duplicates.descriptors`.
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


def confirm_copies(near: Near, pixels: UInt8Array, side: int = SIDE) -> tuple[Near, Float32Array]:
    """Keeps the pairs that are copies.

    Args:
        near: Similar pairs.
        pixels: uint8 ``[n, height, width, channels]``, in the order of the indices of ``near``.
        side: Original side of the images in pixels, if ``pixels`` were enlarged.

    Returns:
        The pairs, and the difference of each, float32 ``[pairs]``, 0..1.
    """
    smallest = min(*pixels.shape[1:3], side)
    most_plain = MAX_DIFFERENCE_TINY if smallest < TINY else MAX_DIFFERENCE_PLAIN
    if smallest < SIDE:
        near = near.only(near.cosine >= MIN_COSINE_SMALL)
    kept, differences = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for block in blocks(len(near.first), _step(pixels)):
        first = thumbnails(pixels[near.first[block]], side)
        second = thumbnails(pixels[near.second[block]], side)
        turned = near.flipped[block]
        second[turned] = second[turned][:, :, ::-1]
        difference = _difference(first, second)
        plain = _is_plain(first) | _is_plain(second) | (min(first.shape[1:3]) < SIDE)
        same = difference <= np.where(plain, most_plain, MAX_DIFFERENCE)
        kept.append(np.flatnonzero(same) + block.start)
        differences.append(difference[same])
    index = np.concatenate(kept)
    return near.only(index), np.concatenate(differences)


def thumbnails(pixels: UInt8Array, side: int = SIDE) -> Float32Array:
    """Averages images down to at most ``min(side, SIDE)`` pixels per side.

    Args:
        pixels: uint8 ``[n, height, width, channels]``.
        side: Upper limit of the side.

    Returns:
        float32 ``[n, h, w, channels]``, 0..255.
    """
    if max(pixels.shape[1:3]) <= min(side, SIDE):
        return pixels.astype(np.float32)
    rows, columns = (_averaging(size, min(size, side, SIDE)) for size in pixels.shape[1:3])
    result: Float32Array = np.einsum(
        "ah,nhwc,bw->nabc", rows, pixels.astype(np.float32), columns, optimize=True
    )
    return result


def is_gray(pixels: UInt8Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Returns which images have no colour, bool ``[n]``.

    Args:
        pixels: uint8 ``[n, height, width, channels]``.
    """
    if pixels.shape[3] == 1:
        return np.ones(len(pixels), bool)
    result = np.zeros(len(pixels), bool)
    # Every fourth pixel in each direction suffices.
    sparse = pixels[:, ::4, ::4]
    for block in blocks(len(pixels), _step(sparse)):
        result[block] = _colour(sparse[block].astype(np.float32)) <= GRAY
    return result


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


def _step(pixels: UInt8Array) -> int:
    """Images per block."""
    return max(1, int(_BYTES // np.prod(pixels.shape[1:])))


def _colour(pictures: Float32Array) -> Float32Array:
    """Mean distance of the channels in levels, float32 ``[n]``."""
    return np.asarray(np.abs(np.diff(pictures, axis=3)).mean(axis=(1, 2, 3)), np.float32)


def _difference(first: Float32Array, second: Float32Array) -> Float32Array:
    """Share of the contrast not explained by gain and offset; 1 for a negative or too large gain."""
    if first.shape[3] == 3:
        # A photo and its black-and-white copy are compared without colour.
        gray = (_colour(first) <= GRAY) | (_colour(second) <= GRAY)
        first, second = (np.where(gray[:, None, None, None], _luma(part), part) for part in (first, second))
    x, y = (part.reshape(len(part), -1) for part in (first, second))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    squares = np.maximum((x * x).sum(axis=1), 1e-6), np.maximum((y * y).sum(axis=1), 1e-6)
    match = (x * y).sum(axis=1) / np.sqrt(squares[0] * squares[1])
    gain = np.sqrt(squares[0] / squares[1])
    possible = (match > 0) & (gain <= MAX_GAIN) & (gain >= 1 / MAX_GAIN)
    return np.where(possible, np.sqrt(np.clip(1 - match**2, 0, 1)), 1.0).astype(np.float32)


def _is_plain(pictures: Float32Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether half of the pixels have about the same brightness, bool ``[n]``."""
    bins = (_luma(pictures)[..., 0].reshape(len(pictures), -1) / 16).astype(np.int64)
    places = np.arange(len(pictures))[:, None] * 16 + bins
    counts = np.bincount(places.ravel(), minlength=16 * len(pictures)).reshape(-1, 16)
    return np.asarray(counts.max(axis=1) >= MAX_BACKGROUND * bins.shape[1])


def _luma(pictures: Float32Array) -> Float32Array:
    """Brightness of every pixel, float32 ``[n, h, w, 1]``."""
    weights = np.array(LUMA if pictures.shape[3] == 3 else (1.0,), np.float32)
    return np.asarray((pictures @ weights)[..., None], np.float32)


def _averaging(size: int, target: int) -> Float32Array:
    """Matrix that averages ``size`` values to ``target`` by area, float32 ``[target, size]``."""
    edges = np.arange(target + 1) * (size / target)
    left, right = edges[:-1, None], edges[1:, None]
    cells = np.arange(size)
    overlap = np.clip(np.minimum(right, cells + 1) - np.maximum(left, cells), 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), np.float32)
