"""The table of docs/ci.md is the one of the stored result, which is what the code that ships gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import gate_size
from benchmarks.gate_rules import probability
from benchmarks.gate_size import (
    BEGIN,
    END,
    MARGINS,
    not_below,
    numbers,
    power,
    stored_power,
    table,
    with_table,
)


def test_table_in_the_docs_is_that_of_the_stored_result() -> None:
    page = gate_size.PAGE.read_text("utf-8")
    assert with_table(page, stored_power()) == page, "Run: python -m benchmarks.gate_size"


@pytest.mark.parametrize("n", [200, 1000])
def test_stored_powers_are_those_of_the_gate(n: int) -> None:
    (stored,) = [row[1:] for row in stored_power().rows if row[0] == n]
    assert list(stored) == pytest.approx([power(n, margin) for margin in MARGINS], abs=1e-6)


def test_stored_sizes_are_within_one_in_twenty() -> None:
    result = next(one for one in gate_size.read_results() if one.name == "gate-size")
    assert not result.quick
    assert [figure.missed for figure in result.figures] == [False, False]


def test_only_the_table_of_a_page_changes() -> None:
    page = f"before {BEGIN} old {END} after"
    made = with_table(page, stored_power())
    assert made.startswith(f"before {BEGIN}\n\n| images |")
    assert made.endswith(f" |\n\n{END} after")
    assert table(stored_power()) in made
    with pytest.raises(ValueError, match="unpack"):
        with_table("no marks", stored_power())


def test_all_numbers_of_images_are_tried_where_they_are_few() -> None:
    tried = numbers(dense=False, quick=False)
    assert tried[:181] == list(range(20, 201))
    assert tried[-1] == 5000
    assert max(np.diff(tried) / tried[:-1]) < 0.016 + 1 / 20
    assert len(numbers(dense=True, quick=False)) == 4981


def test_probability_by_hand() -> None:
    # None of two images is lost or won, or one is won: 0.9^2 + 2 * 0.9 * 0.06.
    assert probability(np.array([0, 0, -1]), 0.04, 0.06) == pytest.approx(0.81 + 2 * 0.9 * 0.06)
    # As many won as lost, or more: anything but one loss and a tie, or two losses.
    assert not_below(2, 0.04, 0.06) == pytest.approx(1 - 2 * 0.04 * 0.9 - 0.04**2)


def test_page_is_written_whole(tmp_path: Path) -> None:
    page = tmp_path / "ci.md"
    page.write_text(f"{BEGIN}{END}", "utf-8")
    gate_size.write_table(stored_power(), page)
    assert table(stored_power()) in page.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [page]
