"""The live line: what it says in which width, and that it is one line in every one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.progress import Event
from trainer.progress.console import MAX_BAR, Reading, duration, progress_line, speed

WHOLE = Reading(Event("fine-tune", 1234, 5000, epoch=12, epochs=20), 70.0, 812.4, 42.0, 0.912, 0.92)


def test_everything_is_shown_where_there_is_room() -> None:
    line = progress_line(WHOLE, 120).plain
    words = ("fine-tune", "epoch 12/20", "1234/5000", "812 img/s", "0:42 left", "val 91.2%", "best 92.0%")
    places = [line.index(word) for word in words]
    assert places == sorted(places)
    assert "━━━━━━━━" in line


@pytest.mark.parametrize("width", [60, 80])
def test_narrow_terminals_keep_what_matters_most(width: int) -> None:
    line = progress_line(WHOLE, width).plain
    for word in ("fine-tune", "━━━━━━━━", "812 img/s", "0:42 left", "val 91.2%"):
        assert word in line
    assert ("epoch 12/20" in line) == (width == 80)


def test_what_is_not_known_is_not_shown() -> None:
    bare = Reading(Event("model"), 5.2, None, None, None, None)
    assert progress_line(bare, 80).plain == "model  0:05"
    assert progress_line(replace(bare, elapsed=0.2), 80).plain == "model"
    line = progress_line(replace(WHOLE, images_per_second=None, val=None, best=None), 120).plain
    assert "img/s" not in line
    assert "val" not in line


def test_val_is_for_training_alone() -> None:
    assert "91.2%" not in progress_line(replace(WHOLE, event=Event("evaluate", 1234, 5000)), 120).plain


def test_bar_grows_with_the_work() -> None:
    def green(done: int) -> int:
        line = progress_line(
            replace(WHOLE, event=replace(WHOLE.event, done=done)), 120, ascii_only=True
        ).plain
        assert line.count("#") + line.count("-") - line.count("fine-tune") == MAX_BAR
        return line.count("#")

    assert [green(0), green(5000)] == [0, MAX_BAR]
    assert green(1000) < green(2000) < green(4000)


def test_ascii_terminals_get_ascii() -> None:
    assert progress_line(WHOLE, 60, ascii_only=True).plain.isascii()
    assert progress_line(WHOLE, 12, ascii_only=True).plain.isascii()


@given(
    st.builds(
        Reading,
        event=st.builds(
            Event,
            stage=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30),
            done=st.integers(0, 10**7), total=st.integers(0, 10**7), epoch=st.integers(0, 9999),
            epochs=st.integers(0, 9999),
        ),
        elapsed=st.floats(0, 1e6),
        images_per_second=st.none() | st.floats(0.01, 1e6), left=st.none() | st.floats(0, 1e6),
        val=st.none() | st.floats(0, 1), best=st.none() | st.floats(0, 1),
    ),
    st.integers(1, 200),
)  # fmt: skip
def test_line_fits_any_width(reading: Reading, width: int) -> None:
    line = progress_line(reading, width)
    assert line.cell_len <= width
    assert "\n" not in line.plain


def test_numbers_are_for_people() -> None:
    assert [duration(value) for value in (0, 42.4, 725, 3723)] == ["0:00", "0:42", "12:05", "1:02:03"]
    assert [speed(value) for value in (8.44, 41.6, 1240.0)] == ["8.4 img/s", "42 img/s", "1,240 img/s"]
