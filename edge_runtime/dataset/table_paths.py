"""Resolves a cell of a table to a file, as written or in the spelling of other systems."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from edge_runtime.dataset.files import DiskFiles
from edge_runtime.dataset.layout import IMAGE_SUFFIXES
from edge_runtime.errors import DataError

_FILE = "file://"


class _Listed(NamedTuple):
    """A file and its normalized path, with and without suffix."""

    ref: str
    folded: str
    stem: str


class ImageFinder:
    """Files beside and below a table.

    A cell may use Windows separators, another Unicode normal form or case, omit the suffix, start at
    a folder above the table, or give only the name of a file in a sub-folder. A file is found only if
    it is the only match.
    """

    def __init__(self, table: Path) -> None:
        """Keeps the table.

        Args:
            table: Its path.
        """
        self.files = DiskFiles(table.parent)
        self._table = table
        self._above: str | None = None

    def find(self, cell: str) -> str | None:
        """The file that a cell names, relative to the table or absolute.

        Args:
            cell: The path as written.

        Returns:
            None if no file matches.

        Raises:
            DataError: Several files match.
        """
        path = unquote(cell[len(_FILE) :]) if cell.lower().startswith(_FILE) else cell
        path = str(PurePosixPath(path.replace("\\", "/")))
        if self._is_file(path):
            return path
        for shorter in self._from_above(path):
            found = shorter if self._is_file(shorter) else self._only(self._whole(shorter), shorter, cell)
            if found is not None:
                self._above = path.removesuffix(shorter)
                return found
        return self._only(self._whole(path) or self._below(path), path, cell)

    def _is_file(self, path: str) -> bool:
        try:
            return (self.files.root / path).is_file()
        except OSError:
            return False

    def _from_above(self, path: str) -> list[str]:
        """The path without the folders that lead to the table; once found, the same for all lines.

        An absolute path may come from another machine, so any of its folders may be that of the table.
        """
        if self._above is not None:
            return [path.removeprefix(self._above)] if path.startswith(self._above) else []
        parts = [part for part in PurePosixPath(path).parts if part != "/"]
        above = self.files.root.parts
        absolute = path.startswith("/") or path[1:3] == ":/"
        counts = [n for n in range(len(parts)) if absolute or (n and tuple(parts[:n]) == above[-n:])]
        return ["/".join(parts[count:]) for count in counts]

    def _whole(self, path: str) -> list[_Listed]:
        """Files at that path, in any spelling."""
        wanted = _folded(path)
        return [file for file in self._candidates(wanted) if wanted in (file.folded, file.stem)]

    def _below(self, path: str) -> list[_Listed]:
        """Files in a sub-folder whose path ends with it."""
        end = f"/{_folded(path)}"
        return [
            file for file in self._candidates(end) if file.folded.endswith(end) or file.stem.endswith(end)
        ]

    def _candidates(self, folded: str) -> list[_Listed]:
        return self._by_end.get(_end(folded), [])

    def _only(self, found: list[_Listed], path: str, cell: str) -> str | None:
        exact = _normal(path)
        for fits in (
            lambda file: _normal(file.ref).endswith(exact),
            lambda file: file.folded.endswith(_folded(path)),
            self._is_of_the_table,
        ):
            if len(found) > 1:
                found = [file for file in found if fits(file)] or found
        if len(found) > 1:
            raise DataError(
                f"A path must match one file. Received: {cell[:120]!r} in {self._table}, which may be "
                f"{' or '.join(file.ref for file in found[:3])}. Write the full path."
            )
        return found[0].ref if found else None

    def _is_of_the_table(self, file: _Listed) -> bool:
        """Whether it lies in a folder named like the table: ``train.csv`` and ``train_images``."""
        table, folder = self._table.stem.casefold(), file.folded.partition("/")[0]
        return table.startswith(folder) or folder.startswith(table)

    @cached_property
    def _by_end(self) -> dict[str, list[_Listed]]:
        """All files by name, with and without their folder's name; images also without suffix.

        Names alone are not enough: a set may hold ``image.png`` in each of 100,000 folders.
        """
        found: dict[str, list[_Listed]] = defaultdict(list)
        for ref in self.files.listing()[0]:
            folded = _folded(ref)
            path = PurePosixPath(folded)
            stem = str(path.with_suffix("")) if path.suffix in IMAGE_SUFFIXES else folded
            file = _Listed(ref, folded, stem)
            for name in {path.name, PurePosixPath(stem).name, _end(folded), _end(stem)}:
                found[name].append(file)
        return dict(found)


def _normal(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _end(path: str) -> str:
    """The name and, if there is a folder, its name."""
    return "/".join(path.removeprefix("/").rsplit("/", 2)[-2:])


def _folded(path: str) -> str:
    return _normal(path).casefold()
