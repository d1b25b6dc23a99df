"""Points that no other beats, by hand."""

from __future__ import annotations

from exporter.statistics.pareto import on_front


def test_pareto_set_by_hand() -> None:
    points = [(10.0, 5.0, -0.9), (3.0, 2.0, -0.89), (3.0, 3.0, -0.89), (4.0, 1.0, -0.8), (11.0, 6.0, -0.9)]
    assert on_front(points) == [True, True, False, True, False]


def test_equals_do_not_beat_each_other() -> None:
    assert on_front([(1.0, 1.0, -0.5), (1.0, 1.0, -0.5)]) == [True, True]
