"""Conflicts between class folders and a table beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from edge_runtime.dataset.beside import holds_predictions, joined_path, levels_of, rows_of, tables_in
from edge_runtime.dataset.files import Files
from edge_runtime.dataset.layout import Folder, LabelledFiles
from edge_runtime.dataset.split_names import split_name
from edge_runtime.dataset.table_columns import label_column
from edge_runtime.dataset.unclear import command
from edge_runtime.errors import DataError
from edge_runtime.text import as_utf8


def check_tables_agree(files: Files, root: Folder, layout: LabelledFiles) -> None:
    """Rejects class folders beside a table that gives their images other labels.

    Args:
        files: The files of the folder.
        root: Its tree.
        layout: The class folders found in it.

    Raises:
        DataError: The two divide the images into classes differently.
    """
    tables = [ref for folder in _places_of_tables(root) for ref in tables_in(folder)]
    if not tables:
        return
    folders: dict[str, int | None] = {}
    for ref, label, _ in layout.files:
        folders[ref] = label
        name = PurePosixPath(ref).name
        folders[name] = label if folders.get(name, label) == label else None
    for table in tables:
        said = list(_said(files, table, folders))
        # Other labels with the same class names are predictions or notes.
        if 2 * sum(label in layout.labels for _, label in said) >= max(1, len(said)):
            continue
        if where := _contradiction(said, layout.labels):
            raise DataError(
                f"Class folders and a table beside them must agree. Received: images of {where} in {table} of "
                f"{as_utf8(files.source)}. Move the table away to go by the folders; to go by the table, run: "
                f"{command(f'{files.folder}/{table}')}"
            )


def _said(files: Files, table: str, folders: Mapping[str, int | None]) -> Iterator[tuple[int, str]]:
    """Per line that names an image of a class folder: the class of the folder and the label of the line."""
    head, *rows = rows_of(files, table) or [[]]
    column = label_column(head)
    if column is None or holds_predictions(head):
        return
    base = str(PurePosixPath(table).parent)
    for row in rows:
        cells = [folders.get(joined_path(base, cell), folders.get(cell)) for cell in row]
        folder = next((found for found in cells if found is not None), None)
        if folder is not None and len(row) > column:
            yield folder, row[column]


def _contradiction(said: Iterable[tuple[int, str]], labels: tuple[str, ...]) -> str:
    """Describes where a table groups images differently from the folders; empty if it does not.

    Names may differ, such as ``n01443537`` and ``goldfish``, as long as the groups are the same.
    """
    by_folder: dict[int, str] = {}
    by_label: dict[str, int] = {}
    for folder, label in said:
        if by_folder.setdefault(folder, label) != label:
            return f"{labels[folder]!r} are {by_folder[folder]!r} and {label!r}"
        if by_label.setdefault(label, folder) != folder:
            return f"{labels[by_label[label]]!r} and {labels[folder]!r} are {label!r}"
    return ""


def _places_of_tables(root: Folder) -> Iterator[Folder]:
    """Names of the folders above the class folders: levels and splits."""
    top = root
    for top in levels_of(root):
        yield top
    yield from (folder for name, folder in top.folders.items() if split_name(name) is not None)
