"""The available augmentations, and the defaults for each kind of data. Does not load Keras."""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.common.errors import UnknownNameError, UsageError

AUGMENTATIONS: dict[str, str] = {
    "brightness": "lighter or darker by up to a fifth",
    "contrast": "stronger or weaker by up to 30 %",
    "crop": "a crop of 50 to 100 % of the area, enlarged to full size",
    "cutmix": "a box of another image pasted in, labels mixed in proportion (Yun et al. 2019)",
    "flip": "mirrored horizontally half of the time",
    "mixup": "two images blended, labels mixed in proportion (Zhang et al. 2018)",
    "rand_augment": "two of twelve changes, drawn at random (Cubuk et al. 2020)",
    "rotation": "turned by up to 10 degrees",
    "shift": "moved by up to 8 % of the side",
    "zoom": "enlarged or reduced by up to a fifth",
}
"""Every augmentation by name, with its description."""

MIXING = frozenset({"cutmix", "mixup"})
"""Augmentations that need a second image; they cannot be cached per image."""

FOR_PHOTOS = ("crop", "flip")
"""What ``auto`` means for image files."""

FOR_ARRAYS = ("shift",)
"""What ``auto`` means for digits and other arrays; a mirrored digit is no digit."""


def parse_augmentations(augment: str | Sequence[str]) -> str | tuple[str, ...]:
    """Returns ``auto`` or the sorted names, each once.

    Args:
        augment: ``auto``, ``none``, a name, several separated by commas, or a sequence of names.

    Raises:
        UnknownNameError: A name is unknown.
        UsageError: ``auto`` or ``none`` is combined with another name.
    """
    given = augment.split(",") if isinstance(augment, str) else list(augment)
    names = [name.strip().lower().replace("-", "_") for name in given if name.strip()]
    for name in names:
        if name not in AUGMENTATIONS and name not in ("auto", "none"):
            raise UnknownNameError.of("augmentation", name, ("auto", "none", *AUGMENTATIONS))
    if len(set(names)) > 1 and {"auto", "none"} & set(names):
        raise UsageError(
            f"augment must be auto, none or a list of names. Received: {','.join(names)}. "
            "Remove auto and none from the list."
        )
    if names[:1] == ["auto"]:
        return "auto"
    return tuple(sorted(set(names) - {"none"}))


def resolve_augmentations(augment: str | Sequence[str], arrays: bool) -> tuple[str, ...]:
    """Returns the names, with ``auto`` replaced by the defaults for the data.

    Args:
        augment: As for :func:`parse_augmentations`.
        arrays: Whether the data is arrays of a fixed size rather than image files.
    """
    names = parse_augmentations(augment)
    if isinstance(names, str):
        return FOR_ARRAYS if arrays else FOR_PHOTOS
    return names
