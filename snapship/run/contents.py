"""Content hashes of what goes into a recipe: image sets and weights, wherever they lie."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edge_runtime.bundle import file_sha256
from edge_runtime.dataset import ARRAY_NAMES, array_file, open_dataset
from edge_runtime.errors import UsageError

MISSING = "not downloaded yet"
"""Stands for the hash of a set that is still to be downloaded."""


class Contents:
    """Hashes everything once, however many steps use it."""

    def __init__(self) -> None:
        self._data: dict[str, str] = {}
        self._weights: dict[str, str] = {}

    def data(self, data: str | os.PathLike[str]) -> str:
        """Hash of an image set's contents, labels and split, 64 hex digits.

        Args:
            data: Any form of DATA.

        Returns:
            The hash, or :data:`MISSING`.

        Raises:
            DataError: It cannot be used.
        """
        name = os.fspath(data)
        if name in ARRAY_NAMES and not array_file(name).is_file():
            return MISSING
        if name not in self._data:
            self._data[name] = open_dataset(name).sha256
        return self._data[name]

    def weights(self, weights: str | os.PathLike[str]) -> str:
        """Hash of a weights file, or of every file of a folder of weights; 64 hex digits.

        Args:
            weights: Its path.

        Raises:
            UsageError: It cannot be read.
        """
        name = os.fspath(weights)
        if name not in self._weights:
            path = Path(name)
            # A SavedModel may be named by its file; its numbers lie beside it.
            self._weights[name] = _tree_sha256(path.parent if path.name == "saved_model.pb" else path)
        return self._weights[name]


def _tree_sha256(path: Path) -> str:
    try:
        if not path.is_dir():
            return file_sha256(path)
        digest = hashlib.sha256()
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()} {file_sha256(file)}\n".encode())
        return digest.hexdigest()
    except OSError as error:
        raise UsageError(
            f"weights must be imagenet, none or an existing file. Received: {path} ({error.strerror}). "
            "Check the path."
        ) from error
