"""Content hashes of what goes into a recipe: image sets and weights, wherever they lie."""

from __future__ import annotations

import os

from edge_runtime.dataset import ARRAY_NAMES, array_file, open_dataset
from edge_runtime.errors import UsageError
from trainer.models.weights import weights_sha256

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
            try:
                self._weights[name] = weights_sha256(name)
            except OSError as error:
                raise UsageError(
                    f"weights must be imagenet, none or an existing file. Received: {name} ({error.strerror}). "
                    "Check the path."
                ) from error
        return self._weights[name]
