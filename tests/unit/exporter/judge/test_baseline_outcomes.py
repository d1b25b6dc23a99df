from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.common.errors import BundleError
from edge_runtime.dataset import Item
from exporter.judge.baseline import content_order, pack, unpack


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_pack_is_undone_by_unpack(right: list[bool]) -> None:
    assert unpack(pack(np.array(right)), len(right)).tolist() == right


def test_pack_reads_from_left_to_right() -> None:
    assert pack(np.array([True, False, False, False, True, True, True, True, True])) == "8f80"


@pytest.mark.parametrize("packed", ["", "8f", "8f8000", "zz80", "8f8"])
def test_unpack_refuses_what_is_not_a_bit_for_each_image(packed: str) -> None:
    with pytest.raises(BundleError, match="9 images"):
        unpack(packed, 9)


def test_content_order_does_not_depend_on_names_or_places() -> None:
    items = [Item("z", 0, "val", "bb"), Item("a", 1, "val", "aa"), Item("m", 1, "val", "bb")]
    labels = ("rose", "daisy")
    named = [(items[row].sha256, labels[items[row].label]) for row in content_order(items, labels)]
    moved = [Item("1", 1, "val", "bb"), Item("2", 0, "val", "bb"), Item("3", 1, "val", "aa")]
    assert named == [("aa", "daisy"), ("bb", "daisy"), ("bb", "rose")]
    assert [(moved[r].sha256, labels[moved[r].label]) for r in content_order(moved, labels)] == named
