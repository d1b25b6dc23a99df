"""Image sets from labelled files, on disk or in a zip: hashed, and decoded, on all cores.

Images are decoded in order, with a bounded number in memory.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from edge_runtime.common.cores import cores
from edge_runtime.common.errors import DataError, ImageError
from edge_runtime.common.text import as_utf8
from edge_runtime.dataset.files import Files
from edge_runtime.dataset.imageset import ImageSet, Item, Split, by_content, no_image_left, refuse_unreadable
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array, pixels


def from_files(
    files: Files,
    labels: tuple[str, ...],
    listed: Sequence[tuple[str, int, Split | None]],
    skipped: tuple[str, ...],
    max_bytes: int,
) -> ImageSet:
    """Hashes labelled files and assigns splits.

    Args:
        files: The source of the files.
        labels: Class names.
        listed: ``(ref, label, split)``; split None to decide by content hash.
        skipped: Files already left out, as ``ref: reason``.
        max_bytes: Larger files are skipped.

    Raises:
        DataError: A class loses all its images, or the set loses too many.
    """
    with ThreadPoolExecutor(max(4, cores())) as pool:
        hashes = list(pool.map(lambda entry: _hashed(files, entry[0], max_bytes), listed))
    whole = [(entry, sha256) for entry, (sha256, _) in zip(listed, hashes, strict=True) if sha256]
    refused = [
        (label, f"{as_utf8(ref)}: {why}")
        for (ref, label, _), (_, why) in zip(listed, hashes, strict=True) if why
    ]  # fmt: skip
    lost = {label for _, label, _ in listed} - {label for (_, label, _), _ in whole}
    if lost:
        first = next(line for label, line in refused if label == min(lost))
        raise no_image_left(labels[min(lost)], files.source, first)
    if refused:
        refuse_unreadable(len(refused), len(listed), files.source, refused[0][1])
    decided = [Item(ref, label, split, sha256) for (ref, label, split), sha256 in whole if split is not None]
    open_ones = [(ref, label, sha256) for (ref, label, split), sha256 in whole if split is None]
    return ImageSet(
        source=files.source,
        labels=labels,
        items=(*decided, *by_content(open_ones)),
        reader=lambda item: files.read(item.ref, max_bytes + 1),
        skipped=(*map(as_utf8, skipped), *(line for _, line in refused)),
    )


def _hashed(files: Files, ref: str, max_bytes: int) -> tuple[str, str]:
    """The hash of a file and an empty reason, or an empty hash and the reason."""
    if as_utf8(ref) != ref:
        return "", "its name is not UTF-8, which data.json cannot hold; rename it"
    try:
        size = files.size(ref)
        if size > max_bytes:
            return "", f"{size:,} bytes, over the limit of {max_bytes:,}; make it smaller"
        return hashlib.sha256(files.read(ref)).hexdigest(), ""
    except DataError as error:
        return "", str(error)


def decode_all(
    images: ImageSet, spec: InputSpec, *, workers: int | None = None
) -> Generator[tuple[Item, UInt8Array | str], None, None]:
    """Yields every image's pixels, in the order of the set.

    Args:
        images: The set.
        spec: The model's input.
        workers: Threads; None for one per core.

    Yields:
        The item and its uint8 pixels ``spec.shape``, or the item and the reason why it does not decode.
        Collect the reasons by ref and pass them to :meth:`ImageSet.without`.
    """
    count = workers or cores()

    def one(item: Item) -> UInt8Array | str:
        try:
            return pixels(images.read(item), spec)
        except (ImageError, DataError) as error:
            return str(error)

    with ThreadPoolExecutor(count) as pool:
        waiting: deque[tuple[Item, Future[UInt8Array | str]]] = deque()
        try:
            for item in images.items:
                waiting.append((item, pool.submit(one, item)))
                if len(waiting) >= 4 * count:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            # Reached on Ctrl-C and when the caller stops early: do not decode the rest.
            for _, future in waiting:
                future.cancel()
