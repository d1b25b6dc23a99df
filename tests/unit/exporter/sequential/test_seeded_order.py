"""The order is that of contents and seed: names and places of files do not matter."""

from __future__ import annotations

from dataclasses import replace

from edge_runtime.dataset import ImageSet, Item
from exporter.sequential.seeded_order import in_seeded_order


def made(names: list[str]) -> ImageSet:
    items = tuple(Item(name, place % 2, "val", f"{place:064x}") for place, name in enumerate(names))
    return ImageSet("made", ("a", "b"), items, reader=lambda item: b"")


def contents(images: ImageSet) -> list[str]:
    return [item.sha256 for item in images.items]


def test_names_and_listing_do_not_change_the_order() -> None:
    one = made([f"x{place}.png" for place in range(50)])
    other = made([f"{place * 7 % 50}.png" for place in range(50)])
    turned = replace(other, items=other.items[::-1])
    assert contents(in_seeded_order(one, 3)) == contents(in_seeded_order(turned, 3))
    assert contents(in_seeded_order(one, 3)) != contents(in_seeded_order(one, 4))
    assert sorted(contents(in_seeded_order(one, 3))) == contents(one)


def test_one_more_image_leaves_the_others_in_order() -> None:
    few, more = made([f"{place}" for place in range(30)]), made([f"{place}" for place in range(31)])
    left = [item for item in contents(in_seeded_order(more, 0)) if item != f"{30:064x}"]
    assert left == contents(in_seeded_order(few, 0))


def test_copies_of_one_image_are_spread() -> None:
    items = tuple(
        Item(f"{place}", 0, "val", "0" * 64 if place < 10 else f"{place:064x}") for place in range(200)
    )
    images = in_seeded_order(ImageSet("made", ("a",), items, reader=lambda item: b""), 0)
    places = [place for place, item in enumerate(images.items) if item.sha256 == "0" * 64]
    assert len(places) == 10
    assert places[-1] - places[0] > 50
