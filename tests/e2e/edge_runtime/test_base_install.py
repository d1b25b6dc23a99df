"""The base install alone runs the device's commands, in an environment made for the test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.house import HOUSES

ROOT = Path(__file__).resolve().parents[3]
FILES = ("pyproject.toml", "README.md", "LICENSE")
NOT_WANTED = ("tensorflow", "keras", "onnxruntime", "onnx", "tf2onnx", "sklearn", "boto3", "starlette")

pytestmark = pytest.mark.slow


def call(*words: str | Path, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=clean,
        cwd=Path(words[0]).parent,
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of a fresh environment with ``pip install snapship`` in it."""
    place = tmp_path_factory.mktemp("base")
    source = place / "source"
    source.mkdir()
    # A copy: building in the checkout would leave build folders there.
    for house in HOUSES:
        shutil.copytree(ROOT / house, source / house, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    made = call(sys.executable, "-m", "venv", place / "venv")
    assert made.returncode == 0, made.stderr
    binaries = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / "python"
    reached = call(
        python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place / "probe", "msgspec"
    )
    if reached.returncode != 0:
        pytest.skip(f"pip reaches no package index: {reached.stderr.strip().splitlines()[-1]}")
    pins = ROOT / "constraints.txt"
    constraints = ("--constraint", pins) if pins.is_file() else ()
    installed = call(python, "-m", "pip", "install", "--quiet", *constraints, source, timeout=900)
    assert installed.returncode == 0, installed.stderr
    return binaries


def test_nothing_but_the_runtime_is_installed(environment: Path) -> None:
    code = f"""
from importlib.util import find_spec
print([name for name in {NOT_WANTED!r} if find_spec(name)])
import snapship, edge_runtime
print(snapship.__version__, edge_runtime.__file__)
"""
    shown = call(environment / "python", "-c", code)
    assert shown.returncode == 0, shown.stderr
    extra, where = shown.stdout.splitlines()
    assert extra == "[]"
    assert str(environment.parent) in where


def test_device_commands_run(environment: Path, digits_bundle: Path) -> None:
    snapship = environment / "snapship"
    golden = digits_bundle / "golden"
    predicted = call(snapship, "predict", digits_bundle, golden, "--json", "--workers", "2")
    assert predicted.returncode == 0, predicted.stderr
    answers = {
        Path(answer["image"]).name: answer for answer in map(json.loads, predicted.stdout.splitlines())
    }
    for example in json.loads((golden / "golden.json").read_text())["examples"]:
        scores = example["scores"]["tflite-int8"]
        answer = answers[Path(example["file"]).name]
        assert answer["label"] == str(scores.index(max(scores)))

    shown = call(snapship, "info", digits_bundle)
    assert shown.returncode == 0, shown.stderr
    assert "Verified: " in shown.stdout

    tested = call(snapship, "selftest", digits_bundle)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "Skipped, no installed engine runs them: onnx-fp32" in tested.stdout


def test_what_is_missing_is_told_with_its_cure(environment: Path, digits_bundle: Path) -> None:
    snapship = environment / "snapship"
    image = digits_bundle / "golden" / "0.png"
    onnx = call(snapship, "predict", digits_bundle, image, "--artifact", "onnx-fp32")
    assert onnx.returncode == 4
    assert "pip install 'snapship[onnx]'" in onnx.stderr

    doctor = call(snapship, "doctor")
    assert doctor.returncode == 0, doctor.stderr
    for extra in ("train", "export", "serverless"):
        assert f"pip install 'snapship[{extra}]'" in doctor.stdout

    served = call(snapship, "serve", digits_bundle, "--port", "0", timeout=60)
    assert served.returncode == 4, served.stderr
    assert "pip install 'snapship[serverless]'" in served.stderr

    trained = call(snapship, "train", "digits", "--model", "small_cnn", "--out", environment.parent / "run")
    assert trained.returncode == 4, trained.stderr
    assert "pip install 'snapship[train]'" in trained.stderr
    assert not (environment.parent / "run").exists()
    for failed in (onnx, served, trained):
        # Progress may come before it, but the error is one line and the last.
        assert failed.stderr.splitlines()[-1].startswith("Error: "), failed.stderr
        assert "Traceback" not in failed.stderr


def test_every_command_shows_its_help(environment: Path) -> None:
    snapship = environment / "snapship"
    listed = call(snapship, "--help")
    assert listed.returncode == 0, listed.stderr
    for name in (
        "train", "models", "evaluate", "export", "check", "predict", "score", "serve", "demo", "doctor",
    ):  # fmt: skip
        shown = call(snapship, name, "--help")
        assert shown.returncode == 0, f"{name}: {shown.stderr}"
        assert "Usage: snapship" in shown.stdout
