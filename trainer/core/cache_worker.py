"""What a worker of ``snapship data cache`` does: decodes images into their rows of one file."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.common.errors import DataError, ImageError, UsageError
from edge_runtime.dataset.imageset import Content
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels
from edge_runtime.workers.crew import Machine, Piece
from trainer.core.cache import unwritable


@dataclass(frozen=True)
class Encoded:
    """An image as it is in the data set.

    Attributes:
        index: Its place in the set, and its row in the file.
        ref: Its name.
        content: Its bytes or pixels; or why it cannot be read.
    """

    index: int
    ref: str
    content: Content | DataError


@dataclass(frozen=True)
class ShardDecoded:
    """A shard that is in the file.

    Attributes:
        shard: Its number.
        failures: Why images of it do not decode, by their place in the set.
    """

    shard: int
    failures: dict[int, str]


class CacheWorker:
    """Decodes shards in one process.

    Attributes:
        machine: What it says of itself.
    """

    def __init__(self, file: int, spec: InputSpec, start: int, folder: Path) -> None:
        """See :meth:`open`."""
        self._file, self._spec, self._start, self._folder = file, spec, start, folder
        self.machine = Machine(platform.node(), os.getpid())

    @classmethod
    def open(cls, spec: InputSpec, start: int, sent: Path) -> CacheWorker:
        """Opens the file.

        Args:
            spec: The model's input.
            start: Where the first row begins in it, in bytes.
            sent: The file, which has its full size.

        Raises:
            UsageError: It cannot be opened.
        """
        try:
            return cls(os.open(sent, os.O_RDWR | getattr(os, "O_BINARY", 0)), spec, start, sent.parent)
        except OSError as error:
            raise unwritable(UsageError, "pixel cache", sent.parent, error) from error

    def work(self, piece: Piece[Encoded]) -> ShardDecoded | Sequence[tuple[int, str]]:
        """Decodes images into their rows; they are on the disk when it returns.

        Args:
            piece: A shard, or images of one.

        Returns:
            What does not decode: of a whole shard as such, of less as a pair for each image, the reason empty where it
            decodes.

        Raises:
            UsageError: The file cannot be written.
        """
        rows = [(image.index, self._decoded(image)) for image in piece.items]
        try:
            os.fsync(self._file)
        except OSError as error:
            raise unwritable(UsageError, "pixel cache", self._folder, error) from error
        return joined(piece.shard, rows) if piece.whole else rows

    def _decoded(self, image: Encoded) -> str:
        """Writes the row of an image; returns why it does not decode."""
        if isinstance(image.content, DataError):
            return str(image.content)
        try:
            array = pixels(image.content, self._spec)
        except (ImageError, DataError) as error:
            return str(error)
        try:
            # Not pwrite, which Windows lacks; nobody else has this file open in this process.
            os.lseek(self._file, self._start + image.index * array.nbytes, os.SEEK_SET)
            with memoryview(array.tobytes()) as left:
                written = 0
                while written < len(left):
                    written += os.write(self._file, left[written:])
        except OSError as error:
            raise unwritable(UsageError, "pixel cache", self._folder, error) from error
        return ""


def joined(shard: int, rows: Sequence[tuple[int, str]]) -> ShardDecoded:
    """A shard of what is known of each of its images.

    Args:
        shard: Its number.
        rows: The place of each image in the set, and why it does not decode; empty where it does.
    """
    return ShardDecoded(shard, {index: reason for index, reason in rows if reason})
