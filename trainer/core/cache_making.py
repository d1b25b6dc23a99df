"""Prepares the pixel cache of a large set with worker processes, and goes on where an earlier run was ended.

::

    <cache>/<key>.32.partial/    32 images are a shard
        pixels     the array with a row for every image, those that do not decode too
        journal    a line per shard that is in it
        lock       held while a process works on it

When every shard is there, the rows of images that do not decode are closed up, and the file is renamed to what
``snapship train`` looks for.
"""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from edge_runtime.common.atomic_file import reserve
from edge_runtime.common.cores import cores
from edge_runtime.common.errors import DataError, EnvironmentMissingError, UsageError
from edge_runtime.common.text import shortened
from edge_runtime.dataset import ImageSet
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.workers.dispatch import Cutting, Dispatch
from edge_runtime.workers.processes import Processes
from trainer.core.cache import (
    CacheFiles,
    Pixels,
    decoding_text,
    unwritable,
    without_failures,
    write_header,
)
from trainer.core.cache_worker import CacheWorker, Encoded, ShardDecoded, joined
from trainer.core.folder_lock import held
from trainer.progress import Event, Progress, silent

SHARD_IMAGES = 32
"""Images of a shard: encoded, they are in memory with every worker; a worker that ends loses so many."""

_CLOSING = -1
"""Number in the journal after which rows are moved: from there, the file must be made anew."""


class _Line(msgspec.Struct, frozen=True, array_like=True):
    """A line of the journal."""

    shard: int
    failures: dict[int, str]


@dataclass(frozen=True)
class Prepared:
    """What :func:`prepare_cache` did.

    Attributes:
        pixels: The pixels, as ``snapship train`` reads them.
        file: Their file.
        decoded: Images that this call went through; 0 if all were there.
        resumed: Images that an earlier, ended call had gone through.
        ended: Times that a worker's process ended.
    """

    pixels: Pixels
    file: Path
    decoded: int = 0
    resumed: int = 0
    ended: int = 0


def prepare_cache(
    images: ImageSet,
    spec: InputSpec,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> Prepared:
    """Makes sure that the pixels of a data set are in the cache.

    Args:
        images: The data set; images that cannot be decoded, or that end a process each time, are left out.
        spec: The model's input.
        cache_dir: The cache folder; None for the user's.
        workers: Processes; None for one per core.
        progress: Progress callback.

    Returns:
        The same pixels as :func:`trainer.core.cache.cached_pixels`.

    Raises:
        DataError: Too many images cannot be decoded, or the folder cannot be written.
        UsageError: Another process prepares the same set, or the number of workers is below 1.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"--workers must be at least 1. Received: {workers}. Pass --workers 2.")
    files = CacheFiles.of(images, spec, cache_dir)
    found = files.load(images, spec)
    if found is not None:
        return Prepared(found, files.array)
    folder = files.array.with_suffix(f".{SHARD_IMAGES}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder, "A pixel cache must be prepared by one process", "Wait for it"):
            partly = _Partial(folder, len(images), spec)
            resumed = partly.images_done
            ended = _decode(images, spec, partly, workers, progress)
            try:
                without_failures(images, partly.failures)
            except DataError:
                # Nobody can use it; the files may be mended and another run start over.
                shutil.rmtree(folder, ignore_errors=True)
                raise
            partly.publish(files)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise unwritable(DataError, "pixel cache", files.array.parent, error) from error
    found = files.load(images, spec)
    if found is None:
        raise DataError(f"The pixel cache must be readable. Received: {files.array}. Delete it.")
    return Prepared(found, files.array, len(images) - resumed, resumed, ended)


def _decode(
    images: ImageSet, spec: InputSpec, partly: _Partial, workers: int | None, progress: Progress
) -> int:
    """Has the missing shards decoded; returns how often a process ended."""
    left = [shard for shard in range(-(-len(images) // SHARD_IMAGES)) if shard not in partly.shards]
    progress(Event("pixels", partly.images_done, len(images), decoding_text(len(images), spec)))
    if not left:
        return 0

    def items(shard: int) -> list[Encoded]:
        first = shard * SHARD_IMAGES
        found = []
        for index, item in enumerate(images.items[first : first + SHARD_IMAGES], start=first):
            try:
                found.append(Encoded(index, item.ref, images.read(item)))
            except DataError as error:
                found.append(Encoded(index, item.ref, error))
        return found

    def given_up(image: Encoded, reason: str) -> tuple[int, str]:
        return image.index, (
            f"An image must not end the process. Received: {image.ref} ({shortened(reason, 300)}). "
            "Check or replace it."
        )

    opened = partial(CacheWorker.open, spec, partly.start)
    with closing(Processes(opened, partly.path, min(workers or cores(), len(left)))) as crew:
        dispatch: Dispatch[Encoded, ShardDecoded, tuple[int, str]]
        dispatch = Dispatch(crew, Cutting(given_up, joined), _nobody)
        for done in dispatch.run((shard, items(shard)) for shard in left):
            partly.add(done)
            progress(Event("pixels", partly.images_done, len(images)))
    return dispatch.ended


class _Partial:
    """The file that is being filled, and its journal."""

    def __init__(self, folder: Path, images: int, spec: InputSpec) -> None:
        """Opens what an earlier run has left; what cannot be used is made anew."""
        self._images, self._spec = images, spec
        self._row = spec.height * spec.width * spec.channels
        self.path, self._journal = folder / "pixels", folder / "journal"
        self.shards: set[int] = set()
        self.failures: dict[int, str] = {}
        self._read()
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            write_header(file, images, spec)
            self.start = file.tell()
            whole = self.start + images * self._row
            if os.fstat(file.fileno()).st_size != whole:
                self._forget()
                file.flush()
                reserve(file.fileno(), whole)

    @property
    def images_done(self) -> int:
        """Images of the shards that are there."""
        return sum(min(SHARD_IMAGES, self._images - shard * SHARD_IMAGES) for shard in self.shards)

    def add(self, done: ShardDecoded) -> None:
        """Notes a shard that is in the file."""
        self._append(_Line(done.shard, done.failures))
        self._take(_Line(done.shard, done.failures))

    def publish(self, files: CacheFiles) -> None:
        """Closes up the rows that have no image, and puts the file in its place."""
        with self.path.open("r+b") as file:
            if self.failures:
                self._append(_Line(_CLOSING, {}))
                _close_up(file, self.start, self._row, self._images, set(self.failures))
                file.truncate(self.start + (self._images - len(self.failures)) * self._row)
            file.seek(0)
            write_header(file, self._images - len(self.failures), self._spec)
            file.flush()
            os.fsync(file.fileno())
        files.write_note(dict(sorted(self.failures.items())))
        os.replace(self.path, files.array)

    def _read(self) -> None:
        """Reads the journal. The last line of a run that was killed may be torn: its shard is done again."""
        lines = self._journal.read_bytes().splitlines(keepends=True) if self._journal.is_file() else []
        whole = 0
        for line in lines:
            try:
                found = msgspec.json.decode(line, type=_Line)
            except msgspec.MsgspecError:
                break
            if found.shard == _CLOSING:
                self._forget()
                return
            self._take(found)
            whole += len(line)
        if lines:
            os.truncate(self._journal, whole)

    def _take(self, line: _Line) -> None:
        self.shards.add(line.shard)
        self.failures |= line.failures

    def _append(self, line: _Line) -> None:
        with self._journal.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _forget(self) -> None:
        self._journal.unlink(missing_ok=True)
        self.shards.clear()
        self.failures.clear()


def _close_up(file: BinaryIO, start: int, row: int, images: int, missing: set[int]) -> None:
    """Moves rows forward over those that are missing."""
    place = min(missing)
    for index in range(place, images):
        if index in missing:
            continue
        file.seek(start + index * row)
        data = file.read(row)
        file.seek(start + place * row)
        file.write(data)
        place += 1


def _nobody(reasons: str) -> EnvironmentMissingError:
    return EnvironmentMissingError(
        f"A worker process must start. Received: none that does ({reasons}). Pass fewer --workers."
    )
