"""``snapship selftest --phone-report``: the reports of many phones in one table."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.golden import golden_index, read_golden
from snapship.cli import cli

KIND = "tflite-int8"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture
def report(digits_bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a report of an app made of the digits."""
    bundle = Bundle.open(digits_bundle)
    golden = read_golden(bundle)
    whole: dict[str, Any] = {
        "schema_version": 1,
        "made_by": "snapship phone",
        "created": "2026-11-29T21:00:00Z",
        "app": {
            "name": "digits",
            "version": "0" * 64,
            "artifact": KIND,
            "artifact_sha256": bundle.artifact(KIND).sha256,
            "golden_sha256": hashlib.sha256(golden_index(golden, KIND)).hexdigest(),
        },
        "device": {
            "user_agent": "Mozilla/5.0 (Android 15; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0",
            "platform": "",
            "screen": [412, 915],
            "memory_gb": None,
            "cores": None,
            "secure_context": False,
        },
        "engine": {"name": "litertjs", "version": "2.5.3", "build": "compat"},
        "decoder": "browser",
        "passed": True,
        "examples": [
            {"file": example.file, "failed": None, "max_abs_dp": 2e-7, "tolerance": 0.05, "detail": ""}
            for example in golden.examples
        ],
        "first_try": None,
        "ms": {"load": 1, "replay": 1},
    }

    def make(name: str, change: Callable[[dict[str, Any]], object] = lambda record: None) -> Path:
        record = copy.deepcopy(whole)
        change(record)
        file = tmp_path / name
        file.write_text(json.dumps(record))
        return file

    return make


def on_iphone(record: dict[str, Any]) -> None:
    record["device"]["user_agent"] = IPHONE
    record["decoder"] = "own"
    record["first_try"] = {"decoder": "browser", "failed": "decode", "file": "golden/0.png", "differing": 6}


def differs(record: dict[str, Any]) -> None:
    on_iphone(record)
    record["passed"] = False
    record["examples"][3].update(failed="scores", max_abs_dp=0.3, detail="a score differs by 0.3")


def test_one_line_per_phone_without_a_bundle(report: Callable[..., Path]) -> None:
    found = run("selftest", "--phone-report", report("a.json"), report("b.json", on_iphone))
    assert found.exit_code == 0, found.output
    header, first, second, last = found.stdout.splitlines()
    assert header.split()[:4] == ["report", "phone", "artifact", "decoder"]
    for words in ("a.json", "Android 15, Firefox 153", KIND, "browser", "ok", "2.0e-07"):
        assert words in first
    for words in ("b.json", "iPhone, iOS 18, Safari 18", "own", "ok"):
        assert words in second
    assert last == "Passed: 2 phones give the same answers, 12 replays match the export."
    assert found.stderr == ""


def test_a_phone_that_differs_is_exit_code_1(report: Callable[..., Path]) -> None:
    found = run("selftest", "--phone-report", report("a.json"), report("b.json", differs))
    assert found.exit_code == 1
    assert "scores differs" in found.stdout
    assert "golden/3.png: a score differs by 0.3" in found.stdout
    assert "Passed" not in found.stdout
    line = found.stderr.splitlines()[-1]
    assert "Received: 1 of 2 differ" in line
    assert "at stage scores on golden/3.png" in line


def test_json(report: Callable[..., Path]) -> None:
    found = run("selftest", "--phone-report", report("a.json"), report("b.json", differs), "--json")
    assert found.exit_code == 1
    record = json.loads(found.stdout)
    assert record["passed"] is False
    assert [entry["passed"] for entry in record["reports"]] == [True, False]
    assert record["reports"][1]["failed"] == "scores"
    assert record["reports"][1]["image"] == "golden/3.png"


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("version", "versions of the app"),
        ("artifact_sha256", "model files"),
        ("golden_sha256", "golden examples"),
    ],
)
def test_reports_of_different_apps_are_warned_about(
    report: Callable[..., Path], field: str, words: str
) -> None:
    other = report("b.json", lambda record: record["app"].update({field: "f" * 64}))
    found = run("selftest", "--phone-report", report("a.json"), "--phone-report", other)
    assert found.exit_code == 0
    assert f"Warning: the reports are about 2 {words}" in found.stderr.replace("sets of ", "")


def test_the_same_report_twice_is_warned_about(report: Callable[..., Path], tmp_path: Path) -> None:
    copied = shutil.copy(report("a.json"), tmp_path / "copy.json")
    found = run("selftest", "--phone-report", tmp_path / "a.json", copied)
    assert "reported more than once" in found.stderr


def test_with_its_bundle_whole_zipped_or_reduced(
    report: Callable[..., Path], digits_bundle: Path, tmp_path: Path
) -> None:
    file = report("a.json")
    assert run("selftest", digits_bundle, "--phone-report", file).exit_code == 0
    # A shell may put the bundle after the reports.
    assert run("selftest", "--phone-report", file, report("b.json"), digits_bundle).exit_code == 0
    zipped = shutil.make_archive(str(tmp_path / "digits"), "zip", digits_bundle)
    assert run("selftest", zipped, "--phone-report", file).exit_code == 0
    reduced = tmp_path / "reduced.bundle"
    shutil.copytree(digits_bundle, reduced)
    index = golden_index(read_golden(Bundle.open(digits_bundle)), KIND)
    (reduced / "golden/golden.json").write_bytes(index)
    manifest = json.loads((reduced / "manifest.json").read_text())
    manifest["golden"]["sha256"] = hashlib.sha256(index).hexdigest()
    (reduced / "manifest.json").write_text(json.dumps(manifest))
    assert run("selftest", reduced, "--phone-report", file).exit_code == 0


def test_with_another_bundle_it_is_refused(report: Callable[..., Path], digits_bundle: Path) -> None:
    def refused(change: Callable[[dict[str, Any]], object], words: str) -> None:
        found = run("selftest", digits_bundle, "--phone-report", report("a.json", change))
        assert found.exit_code == 2, found.output
        assert words in found.stderr
        assert found.stdout == ""

    refused(
        lambda record: record["app"].update(artifact_sha256="f" * 64), "tflite-int8 with sha256 ffffffffffff"
    )
    refused(
        lambda record: record["app"].update(golden_sha256="f" * 64),
        "golden examples with sha256 ffffffffffff",
    )
    refused(
        lambda record: record["app"].update(artifact="tflite-fp16"),
        "a.json about 'tflite-fp16', which is none of",
    )
    refused(lambda record: record["examples"].pop(), "about 5 examples")
    refused(lambda record: record["examples"].append(record["examples"][0]), "about 7 examples")
    refused(lambda record: record["examples"][0].update(tolerance=0.5), "other tolerances")


def test_damaged_report_and_options_that_do_not_fit(
    report: Callable[..., Path], digits_bundle: Path, tmp_path: Path
) -> None:
    file = report("a.json")
    for words, expected in [
        (("--phone-report", tmp_path / "nowhere.json"), "must be a readable file"),
        (("--phone-report", file, digits_bundle / "labels.txt"), "must be the whole file"),
        (("--phone-report", ""), "must not be empty"),
        (("--phone-report", file, "--artifact", KIND), "--phone-report excludes --artifact"),
        (("--phone-report", file, "--threads", "2"), "--phone-report excludes --artifact"),
        (("--phone-report", file, digits_bundle, digits_bundle.parent), "selftest takes one bundle"),
        ((digits_bundle, digits_bundle), "selftest takes one bundle"),
        ((), "Missing argument 'BUNDLE'"),
    ]:
        found = run("selftest", *words)
        assert found.exit_code == 2, found.output
        assert expected in found.stderr
        assert len(found.stderr.splitlines()) == 1


def test_foreign_text_is_shown_without_control_characters(report: Callable[..., Path]) -> None:
    def evil(record: dict[str, Any]) -> None:
        differs(record)
        record["device"]["user_agent"] = "\x1b[31m\nforged: ok" * 50
        record["examples"][3].update(detail="\x1b]0;x\x07\nPassed: all", file="a\nb")
        record["app"]["artifact"] = "x\ny"

    found = run("selftest", "--phone-report", report("a.json", evil))
    assert found.exit_code == 1
    assert "\x1b" not in found.stdout + found.stderr
    assert not [line for line in found.stdout.splitlines() if line.startswith(("forged", "Passed", "b", "y"))]
