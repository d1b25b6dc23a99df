"""The phone benchmarks run in their quick form, and the page shows what they found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import page, phone_routes, phone_speed
from benchmarks.browsers.protocol import Browser, Name
from benchmarks.result import read_results

pytestmark = pytest.mark.slow


@pytest.fixture
def words(
    bundle: Path, browsers: Callable[[Name], Browser], phone_packages: Path, tmp_path: Path
) -> list[str]:
    """The options that both share; skips where there is no browser."""
    browsers("chromium")
    return [
        "--quick", "--browsers", "chromium", "--made", str(bundle.parent),
        "--packages", str(phone_packages), "--results", str(tmp_path),
    ]  # fmt: skip


def test_quick_routes_tell_the_exact_way_from_the_others(words: list[str], tmp_path: Path) -> None:
    phone_routes.main(words)
    (result,) = read_results(tmp_path)
    assert result.quick
    ways = {str(row[0]): row for row in result.rows}
    assert set(phone_routes.WAYS.values()) <= set(ways)
    assert ways["the app"][3] == 1.0
    assert float(str(ways["the app"][4])) <= 1e-5
    assert [figure.missed for figure in result.figures] == [False]
    assert f"## {result.title}" in page.page([result])


def test_quick_speed_measures_each_way_beside_the_bare_engine(words: list[str], tmp_path: Path) -> None:
    phone_speed.main(words)
    (result,) = read_results(tmp_path)
    assert [row[0] for row in result.rows] == [*phone_speed.ANSWERS.values(), *phone_speed.STARTS.values()]
    assert all(isinstance(cell, float) and cell > 0 for row in result.rows for cell in row[2:])
    size = next(figure for figure in result.figures if "without its bundle" in figure.name)
    # What takes time is not judged by a test.
    assert not size.missed, size
    assert f"## {result.title}" in page.page([result])
