"""Every benchmark runs in its quick form, and the page shows what it found."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import accuracy, options, page, quantization
from benchmarks.result import read_results
from trainer.cli import train

ROOT = Path(__file__).resolve().parents[3]
EDGE = ("edge_answers", "edge_cold_start", "edge_latency", "edge_peers", "edge_throughput", "score_rate")
PHONE = ("phone_routes", "phone_speed")
HERE = (
    "accuracy",
    "batch_norm",
    "cached_training",
    "check_speed",
    "export_speed",
    "feeding",
    "resizing",
    "training_memory",
)
"""Scripts that load TensorFlow: their quick forms run in this process, which has; what they time may still be
processes of their own."""
SCRIPTS = (
    "accuracy",
    "asked_labels",
    "batch_norm",
    "cached_training",
    "cascade",
    "check_speed",
    *EDGE,
    "demo_speed",
    "export_speed",
    "feeding",
    "gate_size",
    "page",
    *PHONE,
    "quantization",
    "score_plan",
    "sequential_gate",
    "training_memory",
)


Start = Callable[..., subprocess.CompletedProcess[str]]


def process(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{script}", *words], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Start:
    """Runs a script as ``python -m`` does, in this process, which has loaded TensorFlow."""
    # The processes of a script get the variables of when the tests began.
    monkeypatch.setitem(options.ENVIRONMENT, "XDG_CACHE_HOME", os.environ["XDG_CACHE_HOME"])

    def run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", [script, *words])
        name = f"benchmarks.{script}"
        # As in a new process; whoever has imported it keeps what he has.
        monkeypatch.delitem(sys.modules, name, raising=False)
        code = 0
        try:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        shown = capsys.readouterr()
        return subprocess.CompletedProcess([script, *words], code, shown.out, shown.err)

    return run


@pytest.fixture(scope="module")
def edge_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edge") / "model"


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_is_measured(script: str, start: Start) -> None:
    done = start(script, "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: python -m benchmarks.{script}" in done.stdout
    # A package is as quickly measured as made.
    assert ("--quick" in done.stdout) == (script != "package_size")


@pytest.mark.parametrize(
    ("script", "words", "missing"),
    [
        ("accuracy", (), "--data"),
        ("accuracy", ("--only", "digits,roses"), "roses"),
        ("asked_labels", (), "--scores or --bundle"),
        ("batch_norm", ("--only", "cifar10-subset"), "--data"),
        ("cached_training", (), "--data and --weights"),
        *((script, (), "--data and --weights") for script in ("cascade", "export_speed")),
        ("check_speed", (), "--data, and --weights or --bundle"),
        *((script, (), "--data and --weights") for script in (*EDGE, *PHONE)),
        ("package_size", (), "bundle"),
        ("quantization", (), "--data"),
        ("sequential_gate", (), "--scores"),
        ("quantization", ("--data", ".", "--only", "imagenet"), "--imagenet-weights"),
        ("quantization", ("--data", ".", "--only", "planted"), "--weights or --run"),
        ("quantization", ("--only", "roses"), "roses"),
        ("demo_speed", ("--before", "nowhere"), "must be a checkout"),
    ],
)
def test_options_that_are_missing_are_told(
    script: str, words: tuple[str, ...], missing: str, start: Start
) -> None:
    done = start(script, *words)
    assert done.returncode == 2
    assert missing in done.stderr.splitlines()[-1]


def test_settings_of_every_task_are_options_of_the_command() -> None:
    known = {option for parameter in train.params for option in parameter.opts}
    for name, task in accuracy.TASKS.items():
        assert {f"--{option.replace('_', '-')}" for option in task.train} <= known, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words", "names", "ways"),
    [
        ("accuracy", ("--only", "digits"), ["accuracy-digits"], {"snapship", "plain Keras"}),
        ("accuracy", ("--only", "flowers-96"), ["accuracy-flowers-96"], {"snapship", "plain Keras"}),
        ("batch_norm", (), ["batch-norm-digits-bn_cnn"], {"moving averages", "measured"}),
        ("cached_training", (), ["cached-training"], {"cached", "model.fit"}),
        ("feeding", (), ["feeding-tensorflow-cpu"], {"mapped pixels", "device"}),
        ("training_memory", (), ["training-memory"], {200, 400}),
        ("resizing", (), ["resizing"], {"stretch", "crop", "tflite-int8"}),
        ("export_speed", (), ["export-speed"], {"converting to tflite-fp32", "all"}),
        ("check_speed", (), ["check-speed"], {"bare invokes", "check", "of these, full model"}),
        ("edge_latency", (), ["edge-latency"], {"invoke", "array", "JPEG, Pillow"}),
        ("edge_answers", ("--before", str(ROOT)), ["edge-answers"], {"320x240", "4:2:0", "4:4:4"}),
        ("edge_cold_start", (), ["edge-cold-start"], {"snapship", "by hand", "TensorFlow by hand"}),
        ("edge_throughput", (), ["edge-throughput"], {"1", "2"}),
        ("score_plan", (), ["score-plan"], {"new", "goes on"}),
        ("score_rate", (), ["score-rate"], {"snapship score --workers 2"}),
        ("edge_peers", (), ["edge-peers"], {"snapship", "tf.lite", "onnxruntime", "keras"}),
    ],
)
def test_quick_form_leaves_a_result_for_the_page(
    script: str, words: tuple[str, ...], names: list[str], ways: set[Any], tmp_path: Path, edge_model: Path,
    start: Start,
) -> None:  # fmt: skip
    # The edge scripts make their model once.
    words += ("--made", str(edge_model)) if script in EDGE else ()
    done = (start if script in HERE else process)(script, "--quick", *words, "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = read_results(tmp_path)
    assert [entry.name.replace("-gpu", "-cpu") for entry in found] == names
    (result,) = found
    assert result.quick
    assert ways <= {cell for row in result.rows for cell in row}
    assert all(len(row) == len(result.columns) for row in result.rows)
    assert all(figure.value > 0 for figure in result.figures)
    assert result.command.startswith(f"python -m benchmarks.{script} --quick")
    shown = page.page(found)
    assert f"## {result.title}" in shown
    assert result.figures[0].name in shown


@pytest.mark.slow
def test_quick_gate_size_leaves_sizes_and_powers_and_the_page_as_it_is(tmp_path: Path) -> None:
    ci = ROOT / "docs" / "ci.md"
    before = ci.read_bytes()
    # Its own processes import it by name.
    done = process("gate_size", "--quick", "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    power, size = read_results(tmp_path)
    assert (power.name, size.name) == ("gate-power", "gate-size")
    assert [figure.missed for figure in size.figures] == [False, False]
    assert "largest false-pass rate" in done.stdout
    # The former rule errs more often, and this finds it.
    assert all(float(str(row[4]).split()[0]) > 5.0 for row in size.rows if row[0] == "false pass")
    assert f"## {size.title}" in page.page([power, size])
    assert ci.read_bytes() == before


@pytest.mark.slow
def test_quick_sequential_gate_errs_in_less_than_one_in_twenty(tmp_path: Path, start: Start) -> None:
    done = start("sequential_gate", "--quick", "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    errors, stops = read_results(tmp_path)
    assert (errors.name, stops.name) == ("sequential-errors", "sequential-stops")
    assert [figure.missed for figure in errors.figures] == [False, False]
    assert f"## {stops.title}" in page.page([errors, stops])


@pytest.mark.slow
def test_quick_quantization_leaves_a_result_of_each_target(tmp_path: Path, start: Start) -> None:
    done = start("quantization", "--quick", "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = read_results(tmp_path)
    assert [entry.name for entry in found] == [
        f"{table}-{name}"
        for table in ("onnx-kernels", "quantization")
        for name in sorted(quantization.TARGETS)
    ]
    for result in found[: len(quantization.TARGETS)]:
        assert {row[2] for row in result.rows} == {"as it ships", "weights as uint8", "all of int8's range"}
        assert {row[3] for row in result.rows} == {"default", "exact"}
    for result in found[len(quantization.TARGETS) :]:
        assert result.quick
        assert [row[1:3] for row in result.rows] == [
            (f"{format}-int8", when) for format in ("tflite", "onnx") for when in ("before", "after")
        ]
        assert all(len(row) == len(result.columns) for row in result.rows)
        size = [column.name for column in result.columns].index("size")
        sizes = [row[size] for row in result.rows]
        assert all(isinstance(size, float) and 0.2 < size < 0.5 for size in sizes)
    shown = page.page(found)
    assert shown.count("## int8 and repair") == 1
    assert "flowers, onnx-int8 after: floored KL" in shown
