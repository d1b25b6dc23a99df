"""Finds the folders of train and val: by exact names, or by names that differ in one word."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from edge_runtime.bundle.labels import settled
from edge_runtime.common.errors import DataError
from edge_runtime.dataset.ambiguous_folders import refuse_several, refuse_sides
from edge_runtime.dataset.imageset import Split
from edge_runtime.dataset.layout import (
    TRAIN_NAMES,
    VAL_NAMES,
    Folder,
    is_place,
    says_unlabelled,
    split_name,
    without_neutral,
)


class OnlySide(NamedTuple):
    """A split that is the whole set.

    Attributes:
        name: Its folder.
        path: Path of the class folders, including that folder.
        folder: The folder that holds the class folders.
        split: The split of its images; None to decide by content.
        why: Why the other folders are not part of the set.
    """

    name: str
    path: str
    folder: Folder
    split: Split | None
    why: str


def find_sides(top: Folder, place: str) -> tuple[str, str] | None:
    """Finds the folders of train and val.

    Args:
        top: The folder that may hold them.
        place: Its path for messages.

    Returns:
        Their names; None unless both exist.

    Raises:
        DataError: There are more than two candidates.
    """
    train, val = _exact(top, TRAIN_NAMES, place), _exact(top, VAL_NAMES, place)
    if train is not None and val is not None:
        return train, val
    found = _alike(top, place)
    if found is None:
        _refuse_unmarked(top, place)
    return found


def only_side(top: Folder, place: str) -> OnlySide | None:
    """Finds the only split of a set, beside folders that belong to no split.

    Args:
        top: The folder that may hold it, but not both train and val.
        place: Its path for messages.

    Raises:
        DataError: Beside the split is a folder that may be the other split, or a class.
    """
    name = _exact(top, TRAIN_NAMES, place) or _exact(top, VAL_NAMES, place) or _one_like_a_split(top)
    if name is None or len(top.folders) < 2:
        return None
    path, folder = inner_folder(top, name)
    if len(folder.folders) < 2:
        return None
    side = split_name(name)
    assert side is not None
    others = {other: found for other, found in top.with_images().items() if other != name}
    if side.role == "train" and all(
        may_lack_labels(other) and not _has_classes(top, other) for other in others
    ):
        return OnlySide(name, path, folder, None, "has no class folder")
    if side.role != "train" and all(_is_test(other) for other in others):
        return OnlySide(name, path, folder, "val", "neither in the train nor in the val folder")
    if side.rest:
        # Unlike anything beside it: a class with folders in it, such as train_station.
        return None
    refuse_sides(top, name, "val" if side.role == "train" else "train", place)


def _one_like_a_split(top: Folder) -> str | None:
    """The only folder with images whose name is that of a split and not of unlabelled images."""
    found = [name for name in top.with_images() if split_name(name) is not None and not may_lack_labels(name)]
    return found[0] if len(found) == 1 else None


def _has_classes(top: Folder, name: str) -> bool:
    return len(inner_folder(top, name)[1].with_images()) > 1


def inner_folder(top: Folder, name: str) -> tuple[str, Folder]:
    """Skips nested folders of a split, such as ``train/train`` and ``train/images``.

    Args:
        top: The folder that holds the split.
        name: The folder of the split.

    Returns:
        Path below ``top``, and the folder that holds class folders or images.
    """
    path, folder, side = name, top.folders[name], split_name(name)
    while not folder.images and len(holding := folder.with_images()) == 1:
        ((inner, found),) = holding.items()
        same = (split := split_name(inner)) is not None and side is not None and split.role == side.role
        if not (is_place(inner) or inner == name or same):
            break
        path, folder = f"{path}/{inner}", found
    return path, folder


def is_unlabelled(name: str, folder: Folder, classes: Collection[str]) -> bool:
    """Whether a folder beside train holds unlabelled images, as in competitions.

    Args:
        name: Its name.
        folder: The folder.
        classes: The class names of train.
    """
    return (
        is_test_side(name)
        and len(folder.with_images()) < 2
        and not any(settled(found) in classes for found in folder.folders)
    )


def _refuse_unmarked(top: Folder, place: str) -> None:
    """Rejects ``rps`` beside ``rps-test-set`` with the same classes: only one name says which split it is."""
    inside = {name: inner_folder(top, name)[1].with_images().keys() for name in top.with_images()}
    unmarked = {without_neutral(name): name for name in inside if split_name(name) is None}
    for name, classes in inside.items():
        side = split_name(name)
        other = unmarked.get(side.rest) if side is not None and side.rest else None
        if other is not None and len(classes & inside[other]) > 1:
            refuse_several(top, other, place)


def is_test_side(name: str) -> bool:
    """Whether the folder beside train has a name used for unlabelled images.

    Args:
        name: Its name; beside ``asl_train`` also ``asl_test``, which alone may be a class.
    """
    side = split_name(name)
    return (side is not None and side.role == "test") or says_unlabelled(name)


def _exact(top: Folder, names: tuple[str, ...], place: str) -> str | None:
    """The folder with the first of these names, in any case."""
    found: dict[str, str] = {}
    for name in top.folders:
        lowered = name.lower()
        if lowered in names and (other := found.setdefault(lowered, name)) != name:
            raise DataError(
                f"A split must be one folder. Received: {other} and {name} in {place}. Merge them or rename one."
            )
    return next((found[name] for name in names if name in found), None)


def _alike(top: Folder, place: str) -> tuple[str, str] | None:
    """Pairs such as ``seg_train`` and ``seg_test``, or ``train`` and ``test1``."""
    holding = top.with_images()
    sides: dict[str, dict[str, list[str]]] = {}
    for name in holding:
        if (found := split_name(name)) is not None:
            sides.setdefault(found.rest, {}).setdefault(found.role, []).append(name)
    pairs = {rest: roles for rest, roles in sides.items() if "train" in roles and len(roles) > 1}
    if not pairs:
        return None
    rest, roles = next(iter(pairs.items()))
    trains, tests = roles["train"], roles.get("test", [])
    vals = roles.get("val", tests)
    known = {*trains, *tests, *vals}
    # Other folders with images may be classes, or splits of another pair.
    others = [name for name in holding if name not in known and not says_unlabelled(name)]
    if rest and others and not any(folder.folders for folder in holding.values()):
        # Classes with a common word: train_ticket, test_ticket, bus_ticket.
        return None
    if len(trains) > 1 or len(vals) > 1 or others:
        refuse_several(top, trains[0], place)
    return trains[0], vals[0]


def _is_test(name: str) -> bool:
    side = split_name(name)
    return side is not None and side.role == "test" and not side.rest


def may_lack_labels(name: str) -> bool:
    """Whether a folder or file has a name used for unlabelled images of a competition.

    Args:
        name: Its name without suffix, such as ``test1``, ``seg_pred`` or ``sample_submission``.
    """
    return _is_test(name) or says_unlabelled(name)
