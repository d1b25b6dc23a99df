"""The augmentations there are, and which of them suit which data. Loads no Keras."""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.errors import UnknownNameError, UsageError

AUGMENTATIONS: dict[str, str] = {
    "brightness": "lighter or darker by up to a fifth",
    "contrast": "stronger or weaker by up to 30 %",
    "crop": "a part of 50 to 100 % of the area, enlarged to the whole",
    "cutmix": "a box of another image pasted in, labels in proportion (Yun et al. 2019)",
    "flip": "mirrored left and right half of the time",
    "mixup": "two images faded into each other, labels in proportion (Zhang et al. 2018)",
    "rand_augment": "two random changes of twelve (Cubuk et al. 2020)",
    "rotation": "turned by up to 10 degrees",
    "shift": "moved by up to 8 % of the side",
    "zoom": "enlarged or reduced by up to a fifth",
}
"""Every augmentation by name, with what it does."""

MIXING = frozenset({"cutmix", "mixup"})
"""Those that need a second image; they cannot be computed ahead for one."""

FOR_PHOTOS = ("crop", "flip")
"""What ``auto`` means for image files."""

FOR_ARRAYS = ("shift",)
"""What ``auto`` means for digits and other arrays, of which a mirrored one is another sign."""


def checked(augment: str | Sequence[str]) -> str | tuple[str, ...]:
    """Returns ``auto`` or the sorted names, each once.

    Args:
        augment: ``auto``, ``none``, a name, several separated by commas, or a sequence of names.

    Raises:
        UnknownNameError: A name that does not exist.
        UsageError: ``auto`` or ``none`` together with another name.
    """
    given = augment.split(",") if isinstance(augment, str) else list(augment)
    names = [name.strip().lower().replace("-", "_") for name in given if name.strip()]
    for name in names:
        if name not in AUGMENTATIONS and name not in ("auto", "none"):
            raise UnknownNameError.of("augmentation", name, ("auto", "none", *AUGMENTATIONS))
    if len(set(names)) > 1 and {"auto", "none"} & set(names):
        raise UsageError(
            f"augment must be auto, none or a list of names. Received: {','.join(names)}. "
            "Leave auto and none out of a list."
        )
    if names[:1] == ["auto"]:
        return "auto"
    return tuple(sorted(set(names) - {"none"}))


def chosen(augment: str | Sequence[str], arrays: bool) -> tuple[str, ...]:
    """The names that a configuration comes to for its data.

    Args:
        augment: As for :func:`checked`.
        arrays: Whether the data are arrays of a fixed size and not image files.
    """
    names = checked(augment)
    if isinstance(names, str):
        return FOR_ARRAYS if arrays else FOR_PHOTOS
    return names
