"""Which file a table's cell names: as written, or as other systems and people write it."""

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
    """A file, and its path without case and in one normal form, with and without its suffix."""

    ref: str
    folded: str
    stem: str


class ImageFinder:
    """Files beside and below a table.

    A cell may spell a path as Windows does, in Unicode's other normal form or another case, without
    its suffix, from a folder above the table's, or by the name alone of a file in a sub-folder. A file
    is found only where one alone fits.
    """

    def __init__(self, table: Path) -> None:
        """Names the table.

        Args:
            table: Its file.
        """
        self.files = DiskFiles(table.parent)
        self._table = table
        self._above: str | None = None

    def find(self, cell: str) -> str | None:
        """The file that a cell names, relative to the table or absolute.

        Args:
            cell: What the table says.

        Returns:
            None where there is none.

        Raises:
            DataError: More than one file fits.
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
        """The path without the folders that lead to the table: once found, the same for all lines.

        An absolute path may come from another machine, so any of its folders may be the table's.
        """
        if self._above is not None:
            return [path.removeprefix(self._above)] if path.startswith(self._above) else []
        parts = [part for part in PurePosixPath(path).parts if part != "/"]
        above = self.files.root.parts
        absolute = path.startswith("/") or path[1:3] == ":/"
        counts = [n for n in range(len(parts)) if absolute or (n and tuple(parts[:n]) == above[-n:])]
        return ["/".join(parts[count:]) for count in counts]

    def _whole(self, path: str) -> list[_Listed]:
        """Files at that path, in whatever spelling."""
        wanted = _folded(path)
        return [file for file in self._candidates(wanted) if wanted in (file.folded, file.stem)]

    def _below(self, path: str) -> list[_Listed]:
        """Files in a sub-folder whose path ends so."""
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
                f"A path must be that of one file. Received: {cell[:120]!r} in {self._table}, which may be "
                f"{' or '.join(file.ref for file in found[:3])}. Write the whole path."
            )
        return found[0].ref if found else None

    def _is_of_the_table(self, file: _Listed) -> bool:
        """Whether it lies in a folder called as the table: ``train.csv`` and ``train_images``."""
        table, folder = self._table.stem.casefold(), file.folded.partition("/")[0]
        return table.startswith(folder) or folder.startswith(table)

    @cached_property
    def _by_end(self) -> dict[str, list[_Listed]]:
        """All files by their name, alone and after their folder's; images by it without its suffix too.

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
    """The name and, where there is one, its folder's."""
    return "/".join(path.removeprefix("/").rsplit("/", 2)[-2:])


def _folded(path: str) -> str:
    return _normal(path).casefold()
