"""Names of augmentations: what is understood, and what suits which data."""

from __future__ import annotations

import pytest

from edge_runtime.common.errors import UnknownNameError, UsageError
from trainer.augmentation.choices import FOR_ARRAYS, FOR_PHOTOS, parse_augmentations, resolve_augmentations


def test_auto_depends_on_the_data() -> None:
    assert resolve_augmentations("auto", arrays=False) == FOR_PHOTOS
    assert resolve_augmentations("auto", arrays=True) == FOR_ARRAYS
    # A mirrored digit is another sign.
    assert "flip" not in FOR_ARRAYS


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("none", ()),
        ("", ()),
        ("flip", ("flip",)),
        ("Zoom, flip,flip", ("flip", "zoom")),
        ("rand-augment", ("rand_augment",)),
        (["mixup", "crop"], ("crop", "mixup")),
        ((), ()),
    ],
)
def test_parse_takes_texts_and_lists(given: object, names: tuple[str, ...]) -> None:
    assert parse_augmentations(given) == names  # type: ignore[arg-type]


def test_parse_refuses_an_unknown_name_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"Received: 'blur'. Use one of: auto, none, brightness"):
        parse_augmentations("flip,blur")


@pytest.mark.parametrize("given", ["auto,flip", "none,flip", "auto,none"])
def test_parse_refuses_auto_in_a_list(given: str) -> None:
    with pytest.raises(UsageError, match="Remove auto and none from the list"):
        parse_augmentations(given)
