"""Texts of others in messages: short, on one line, writable anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.common.errors import SnapshipError, UnknownNameError, UsageError
from edge_runtime.common.text import MAX_MESSAGE, MAX_QUOTED, bounded, cut, quoted, shortened
from edge_runtime.options import ResultOptions
from serverless.app.core.http_problems import UnauthorizedError

# Half characters too, which JSON can write and UTF-8 cannot.
TEXTS = st.builds(
    lambda unit, count, end: unit * count + end,
    st.text(st.characters(), min_size=1, max_size=4),
    st.integers(0, 5_000),
    st.text(st.characters(), max_size=5),
)


@given(text=TEXTS, most=st.integers(60, 300))
def test_cut_keeps_both_ends_and_counts_the_rest(text: str, most: int) -> None:
    found = cut(text, most)
    assert len(found) <= most
    if len(text) <= most:
        assert found == text
    else:
        start, note, end = found.rpartition(" characters left out) ...")
        before, _, count = start.rpartition("... (")
        assert note
        assert text.startswith(before)
        assert text.endswith(end)
        assert len(before) + int(count.replace(",", "")) + len(end) == len(text)
        # Most of what may be shown is shown.
        assert len(found) >= most - 5


@given(text=TEXTS)
def test_what_is_shown_of_a_text_is_one_printable_line(text: str) -> None:
    for found in (shortened(text), quoted(text), quoted([text]), quoted({text: 1})):
        assert found.isprintable() or not found
        # An escape has ten characters at most.
        assert len(found) <= 10 * MAX_QUOTED
    assert len(shortened(text)) <= MAX_QUOTED or not shortened(text).isascii() or "\\" in shortened(text)


def test_short_texts_stay_as_they_are() -> None:
    assert quoted("photo.jpg") == "'photo.jpg'"
    assert quoted(3) == "3"
    assert shortened("café 犬") == "café 犬"
    assert shortened("two\nlines\t\x1b[31m") == r"two lines \x1b[31m"
    assert bounded("two\nlines \ud800") == "two\nlines \\ud800"


@given(text=TEXTS)
def test_no_error_of_ours_is_longer_than_a_message_may_be(text: str) -> None:
    long = text * 20
    for error in (
        SnapshipError(long),
        UnauthorizedError(long, wrong=True),
        UnknownNameError.of("artifact", long, [long, "b"]),
    ):
        message = str(error)
        assert len(message) <= 10 * MAX_MESSAGE
        message.encode("utf-8")
    message = str(UsageError(f"A name must be short. Received: {'x' * 5_000_000}. Shorten it."))
    assert len(message) <= MAX_MESSAGE
    assert message.startswith("A name must be short. Received: xxx")
    assert message.endswith("xxx. Shorten it.")


@pytest.mark.parametrize(
    "options", [{"category_allowlist": "x" * 100_000}, {"category_denylist": [b"x" * 100_000]}]
)
def test_options_do_not_repeat_a_long_text(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="left out") as caught:
        ResultOptions(**options)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 500


def test_an_unknown_label_does_not_repeat_a_long_text() -> None:
    with pytest.raises(UnknownNameError, match="left out") as caught:
        ResultOptions(category_allowlist=["x" * 100_000]).bound_to(("y" * 100_000, "z"), 1.0)
    assert len(str(caught.value)) < 1_500
