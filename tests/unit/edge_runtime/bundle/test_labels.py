"""Class names: one a line, each once."""

from __future__ import annotations

import pytest

from edge_runtime.bundle.labels import check_count, labels_text, parse_labels, validated
from edge_runtime.common.errors import BundleError


def test_reads_what_it_writes() -> None:
    labels = ("Löwenzahn", "tulip (red)", "日本")
    assert parse_labels(labels_text(labels)) == labels


def test_byte_order_mark_windows_line_breaks_and_empty_lines_at_the_end_are_dropped() -> None:
    assert parse_labels("\ufeffcat\r\ndog\r\n\r\n\n") == ("cat", "dog")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "without a label"),
        ("\n\n", "without a label"),
        ("cat\n\ndog\n", "index 1"),
    ],
)
def test_bad_text_is_a_one_line_error(text: str, words: str) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        parse_labels(text, "words.txt")
    assert "words.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_classes_may_have_one_name() -> None:
    # ImageNet has two cranes and two maillots.
    assert parse_labels("crane\ncrane\n") == ("crane", "crane")


def test_label_with_a_line_break_is_refused() -> None:
    with pytest.raises(BundleError, match="one line"):
        validated(["cat", "dog\nfish"])


def test_count_must_be_the_outputs() -> None:
    check_count(["a", "b"], 2)
    with pytest.raises(BundleError, match="2 labels, 3 outputs"):
        check_count(["a", "b"], 3)
