"""``snapship check --sequential`` as its users call it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from edge_runtime.common.errors import GateFailedError, UsageError
from exporter.check_cli import check
from trainer import Run


def run(*arguments: object) -> Result:
    return CliRunner().invoke(check, [str(argument) for argument in arguments])


def test_stops_early_and_says_how(exported: Path, tmp_path: Path) -> None:
    options = (
        "--sequential",
        "--margin",
        "0.05",
        "--json",
        tmp_path / "c.json",
        "--junit",
        tmp_path / "c.xml",
    )
    done = run(exported, *options, "--github")
    assert done.exception is None, done.output
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["sequential"] == record["sequential"] | {"seed": 0, "images": 385, "whole": []}
    assert record["data_sha256"] != record["sequential"]["data_sha256"]
    taken = {kind: one["stop"]["images"] for kind, one in record["artifacts"].items()}
    assert max(taken.values()) == record["n"] < 385
    assert all(one["golden"]["passed"] for one in record["artifacts"].values())
    assert "random order (seed 0), 385 on hand" in done.output
    assert "the bound of a fixed number of images was not consulted" in done.output
    properties = {
        one.get("name"): one.get("value") for one in ElementTree.parse(tmp_path / "c.xml").iter("property")
    }
    assert properties["sequential.seed"] == "0"
    assert properties["tflite-int8.stop.images"] == str(taken["tflite-int8"])
    again = run(exported, *options)
    assert again.exception is None
    assert json.loads((tmp_path / "c.json").read_text())["data_sha256"] == record["data_sha256"]


def test_what_needs_all_images_gets_them_and_the_verdict_stays_sequential(
    exported: Path, digits_run: Run, tmp_path: Path
) -> None:
    whole = run(
        exported, "--sequential", "--margin", "0.05", "--seed", "4", "--agreement", "0.5", "--quick",
        "--report", tmp_path / "r.html", "--baseline", tmp_path / "b.json", "--accept", "--json", tmp_path / "c.json",
    )  # fmt: skip
    assert whole.exception is None, whole.output
    record = json.loads((tmp_path / "c.json").read_text())
    assert (record["n"], record["sequential"]["seed"]) == (385, 4)
    assert record["sequential"]["whole"] == ["--agreement", "--baseline", "--report"]
    assert "asked for all 385" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "b.json").read_text())["n"] == 385
    found = record["artifacts"]["tflite-int8"]
    assert found["stop"]["images"] < 385
    early = run(exported, "--sequential", "--margin", "0.05", "--seed", "4", "--json", tmp_path / "e.json")
    assert early.exception is None
    stopped = json.loads((tmp_path / "e.json").read_text())["artifacts"]["tflite-int8"]
    assert {key: stopped[key] for key in ("stop", "bound", "upper", "verdict", "reason")} == {
        key: found[key] for key in ("stop", "bound", "upper", "verdict", "reason")
    }
    strict = run(exported, "--sequential", "--margin", "0.05", "--agreement", "1.0")
    unmet = record["artifacts"]["tflite-int8"]["agreement"] < 1.0
    assert isinstance(strict.exception, GateFailedError) == unmet


def test_two_files_are_compared_too(exported: Path, digits_run: Run, tmp_path: Path) -> None:
    done = run(
        "--reference", digits_run.path, "--candidate", exported / "run_int8.tflite", "--data", "digits",
        "--sequential", "--margin", "0.05", "--json", tmp_path / "c.json",
    )  # fmt: skip
    assert done.exception is None, done.output
    assert json.loads((tmp_path / "c.json").read_text())["artifacts"]["run_int8.tflite"]["verdict"] == "pass"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seed", "3"], "--seed is for --sequential"),
        (["--sequential", "--seed", "-1"], "Received: -1"),
        (["--sequential", "--margin", "1.5"], "Received: 1.5"),
    ],
)
def test_bad_options_are_refused_before_anything_is_opened(options: list[str], words: str) -> None:
    done = run("nowhere.bundle", *options)
    assert isinstance(done.exception, UsageError)
    assert words in str(done.exception)
