"""The fixture ``snapship_check``, in pytest runs of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainer import Run

pytest_plugins = ["pytester"]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def ran(pytester: pytest.Pytester, exported: Path, digits_run: Run) -> pytest.Pytester:
    """Lends names for the paths, so that a test can be written as a user would."""
    pytester.makeconftest(f"BUNDLE = {str(exported)!r}\nRUN = {str(digits_run.path)!r}\n")
    return pytester


def run(pytester: pytest.Pytester, body: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(f"from conftest import BUNDLE, RUN\n{body}")
    # In this process, which has TensorFlow loaded; the installed plugin is loaded as for a user.
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def test_three_lines_are_enough(ran: pytest.Pytester) -> None:
    result = run(
        ran,
        """
def test_int8_is_as_good(snapship_check):
    report = snapship_check(BUNDLE, data="digits", margin=0.02)
    assert report.artifacts["tflite-int8"].agreement > 0.97
""",
    )
    result.assert_outcomes(passed=1)
    assert not list(ran.path.glob("*.html"))


def test_it_may_stop_early(ran: pytest.Pytester) -> None:
    result = run(
        ran,
        """
def test_sequential(snapship_check):
    report = snapship_check(BUNDLE, data="digits", margin=0.05, sequential=True, seed=3)
    assert report.sequential.seed == 3
    assert report.n < 385
""",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_what_fails_a_test_is_told_without_a_traceback(ran: pytest.Pytester) -> None:
    result = run(
        ran,
        """
def test_undecided(snapship_check):
    snapship_check(BUNDLE, margin=0.0001)

def test_undecided_is_fail(snapship_check):
    snapship_check(BUNDLE, margin=0.0001, inconclusive="fail")

def test_undecided_is_skip(snapship_check):
    snapship_check(BUNDLE, margin=0.0001, inconclusive="skip")

def test_undecided_is_pass(snapship_check):
    assert snapship_check(BUNDLE, margin=0.0001, inconclusive="pass").verdict == "inconclusive"

def test_bad_input(snapship_check):
    snapship_check("missing.bundle")

def test_file_alone(snapship_check):
    snapship_check(f"{BUNDLE}/run_int8.tflite")

def test_resize_of_a_bundle(snapship_check):
    snapship_check(BUNDLE, resize="plain")

def test_resize_of_its_file(snapship_check):
    snapship_check(f"{BUNDLE}/run_int8.tflite", "digits", reference=RUN, resize="plain")

def test_file(snapship_check):
    report = snapship_check(f"{BUNDLE}/run_int8.tflite", "digits", reference=RUN)
    assert list(report.artifacts) == ["run_int8.tflite"]
""",
        "-rs",
    )
    result.assert_outcomes(passed=2, failed=6, skipped=1)
    # pytest names the line that skips in its summary, whoever skips.
    text = result.stdout.str().partition("short test summary")[0]
    assert "A verdict needs enough labelled images" in text
    assert "Every artifact must be within 0.01 points of the full model" in text
    assert "missing.bundle" in text
    assert "Pass reference= and data=." in text
    assert "--resize applies to --candidate only; a bundle has its own setting." in text
    assert "has its own resize" in text
    for hidden in ("Traceback", "pytest_plugin.py", "checking.py", "raise "):
        assert hidden not in text


def test_worse_artifact_fails_the_test(ran: pytest.Pytester, digits_run: Run) -> None:
    from exporter.common.backend import load_keras

    keras = load_keras()
    model = keras.models.load_model(digits_run.path / "model.keras")
    *kernels, bias = model.get_weights()
    # The full model of another day: its scores are not those that were exported.
    model.set_weights([*kernels, bias + np.arange(len(bias)) / 10])
    model.save(ran.path / "other.keras")
    result = run(
        ran,
        """
def test_it(snapship_check):
    snapship_check(BUNDLE, "digits", reference="other.keras")
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Received: tflite-fp32: a float export's scores must equal*"])


@pytest.mark.slow
def test_report_of_each_check_is_written_when_asked(ran: pytest.Pytester) -> None:
    result = run(
        ran,
        """
import pytest

@pytest.mark.parametrize("margin", [0.02])
def test_twice(snapship_check, margin):
    snapship_check(BUNDLE, margin=margin)
    snapship_check(BUNDLE, margin=0.0001)
""",
        "--snapship-report", "pages/here",
    )  # fmt: skip
    # The page is there above all when the check did not pass.
    result.assert_outcomes(failed=1)
    pages = sorted(path.name for path in (ran.path / "pages" / "here").iterdir())
    name = "test_report_of_each_check_is_written_when_asked.py-test_twice-0.02"
    assert pages == [f"{name}-2.html", f"{name}.html"]
    assert (ran.path / "pages" / "here" / pages[0]).read_text("utf-8").startswith("<!doctype html>")


def test_a_place_for_reports_that_cannot_be_written_is_told_before_the_check(ran: pytest.Pytester) -> None:
    (ran.path / "file").touch()
    result = run(
        ran,
        """
def test_it(snapship_check):
    snapship_check("no.bundle", "digits")
""",
        "--snapship-report", "file/here",
    )  # fmt: skip
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*An output must be writable. Received: --snapship-report file/here/*"])


def test_plugin_is_loaded_by_every_run_and_loads_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        """
import sys

def test_light(request):
    assert request.config.pluginmanager.hasplugin("snapship")
    heavy = {"numpy", "edge_runtime", "exporter", "tensorflow", "keras", "PIL"}
    assert not heavy & set(sys.modules)
"""
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
