"""From photos to what the classifier takes: paths stay paths, everything else becomes encoded bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from edge_runtime.common.errors import DataError, EnvironmentMissingError, ImageError
from edge_runtime.dataset.files import ZipFiles
from edge_runtime.score.parquet_input import encoded_rows
from edge_runtime.score.photos import Photo
from edge_runtime.score.storage import S3, Storage

_AHEAD = 8
"""Objects that are fetched while others are classified: one over a network takes longer than a classification."""

Source = str | bytes | ImageError
"""A path, encoded bytes, or why there are none."""


class Reader:
    """Reads photos, in order. Of one thread."""

    def __init__(self, storage: Storage, max_bytes: int) -> None:
        """Opens nothing yet.

        Args:
            storage: Opens files.
            max_bytes: Limit of an encoded image; more of one is never read.
        """
        self._storage, self._max_bytes = storage, max_bytes
        self._zip: tuple[str, ZipFiles] | None = None

    def sources(self, photos: Sequence[Photo]) -> Iterator[Source]:
        """Reads photos.

        Args:
            photos: Those of a shard, in order.

        Yields:
            For each a path of this disk, its encoded bytes, or the error of one that cannot be read.
        """
        for (file, column), group in groupby(photos, lambda photo: (_together(photo), photo.column)):
            found = list(group)
            if column is not None:
                yield from self._rows(file, column, found)
            elif file.startswith(S3):
                yield from self._fetched(found)
            else:
                for photo in found:
                    yield photo.file if photo.member is None else self._member(photo)

    def _rows(self, file: str, column: str, photos: Sequence[Photo]) -> Iterator[Source]:
        numbers = [photo.row or 0 for photo in photos]
        rows = range(numbers[0], numbers[-1] + 1)
        with self._storage.opened(file) as opened:
            for photo, data in zip(photos, encoded_rows(opened, file, column, rows), strict=True):
                yield _unreadable(photo, "the table has no bytes for it") if data is None else data

    def _fetched(self, photos: Sequence[Photo]) -> Iterator[Source]:
        waiting: deque[Future[Source]] = deque()
        with ThreadPoolExecutor(_AHEAD, thread_name_prefix="snapship-s3") as threads:
            for photo in photos:
                waiting.append(threads.submit(self._fetch, photo))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _fetch(self, photo: Photo) -> Source:
        try:
            with self._storage.opened(photo.file) as file:
                data: bytes = file.read(self._max_bytes + 1)
                return data
        except DataError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return _unreadable(photo, "there is no such object")
            # No fault of the photo: a row that says so would stay when the network is back.
            raise EnvironmentMissingError(
                f"S3 must answer. Received: {error.__cause__} for {photo.name}. Run the same command again later."
            ) from error

    def _member(self, photo: Photo) -> Source:
        try:
            if photo.offset is not None:
                with self._storage.opened(photo.file) as file:
                    file.seek(photo.offset)
                    data = file.read(min(photo.bytes or 0, self._max_bytes + 1))
            else:
                if self._zip is None or self._zip[0] != photo.file:
                    self._zip = photo.file, ZipFiles(Path(photo.file))
                data = self._zip[1].read(photo.member or "", self._max_bytes + 1)
        except DataError as error:
            return _unreadable(photo, str(error))
        return bytes(data)


def _together(photo: Photo) -> str:
    """What is read in one go: a table, or everything from S3."""
    if photo.column is not None:
        return photo.file
    return S3 if photo.file.startswith(S3) else ""


def _unreadable(photo: Photo, reason: str) -> ImageError:
    return ImageError(f"An image must be readable. Received: {photo.name} ({reason}). Check or replace it.")
