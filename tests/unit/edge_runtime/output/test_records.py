"""Answers -> CSV and JSON lines."""

from __future__ import annotations

import csv
import io
import json

import pytest

from edge_runtime.common.errors import ImageError
from edge_runtime.engines.result import Prediction, Result
from edge_runtime.output.records import CsvWriter, JsonLinesWriter, columns

GOOD = Result((Prediction("a", 0, 0.75), Prediction("b", 1, 0.25)), 0.5)


def table(*answers: tuple[str, Result | ImageError], classes: int = 2) -> list[list[str]]:
    stream = io.StringIO()
    writer = CsvWriter(stream, classes)
    for name, answer in answers:
        writer.write(name, answer)
    writer.finish()
    return list(csv.reader(io.StringIO(stream.getvalue())))


def test_csv_has_the_documented_columns() -> None:
    header, good, bad, empty = table(
        ("x.png", GOOD), ("y.png", ImageError("broken, twice")), ("z.png", Result((), 0.1)), classes=3
    )
    assert header == columns(3)
    assert header == [
        "file",
        "error",
        "label",
        "score",
        "label_1",
        "score_1",
        "label_2",
        "score_2",
        "label_3",
        "score_3",
    ]
    assert good == ["x.png", "", "a", "0.75", "a", "0.75", "b", "0.25", "", ""]
    assert bad == ["y.png", "broken, twice", *[""] * 8]
    assert empty == ["z.png", *[""] * 9]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_cell_is_never_a_formula(sign: str) -> None:
    label = f'{sign}HYPERLINK("http://example.org";"a")'
    result = Result((Prediction(label, 0, 1.0),), 1.0)
    _, row = table((f"{sign}1.png", result), classes=1)
    assert row[0] == f"./{sign}1.png"
    assert row[2] == row[4] == f"'{label}"


def test_csv_names_survive_quotes_commas_and_line_breaks() -> None:
    name = 'a "b", c\nd.png'
    assert table((name, GOOD))[1][0] == name
    assert table(("-", GOOD))[1][0] == "-"


def test_json_line_of_an_error_has_no_label() -> None:
    stream = io.StringIO()
    writer = JsonLinesWriter(stream)
    writer.write("x.png", GOOD)
    writer.write("y.png", ImageError("broken"))
    good, bad = map(json.loads, stream.getvalue().splitlines())
    assert good == {"image": "x.png", **GOOD.to_dict()}
    assert bad == {"image": "y.png", "error": "broken"}


RULED = Result(
    (Prediction("a", 0, 0.75),), 0.5, known=True, answered=False,
    candidates=(Prediction("a", 0, 0.75), Prediction('=b", 1', 1, 0.25)),
)  # fmt: skip


def test_csv_columns_of_rules_are_those_that_the_artifact_has() -> None:
    stream = io.StringIO()
    writer = CsvWriter(stream, 1, ("answered", "candidates"))
    for answer in (RULED, ImageError("broken"), Result((), 0.1, answered=True, candidates=())):
        writer.write("x.png", answer)
    header, good, bad, empty = csv.reader(io.StringIO(stream.getvalue()))
    assert header == ["file", "error", "label", "score", "answered", "candidates", "label_1", "score_1"]
    assert good[4] == "false"
    assert json.loads(good[5]) == ["a", '=b", 1']
    assert bad == ["x.png", "broken", *[""] * 6]
    assert empty == ["x.png", "", "", "", "true", "[]", "", ""]
