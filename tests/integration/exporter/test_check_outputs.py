"""What ``snapship check`` tells build servers, and how it holds a baseline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from junitparser import JUnitXml

from exporter.judge.baseline import pack, read_baseline, unpack
from snapship.cli import cli
from trainer import Run

Check = Callable[..., Result]


@pytest.fixture
def check(digits_run: Run, exported: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Check:
    """Runs ``snapship check`` on one int8 file, in this process and in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)

    def run(*options: object) -> Result:
        candidate = exported / "run_int8.tflite"
        what = ["--reference", digits_run.path, "--candidate", candidate, "--data", "digits", "--quick"]
        return CliRunner().invoke(cli, ["check", *map(str, what), *map(str, options)])

    return run


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def error(done: Result, code: int, words: str) -> None:
    assert done.exit_code == code, done.output
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert words in line


@pytest.mark.slow
def test_baseline_from_first_acceptance_to_a_failed_build(check: Check, tmp_path: Path) -> None:
    error(check("--baseline", "b.json"), 2, "--accept")

    accepted = check("--baseline", "b.json", "--accept")
    assert accepted.exit_code == 0, accepted.output
    path = tmp_path / "b.json"
    first = path.read_bytes()
    baseline = read_baseline(path)
    name = "run_int8.tflite"
    right = unpack(baseline.artifacts[name].right, baseline.n)
    assert right.mean() == pytest.approx(baseline.artifacts[name].top1)

    same = check("--baseline", "b.json", "--accept", "--json", "c.json")
    assert same.exit_code == 0, same.output
    assert path.read_bytes() == first

    # Once all were right: these answers are worse than that.
    edited(path, lambda record: record["artifacts"][name].update(right=pack(np.ones_like(right))))
    lost = int((~right).sum())
    assert lost > 4
    worse = check("--baseline", "b.json", "--margin", "0.008", "--json", "c.json", "--junit", "j.xml")
    error(worse, 1, "it lost more than 0.8 points since the baseline")
    found = json.loads((tmp_path / "c.json").read_text())
    assert (found["verdict"], found["baseline"]["verdict"]) == ("pass", "fail")
    assert found["baseline"]["artifacts"][name]["lost"] == lost
    cases = [(case.classname, len(case.result)) for suite in JUnitXml.fromfile("j.xml") for case in suite]
    assert cases == [(name, 0), (f"{name}.baseline", 1)]

    # And once fewer were: an improvement never fails, and is shown.
    edited(path, lambda record: record["artifacts"][name].update(right=pack(np.zeros_like(right))))
    better = check("--baseline", "b.json", "--growth", "0.1")
    assert better.exit_code == 0, better.output
    assert "Since the baseline" in better.stdout

    edited(path, lambda record: record["artifacts"].update(gone=record["artifacts"][name]))
    error(check("--baseline", "b.json"), 1, "gone: no longer exported")

    edited(path, lambda record: record.update(data_sha256="0" * 64))
    error(check("--baseline", "b.json"), 2, "make a new baseline with --accept")
    assert check("--baseline", "b.json", "--accept").exit_code == 0
    assert path.read_bytes() == first


def test_what_the_gate_refuses_is_not_accepted(check: Check, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text("damaged")
    done = check("--baseline", "b.json", "--accept", "--margin", "0.0001")
    error(done, 3, "images would decide")
    assert (tmp_path / "b.json").read_text() == "damaged"


@pytest.mark.slow
def test_github_gets_annotations_a_summary_and_outputs(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, file in (("GITHUB_STEP_SUMMARY", "summary.md"), ("GITHUB_OUTPUT", "output.txt")):
        monkeypatch.setenv(name, str(tmp_path / file))
    done = check("--github", "--margin", "0.0001")
    error(done, 3, "images would decide")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert line.startswith("::warning file=")
    assert "| full model |" in (tmp_path / "summary.md").read_text("utf-8")
    outputs = dict(line.split("=") for line in (tmp_path / "output.txt").read_text().splitlines())
    assert outputs["verdict"] == "inconclusive"
    assert -0.02 < float(outputs["drop"]) < 0.02

    # An agreement that no artifact reaches but an exact copy: the gate's own exit code.
    strict = check("--github", "--agreement", "1", "--worst-class", "0.5", "--json", "c.json")
    found = json.loads((tmp_path / "c.json").read_text())["artifacts"]["run_int8.tflite"]
    assert strict.exit_code == (0 if found["agreement"] == 1 else 1)

    broken = check("--github", "--labels", "missing.txt")
    error(broken, 2, "missing.txt")
    assert "::error title=snapship check%3A could not run::" in broken.stdout
    assert (tmp_path / "output.txt").read_text().endswith("verdict=error\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--accept"], "--accept needs a baseline"),
        (["--growth", "0.1"], "--growth needs a baseline"),
        (["--baseline", "b.json", "--accept", "--growth", "nan"], "0 or more"),
        (["--input-range", "0..2"], "--input-range"),
        (["--github", "--json"], "cannot share stdout"),
        (["--agreement", "97"], "97 %"),
        (["--worst-class", "0"], "above 0"),
        (["--missing-classes", "maybe"], "--missing-classes"),
    ],
)
def test_options_that_make_no_sense_are_one_line(check: Check, options: list[str], words: str) -> None:
    error(check(*options), 2, words)
