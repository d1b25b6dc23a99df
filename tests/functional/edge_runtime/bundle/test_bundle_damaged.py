"""500 damaged bundles: an error that names the file, and never a crash of the process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORKER = Path(__file__).parent / "bundle_worker.py"
# Numbers 546 and 571 load and do not run; 625 changes nothing.
FIRST, LAST = 500, 1000
FILES = (
    "digits_fp32.tflite",
    "digits_int8.tflite",
    "digits_fp32.onnx",
    "manifest.json",
    "labels.txt",
    "golden/",
)


def run_all(bundle: Path, scratch: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Answers of all corruptions, and what ended the process; it is started again after a crash."""
    answers: list[dict[str, Any]] = []
    crashes: list[str] = []
    first = FIRST
    while first < LAST:
        done = subprocess.run(
            [sys.executable, WORKER, bundle, scratch, str(first), str(LAST)],
            capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        # An interpreter may print lines of its own.
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"index"')]
        answers += [line for line in lines if "answer" in line]
        if done.returncode == 0:
            break
        assert lines, done.stderr
        crashes.append(f"{lines[-1]['what']} (number {lines[-1]['index']}): ended with {done.returncode}")
        first = lines[-1]["index"] + 1
    return answers, crashes


@pytest.mark.slow
def test_damaged_bundles_are_errors_that_name_the_file(digits_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    answers, crashes = run_all(digits_bundle, tmp_path)
    assert not crashes, crashes
    assert len(answers) == LAST - FIRST
    problems, silent = [], 0
    for entry in answers:
        text = entry["answer"]
        if text == "ran":
            silent += 1
            if not entry["silent"]:
                problems.append(f"{entry['index']} {entry['what']}: went unnoticed")
        elif not text.startswith("BundleError") or "\n" in text or not any(name in text for name in FILES):
            problems.append(f"{entry['index']} {entry['what']}: {text[-300:]}")
    assert not problems, "\n".join(problems)
    # Weights may change unnoticed when the manifest vouches for them; not much else may.
    assert 0 < silent < (LAST - FIRST) / 4
