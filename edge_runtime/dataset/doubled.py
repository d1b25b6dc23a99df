"""Duplicated class folders: ``flowers/flowers/rose`` beside ``flowers/rose``."""

from __future__ import annotations

from edge_runtime.dataset.files import Files
from edge_runtime.dataset.layout import Folder
from edge_runtime.dataset.unclear import command, content_of
from edge_runtime.errors import DataError


def drop_double(folder: Folder, files: Files, place: str) -> list[str]:
    """Removes the second copy of class folders from the tree.

    Some archives hold everything twice, and the inner folder would become a class of all images.

    Args:
        folder: The folder that holds the class folders; a copy is removed from it.
        files: The files it belongs to.
        place: Its path for messages.

    Returns:
        The files of the copy, as ``ref: reason``.

    Raises:
        DataError: The inner folder holds the same classes with other files.
    """
    holding = folder.with_images()
    for name, inner in holding.items():
        outer = {other: found for other, found in holding.items() if other != name}
        again = inner.with_images()
        if len(again.keys() & outer.keys()) < 2 or not (
            again.keys() <= outer.keys() or outer.keys() <= again.keys()
        ):
            continue
        if (
            not all(_is_copy(found, again.get(other), files) for other, found in outer.items())
            or inner.images
        ):
            raise DataError(
                f"Class folders must not occur twice. Received: {', '.join(sorted(outer)[:5])} both in {place} and in "
                f"its folder {name}, with other files ({content_of(folder)}). Move the images of one into the other, "
                f"or pass one: {command(f'{place}/{name}')}"
            )
        del folder.folders[name]
        return [f"{ref}: a copy of what lies beside {name}" for ref in inner.refs()]
    return []


def _is_copy(one: Folder, other: Folder | None, files: Files) -> bool:
    """Whether two folders hold the same files."""
    if other is None or one.files.keys() != other.files.keys() or one.folders.keys() != other.folders.keys():
        return False
    return all(_same(ref, other.files[name], files) for name, ref in one.files.items()) and all(
        _is_copy(folder, other.folders[name], files) for name, folder in one.folders.items()
    )


def _same(one: str, other: str, files: Files) -> bool:
    try:
        return files.size(one) == files.size(other) and files.read(one) == files.read(other)
    except DataError:
        return False
