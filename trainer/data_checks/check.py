"""Checks a data set: files, copies, classes, sizes.

Stages::

    decode   once, small, on all cores, into a temporary file   (skipped if pixels are given)
    copies   equal files and equal images                       duplicates
    sizes    from the headers                                   sizes
    report   counts and findings                                report

Training runs the quick checks, on the pixels that it decodes anyway.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import ImageSet, decode_all
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array
from trainer.core.cache import Pixels
from trainer.data_checks.duplicates import find_copies, is_gray
from trainer.data_checks.near_duplicates import descriptors
from trainer.data_checks.report import MOST_GRAY, ClassCount, DataReport
from trainer.data_checks.sizes import Size, header_sizes, recording_sizes, summarize_sizes
from trainer.progress import Event, Progress, silent

DECODED_SIDE = 64
"""Side in pixels at which image files are decoded for comparison; 32 suffice to find copies."""

INPUT_SIZE = 96
"""Default side of the model's input in pixels, for judging sizes: the smallest usual one."""

QUICK_HEADERS = 200
"""Number of images whose header a quick check reads."""

BLANK = 1.0
"""Images whose pixel values have a smaller standard deviation, in levels, are blank."""


def check_data(
    images: ImageSet,
    pixels: Pixels | None = None,
    *,
    input_size: int = INPUT_SIZE,
    quick: bool = False,
    progress: Progress = silent,
) -> DataReport:
    """Checks a data set.

    Args:
        images: The data set, as opened by :func:`edge_runtime.dataset.open_dataset`.
        pixels: Its decoded images if available; None to decode small copies here.
        input_size: Side of the model's input in pixels, for judging sizes.
        quick: With ``pixels``: read the sizes of at most :data:`QUICK_HEADERS` images and skip
            checks that result only in notes, which takes a fraction of the time of decoding.
        progress: Progress callback, called for every image decoded.

    Returns:
        The findings; ``refusal`` is set if training would refuse the data set.

    Raises:
        DataError: No image can be decoded.
    """
    if pixels is not None:
        found = header_sizes(pixels.images, QUICK_HEADERS if quick else None)
        unreadable = pixels.images.skipped[len(images.skipped) :]
        return _report(images, pixels.images, pixels.array, found, unreadable, "", input_size, quick)
    with _decoded(images, progress) as (kept, array, found, unreadable, refusal):
        progress(Event("copies", 0, 0, "looking for copies"))
        return _report(images, kept, array, found, unreadable, refusal, input_size)


def data_warnings(images: ImageSet, pixels: Pixels, progress: Progress = silent) -> tuple[str, ...]:
    """Checks the data quickly before training starts.

    Reads the decoded pixels once, and the headers of a few files.

    Args:
        images: The data set as opened.
        pixels: Its decoded images at the model's input size.
        progress: Progress callback.

    Returns:
        One line per error and warning, the worst first, for example ``3 of 400 val images are
        also in train (a leak), ...``. Empty if there are none.
    """
    progress(Event("checks", 0, 0, "checking the data"))
    size = min(pixels.array.shape[1:3])
    report = check_data(images, pixels, input_size=size, quick=True)
    return tuple(finding.message for finding in report.findings if finding.level != "note")


def _report(
    images: ImageSet,
    kept: ImageSet,
    array: UInt8Array,
    found: dict[str, Size],
    unreadable: tuple[str, ...],
    refusal: str,
    input_size: int,
    quick: bool = False,
) -> DataReport:
    described = descriptors(array)
    copies = find_copies(kept, array, described)
    gray = np.ones(len(kept), bool) if quick else is_gray(array)
    refs = [item.ref for item in kept.items]
    counts = kept.counts()
    return DataReport(
        source=images.source,
        images=len(kept),
        classes=tuple(ClassCount(label, sides["train"], sides["val"]) for label, sides in counts.items()),
        skipped=images.skipped,
        unreadable=unreadable,
        refusal=refusal,
        leaks=copies.leaks,
        conflicts=copies.conflicts,
        repeats=copies.repeats,
        sizes=summarize_sizes(found, input_size),
        input_size=input_size,
        gray=tuple(refs[place] for place in np.flatnonzero(gray)) if gray.mean() <= MOST_GRAY else (),
        blank=tuple(refs[place] for place in _blank(array, described)),
    )


def _blank(array: UInt8Array, described: Float32Array) -> list[int]:
    """Indices of images of a single brightness; only those without low frequencies are candidates."""
    smooth = np.flatnonzero(~described.any(axis=1))
    return [int(place) for place in smooth if array[place].astype(np.float32).std(axis=(0, 1)).max() < BLANK]


@contextmanager
def _decoded(
    images: ImageSet, progress: Progress
) -> Iterator[tuple[ImageSet, UInt8Array, dict[str, Size], tuple[str, ...], str]]:
    """Decodes small copies into a temporary file: a large data set would not fit into memory."""
    height, width = images.native_size or (DECODED_SIDE, DECODED_SIDE)
    spec = InputSpec(min(height, DECODED_SIDE), min(width, DECODED_SIDE), 1 if images.gray else 3)
    reading, found = recording_sizes(images)
    failures: dict[str, str] = {}
    with tempfile.TemporaryFile() as file:
        total = len(images)
        progress(Event("pixels", 0, total, f"decoding {total:,} images"))
        for done, (item, result) in enumerate(decode_all(reading, spec), 1):
            if isinstance(result, str):
                failures[item.ref] = result
            else:
                file.write(result.tobytes())
            progress(Event("pixels", done, total))
        file.flush()
        kept, refusal = _without(images, failures)
        array = np.memmap(file, np.uint8, "r", shape=(len(kept), *spec.shape))
        unreadable = tuple(f"{ref}: {why}" for ref, why in failures.items())
        yield kept, array, found, unreadable, refusal


def _without(images: ImageSet, failures: dict[str, str]) -> tuple[ImageSet, str]:
    """The images that can be decoded, and why training would refuse the data set."""
    kept = tuple(item for item in images.items if item.ref not in failures)
    if not kept:
        first = next(iter(failures.items()), ("", "it is empty"))
        raise DataError(
            f"DATA must contain images that can be decoded. Received: none of {len(images)} in {images.source}, "
            f"the first: {first[0]}: {first[1]}"
        )
    try:
        return images.without(failures), ""
    except DataError as error:
        return replace(images, items=kept), str(error)
