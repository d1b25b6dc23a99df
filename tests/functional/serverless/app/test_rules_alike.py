"""A bundle's rules say the same of the same images in Python, on the command line, over HTTP and in an event."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from edge_runtime import Classifier
from edge_runtime.bundle.rules import AbstainRule, KnownRule, Rules, SetRule
from serverless.app import create_app
from serverless.app.entry import load_handler
from snapship.cli import cli

KIND = "tflite-fp32"

# Of the six golden digits, one is not known and one is known but not sure; see test_all_verdicts_occur.
RULES = Rules(
    350, "0" * 64, abstain=AbstainRule(0.05, "top", 0.95, 320, 6), sets=SetRule(0.9, 0.05),
    known=KnownRule("entropy", -0.4, 0.95),
)  # fmt: skip


@pytest.fixture(scope="module")
def ruled(
    digits_bundle: Path, put_rules: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("ruled") / "digits.bundle"
    shutil.copytree(digits_bundle, folder)
    put_rules(folder, RULES)
    return folder


@pytest.fixture(scope="module")
def pictures(ruled: Path) -> list[Path]:
    return sorted((ruled / "golden").glob("*.png"))


@pytest.fixture(scope="module")
def expected(ruled: Path, pictures: list[Path]) -> list[dict[str, Any]]:
    with Classifier.open(ruled, KIND) as classifier:
        found = [classifier.classify(picture).to_dict() for picture in pictures]
        assert [one.to_dict() for one in classifier.classify_many(pictures, workers=2) if one] == found
        return found


def ask(bundle: Path, path: str, **options: Any) -> dict[str, Any]:
    app = create_app(bundle, artifact=KIND, log="json")

    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request("POST" if options else "GET", path, **options)

    answer = asyncio.run(once())
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def results(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(one)) for one in answer["results"]]


def test_all_verdicts_occur(expected: list[dict[str, Any]]) -> None:
    said = [(one["known"], one["answered"]) for one in expected]
    assert set(said) == {(True, True), (True, False), (False, False)}
    assert {len(one["candidates"]) for one in expected} >= {1, 2}


def test_the_command_line_says_the_same(
    ruled: Path, pictures: list[Path], expected: list[dict[str, Any]]
) -> None:
    words = ["predict", str(ruled), *map(str, pictures), "--artifact", KIND]
    lines = CliRunner().invoke(cli, [*words, "--json"])
    assert lines.exit_code == 0, lines.output
    assert [json.loads(line) for line in lines.stdout.splitlines()] == [
        {"image": str(picture), **one} for picture, one in zip(pictures, expected, strict=True)
    ]
    rows = list(csv.DictReader(io.StringIO(CliRunner().invoke(cli, [*words, "--format", "csv"]).stdout)))
    for row, one in zip(rows, expected, strict=True):
        assert {name: json.loads(row[name]) for name in ("known", "answered")} == {
            name: one[name] for name in ("known", "answered")
        }
        assert json.loads(row["candidates"]) == [entry["label"] for entry in one["candidates"]]
    plain = CliRunner().invoke(cli, words).stdout.splitlines()
    for line, one in zip(plain, expected, strict=True):
        word = "unknown" if not one["known"] else "answered" if one["answered"] else "not sure"
        assert line.split("  ")[1] == word
        assert ("candidates: " in line) is one["known"]


def test_parquet_has_truth_values_and_lists(
    ruled: Path, pictures: list[Path], expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "answers.parquet"
    words = ["predict", str(ruled), *map(str, pictures), "--artifact", KIND, "--format", "parquet"]
    assert CliRunner().invoke(cli, [*words, "--out", str(out)]).exit_code == 0
    for row, one in zip(parquet.read_table(out).to_pylist(), expected, strict=True):
        assert (row["known"], row["answered"]) == (one["known"], one["answered"])
        assert row["candidates"] == [entry["label"] for entry in one["candidates"]]


def test_http_and_events_say_the_same(
    ruled: Path, pictures: list[Path], expected: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"images": [base64.b64encode(picture.read_bytes()).decode() for picture in pictures]}
    assert results(ask(ruled, "/classify", json=body)) == expected
    capsys.readouterr()
    for picture, one in zip(pictures, expected, strict=True):
        answer = ask(ruled, "/classify", content=picture.read_bytes())
        assert {name: answer[name] for name in one} == one
        (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        assert (line["known"], line["answered"]) == (one["known"], one["answered"])
    handler = load_handler({"SNAPSHIP_BUNDLE": str(ruled), "SNAPSHIP_ARTIFACT": KIND})
    event = handler(body, SimpleNamespace(aws_request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd"))
    assert results(event) == expected
    told = ask(ruled, "/info")["model"]["rules"]
    assert told["abstain"]["threshold"] == 0.95
    assert told["known"]["score"] == "entropy"


def test_a_threshold_of_the_caller_leaves_known_and_candidates_alone(
    ruled: Path, pictures: list[Path]
) -> None:
    answer = ask(ruled, "/classify?score_threshold=1", content=pictures[0].read_bytes())
    assert answer["label"] is None
    assert (answer["known"], answer["answered"]) == (True, False)
    assert [entry["label"] for entry in answer["candidates"]] == ["0"]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    label: str
    index: int
    score: float


class _Old(msgspec.Struct):
    """What a client of the time before there were rules reads."""

    label: str | None
    score: float | None
    margin: float
    predictions: list[_Entry]
    model: dict[str, str]
    timing_ms: dict[str, float]


def test_an_old_client_reads_every_answer_and_sees_no_new_member_without_rules(
    ruled: Path, digits_bundle: Path, pictures: list[Path]
) -> None:
    image = pictures[0].read_bytes()
    plain = ask(digits_bundle, "/classify", content=image)
    assert list(plain) == list(_Old.__struct_fields__)
    new = ask(ruled, "/classify", content=image)
    old = {name: value for name, value in plain.items() if name != "timing_ms"}
    assert {name: new[name] for name in old} == old
    read = msgspec.convert(new, _Old)
    assert read.label == plain["label"]
    assert "rules" not in ask(digits_bundle, "/info")["model"]


def test_info_tells_the_rules_in_words(ruled: Path) -> None:
    shown = CliRunner().invoke(cli, ["info", str(ruled)])
    assert shown.exit_code == 0, shown.output
    assert "rules, made from 350 images" in shown.stdout
    assert "at most 5.0% are wrong, with 95% confidence (320 answered, 6 of them wrong)" in shown.stdout
