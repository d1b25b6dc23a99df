"""The benchmarks of the cloud house run in their quick form, and the page shows what they found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.cloud_load import modules
from benchmarks.result import read_results

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ("cloud_init", "cloud_load", "cloud_overhead")


def start(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{script}", *words], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, digits_bundle: Path) -> Path:
    """The digits, where the scripts keep the model that they make."""
    folder = tmp_path_factory.mktemp("cloud")
    shutil.copytree(digits_bundle, folder / "model.bundle")
    return folder


def needs_client(script: str) -> None:
    if script == "cloud_load" and not (shutil.which("node") and (modules() / "autocannon").is_dir()):
        pytest.skip("needs node, and autocannon of make acceptance")


@pytest.mark.parametrize("script", SCRIPTS)
def test_photos_that_are_missing_are_told(script: str) -> None:
    needs_client(script)
    done = start(script)
    assert done.returncode == 2
    assert "--data and --weights" in done.stderr.splitlines()[-1]


def test_load_without_its_client_says_so(tmp_path: Path) -> None:
    done = start("cloud_load", "--quick", "--modules", str(tmp_path))
    assert done.returncode == 2
    assert "autocannon" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("script", "ways"),
    [
        ("cloud_init", {"handler", "bare"}),
        ("cloud_load", {"tflite-int8", "tflite-fp32"}),
        ("cloud_overhead", {"classify", "handler"}),
    ],
)
def test_quick_form_leaves_a_result_for_the_page(
    script: str, ways: set[str], tmp_path: Path, model: Path
) -> None:
    needs_client(script)
    done = start(script, "--quick", "--made", str(model), "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (result,) = read_results(tmp_path)
    assert result.quick
    assert result.name == script.replace("_", "-")
    assert ways <= {cell for row in result.rows for cell in row}
    assert all(len(row) == len(result.columns) for row in result.rows)
    figures = {figure.name: figure for figure in result.figures}
    assert all(figure.value > 0 for name, figure in figures.items() if "errors" not in name)
    # Not a speed: a client that was not answered.
    assert not [name for name, figure in figures.items() if "errors" in name and figure.missed]
    shown = page.page([result])
    assert f"## {result.title}" in shown
    assert result.figures[0].name in shown
