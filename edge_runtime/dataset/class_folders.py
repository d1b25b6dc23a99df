"""Trees of class folders: decides which folder is a split and which a class; rejects ambiguous ones.

::

    tree -> top       skip a single enclosing folder, or images/ beside lists and boxes
         -> sides     train and val, by their names and by the class folders in them
         -> double    ``flowers/flowers/rose`` beside ``flowers/rose`` is read once
         -> classes   the class folders of train, or of top, split by content
"""

from __future__ import annotations

from collections.abc import Mapping

from edge_runtime.bundle.labels import settled
from edge_runtime.common.errors import DataError
from edge_runtime.common.text import as_utf8
from edge_runtime.dataset.ambiguous_folders import (
    CURE,
    command,
    content_of,
    or_the_only_set,
    refuse_flat,
    refuse_flat_sides,
    refuse_flat_val,
    refuse_parts,
)
from edge_runtime.dataset.files import Files, looks_like_image
from edge_runtime.dataset.imageset import Split, class_order
from edge_runtime.dataset.layout import (
    Folder,
    LabelledFiles,
    are_images_and_companions,
    are_parts,
    are_splits,
    is_place,
    is_train,
    may_be_parts,
    split_name,
)
from edge_runtime.dataset.split_folders import find_sides, inner_folder, is_unlabelled, only_side

_Placed = list[tuple[str, int, Split | None]]


def read_class_folders(root: Folder, files: Files) -> LabelledFiles:
    """Finds splits and classes.

    Args:
        root: The whole tree; duplicate copies of class folders are removed from it.
        files: The files of the tree.

    Raises:
        DataError: It is not a tree of class folders, or it is ambiguous.
    """
    root.count_images(lambda ref: looks_like_image(files, ref))
    return _Reader(files).read(root)


class _Reader:
    """Reads one tree and records the files that are not part of it."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._skipped: list[str] = []

    def read(self, root: Folder) -> LabelledFiles:
        top, place, only = self._looked_through(root)
        sides = find_sides(top, place)
        if sides is None and (found := only_side(top, place)) is not None:
            self._skip_others(top, {found.name}, found.why)
            top, place, only = found.folder, f"{place}/{found.path}", found.split
        if sides is not None:
            return self._two_sides(top, sides, place)
        self._skipped += drop_double(top, self._files, place)
        classes = self._classes(top, self._shown(place), place)
        return self._layout(tuple(classes), self._placed(classes, tuple(classes), only))

    def _looked_through(self, top: Folder) -> tuple[Folder, str, Split | None]:
        """Enters a single enclosing folder, as zipping a folder creates it."""
        place = self._files.folder
        only: Split | None = None
        while (name := _around_everything(top)) is not None:
            self._skip_others(top, {name}, f"not in {name}")
            side = split_name(name)
            if side is not None and not side.rest:
                # val/ or test/ alone is all val; train/ alone is split by content.
                only = None if side.role == "train" else "val"
            top, place = top.folders[name], f"{place}/{name}"
        return top, place, only

    def _two_sides(self, top: Folder, sides: tuple[str, str], place: str) -> LabelledFiles:
        train_path, train = inner_folder(top, sides[0])
        val_path, val = inner_folder(top, sides[1])
        if not train.folders and not val.folders:
            refuse_flat_sides(train_path, val_path, train, top, place)
        self._skip_others(top, set(sides), "neither in the train nor in the val folder")
        for folder, path in ((train, train_path), (val, val_path)):
            self._skipped += drop_double(folder, self._files, f"{place}/{path}")
        classes = self._classes(train, f"{self._files.source} ({sides[0]})", f"{place}/{train_path}")
        names = tuple(classes)
        if is_unlabelled(sides[1], val, names):
            self._skipped += [f"{ref}: has no class folder" for ref in val.refs()]
            return self._layout(names, self._placed(classes, names, None))
        if not val.folders:
            refuse_flat_val(train_path, val_path, val, place)
        judged = _by_class(val, f"{place}/{val_path}")
        unknown = sorted(as_utf8(name) for name in judged if name not in classes)
        if unknown:
            raise DataError(
                f"A class in val must be a class in train. Received: {', '.join(unknown[:5])} in "
                f"{self._files.source}, train has {', '.join(names[:8])}. Rename the folder or add it to train."
            )
        self._skipped += [f"{ref}: not in a class folder" for ref in val.files.values()]
        placed = self._placed(classes, names, "train")
        held_out = self._placed(judged, names, "val")
        if not held_out:
            raise DataError(
                f"val must hold images. Received: none in {self._files.source}. Add some per class."
            )
        return self._layout(names, placed + held_out)

    def _classes(self, folder: Folder, source: str, place: str) -> dict[str, Folder]:
        """The class folders in class order; each of them holds images."""
        _check_folders(folder, place)
        found = _by_class(folder, place)
        names = class_order(found)
        if not names:
            what = f"{len(folder.files)} files and no sub-folder" if folder.files else "an empty folder"
            if folder.images:
                refuse_flat("", folder, folder, place)
            raise DataError(f"DATA must hold one sub-folder per class. Received: {what} in {source}. {CURE}")
        empty = [name for name in names if not found[name].all_images]
        if empty:
            raise DataError(
                f"A class folder must hold images. Received: none in {empty[0]!r} of {source}. "
                f"Add images or remove the folder{or_the_only_set(folder, place)}"
            )
        if len(names) < 2:
            raise DataError(
                f"DATA must have at least two classes. Received: 1 class folder, {names[0]!r}, in {source}. {CURE}"
            )
        self._skipped += [f"{ref}: not in a class folder" for ref in folder.files.values()]
        return {name: found[name] for name in names}

    def _placed(self, classes: Mapping[str, Folder], names: tuple[str, ...], split: Split | None) -> _Placed:
        """The images of the class folders; records the other files."""
        placed: _Placed = []
        for label, name in enumerate(names):
            for ref in classes[name].refs() if name in classes else ():
                if looks_like_image(self._files, ref):
                    placed.append((ref, label, split))
                else:
                    self._skipped.append(f"{ref}: not an image")
        return placed

    def _shown(self, place: str) -> str:
        """A path below the source, for messages."""
        return self._files.source + place.removeprefix(self._files.folder)

    def _skip_others(self, top: Folder, used: set[str], why: str) -> None:
        """Records everything except the used folders."""
        self._skipped += [f"{ref}: not in a class folder" for ref in top.files.values()]
        for name, folder in top.folders.items():
            if name not in used:
                self._skipped += [f"{ref}: {why}" for ref in folder.refs()]

    def _layout(self, names: tuple[str, ...], placed: _Placed) -> LabelledFiles:
        return LabelledFiles(names, tuple(placed), tuple(self._skipped))


def _around_everything(top: Folder) -> str | None:
    """Name of the folder that holds the set."""
    if len(top.folders) == 1:
        name = next(iter(top.folders))
        return name if top.folders[name].folders else None
    holding = list(top.with_images())
    # Beside images/ there are lists or boxes; a folder with another name may be a class beside empty ones.
    if len(holding) == 1 and not top.images and is_place(holding[0]):
        return holding[0] if len(top.folders[holding[0]].with_images()) > 1 else None
    return None


def _by_class(folder: Folder, place: str) -> dict[str, Folder]:
    """Sub-folders by class name."""
    found: dict[str, str] = {}
    for name in folder.folders:
        if (other := found.setdefault(settled(name), name)) != name:
            raise DataError(
                f"Class names must differ in more than white space. Received: {other!r} and {name!r} in "
                f"{as_utf8(place)}. Merge the two folders or rename one."
            )
    return {label: folder.folders[name] for label, name in found.items()}


def _check_folders(folder: Folder, place: str) -> None:
    """Rejects sub-folders whose names cannot be classes."""
    holding = folder.with_images()
    flat = {name: inner for name, inner in holding.items() if not inner.with_images()}
    if (
        are_images_and_companions(folder.folders)
        or are_splits(holding)
        or (len(holding) == 1 and is_place(next(iter(holding))))
    ):
        name, first = max((flat or holding).items(), key=lambda found: is_train(found[0]))
        refuse_flat(name, first, folder, place)
    inside = [frozenset(inner.with_images()) for inner in holding.values()]
    alike = len(set(inside)) == 1 and len(inside[0]) > 1
    if are_parts(holding) or (may_be_parts(holding) and alike):
        refuse_parts(folder, place)


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
        if inner.images or not all(
            _is_copy(found, again.get(other), files) for other, found in outer.items()
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
