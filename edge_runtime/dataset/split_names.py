"""Hints from folder names: a split, a fold, or a place for images. A name alone proves nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from operator import or_
from typing import Literal, NamedTuple

from edge_runtime.dataset.layout import TEST_NAMES, TRAIN_NAMES, VAL_NAMES

Role = Literal["train", "val", "test"]


class SplitName(NamedTuple):
    """A name that may denote a split.

    Attributes:
        role: The split.
        rest: The other significant words, such as ``seg`` in ``seg_train``; mostly empty.
    """

    role: Role
    rest: str


_ROLES: dict[str, Role] = {
    **dict.fromkeys(VAL_NAMES, "val"),
    **dict.fromkeys(TEST_NAMES, "test"),
    **dict.fromkeys((*TRAIN_NAMES, "trainval"), "train"),
}
_SPLIT_WORD = re.compile(
    rf"({'|'.join(sorted(_ROLES, key=len, reverse=True))})(?:sets?|data|images?|imgs?|folder)?"
)
_NEUTRAL = re.compile(
    r"sets?|data|datasets?|images?|imgs?|photos?|pictures?|pics|folders?|splits?|subsets?|v|\d+"
)
"""Words that do not distinguish splits or classes: ``training_set``, ``train_2024``."""

_UNLABELLED = re.compile(r"pred|predict|predictions?|unlabell?ed|unknown|inference|submission")
_PLACES = re.compile(r"images?|imgs?|photos?|pictures?|pics|jpe?gs?|png|jpegimages|data|dataset")
_COMPANIONS = re.compile(
    r"annotations?|labels?|masks?|trimaps?|segmentations?|groundtruth|gt|bbox(es)?|box(es)?|xmls?|jsons?|txt|"
    r"meta|metadata"
)
"""Companions of images in sets for detection or segmentation."""

_STORES = re.compile(r"(.*\b)?(k?folds?|cv|splits?|shards?|chunks?|images?|imgs?|images? part) ?\d+")
"""Numbered parts of one set, such as ``fold_0`` and ``images_part_2``, whatever they hold."""

_PARTS = re.compile(r"(.*\b)?(parts?|batch(es)?|subsets?|sets?|groups?|folders?|sessions?|runs?) ?\d+")
"""The same, but also possible class names: parts only if each holds the same class folders."""


def split_name(name: str) -> SplitName | None:
    """Parses the name of a split.

    Args:
        name: A folder's name, such as ``Training_Set``, ``seg_test`` or ``val2017``.

    Returns:
        The split; None if no word or several words name one: ``contest``, ``train_val_split``.
    """
    found: list[Role] = []
    rest = []
    # In any case: a name such as tRAIN is one word.
    for word in [name.lower()] if name.lower() in _ROLES else _words(name):
        if (match := _SPLIT_WORD.fullmatch(word)) is not None:
            found.append(_ROLES[match[1]])
        elif _NEUTRAL.fullmatch(word) is None:
            rest.append(word)
    return SplitName(found[0], " ".join(rest)) if len(found) == 1 else None


def without_neutral(name: str) -> str:
    """The significant words, as in :attr:`SplitName.rest`: ``rps`` of ``rps-images-2``."""
    return " ".join(word for word in _words(name) if _NEUTRAL.fullmatch(word) is None)


def is_train(name: str) -> bool:
    """Whether a folder or table has the name of a train split, alone or in a pair."""
    side = split_name(name)
    return side is not None and side.role == "train"


def says_unlabelled(name: str) -> bool:
    """Whether a name is used for unlabelled images, such as ``seg_pred``."""
    return any(_UNLABELLED.fullmatch(word) for word in _words(name))


def is_place(name: str) -> bool:
    """Whether a name only says that there are images, such as ``images``."""
    return _PLACES.fullmatch("".join(_words(name))) is not None


def are_parts(names: Collection[str]) -> bool:
    """Whether all names are numbered folds or parts of one set."""
    return len(names) > 1 and all(_STORES.fullmatch(" ".join(_words(name))) for name in names)


def may_be_parts(names: Collection[str]) -> bool:
    """Whether all names are numbered, but also possible class names: ``batch_1``."""
    return len(names) > 1 and all(_PARTS.fullmatch(" ".join(_words(name))) for name in names)


def are_images_and_companions(names: Collection[str]) -> bool:
    """Whether the names are those of images and their companions, such as masks or boxes."""
    joined = ["".join(_words(name)) for name in names]
    places = [bool(_PLACES.fullmatch(name)) for name in joined]
    companions = [bool(_COMPANIONS.fullmatch(name)) for name in joined]
    return any(places) and any(companions) and all(map(or_, places, companions))


def are_splits(names: Collection[str]) -> bool:
    """Whether all names denote splits: plain ones, or any beside unlabelled images."""
    sides = {name: split_name(name) for name in names if not says_unlabelled(name)}
    if not sides or any(side is None for side in sides.values()):
        return False
    return len(sides) < len(names) or all(side is not None and not side.rest for side in sides.values())


def _words(name: str) -> list[str]:
    """The words and numbers of a name in lower case; ``TrainSet`` has two."""
    return [
        word.lower() for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|[^\W\d_]+|\d+", name)
    ]
