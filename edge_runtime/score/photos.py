"""What a shard is made of: photos, each named by where its bytes are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from edge_runtime.common.text import as_utf8


class Photo(msgspec.Struct, frozen=True, omit_defaults=True, array_like=False):
    """One photo to score.

    Attributes:
        file: The file that it is, or is in: a path or an ``s3://`` address.
        bytes: Size of what was listed, so that a changed input is another input; None where it was not listed.
        member: Path inside an archive.
        offset: Where a member of a tar begins, in bytes.
        row: Number of a row in a Parquet file, from 0.
        column: The column of that file with encoded images.
    """

    file: str
    bytes: int | None = None
    member: str | None = None
    offset: int | None = None
    row: int | None = None
    column: str | None = None

    @property
    def name(self) -> str:
        """How results name it: its path, ``photos.zip/a.jpg``, or ``photos.parquet#17``."""
        if self.member is not None:
            return f"{self.file}/{self.member}"
        return self.file if self.row is None else f"{self.file}#{self.row}"


class Listing:
    """The photos of a run in a file, in order, so that a million of them are never in memory at once.

    Attributes:
        images: Number of photos.
        shards: Number of shards.
        sha256: Hash over all photos, 64 hex digits.
    """

    def __init__(self, path: Path, photos: Iterable[Photo], shard_size: int) -> None:
        """Writes the file.

        Args:
            path: A new file.
            photos: All photos, in order.
            shard_size: Photos of a shard, at least 1; the last shard may have fewer.
        """
        self._path = path
        self._starts = [0]
        self.images = 0
        encode, hashed = msgspec.json.encode, hashlib.sha256()
        place = held = 0
        with path.open("wb") as file:
            for photo in photos:
                line = encode(_writable(photo)) + b"\n"
                hashed.update(line)
                file.write(line)
                place += len(line)
                self.images += 1
                held += 1
                if held == shard_size:
                    self._starts.append(place)
                    held = 0
        if held:
            self._starts.append(place)
        self.shards = len(self._starts) - 1
        self.sha256 = hashed.hexdigest()

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each shard begins in the file, and where the last one ends, in bytes."""
        return tuple(self._starts)

    def shard(self, index: int) -> list[Photo]:
        """The photos of a shard.

        Args:
            index: From 0.
        """
        with self._path.open("rb") as file:
            file.seek(self._starts[index])
            data = file.read(self._starts[index + 1] - self._starts[index])
        return list(_decoded(data))


_DECODER = msgspec.json.Decoder(Photo)


def _decoded(data: bytes) -> Iterator[Photo]:
    for photo in _DECODER.decode_lines(data):
        yield msgspec.structs.replace(photo, file=_path_of(photo.file)) if "\0" in photo.file else photo


def _writable(photo: Photo) -> Photo:
    """The same photo; of a file name that is not UTF-8, with its bytes in hexadecimal digits."""
    if as_utf8(photo.file) == photo.file:
        return photo
    # No file name holds a NUL.
    return msgspec.structs.replace(photo, file=f"\0{photo.file.encode('utf-8', 'surrogateescape').hex()}")


def _path_of(written: str) -> str:
    return bytes.fromhex(written[1:]).decode("utf-8", "surrogateescape")
