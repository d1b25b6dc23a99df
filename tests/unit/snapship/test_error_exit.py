"""Every exception ends in one line and in the exit code that it means."""

from __future__ import annotations

import errno

import click
import pytest

from edge_runtime.common.errors import (
    BundleError,
    EnvironmentMissingError,
    GateFailedError,
    InconclusiveError,
    SnapshipError,
    UsageError,
)
from snapship.error_exit import debug_text, failure_of, one_line
from snapship.extras import Package


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("u"), 2),
        (BundleError("b"), 2),
        (GateFailedError("g"), 1),
        (InconclusiveError("i"), 3),
        (EnvironmentMissingError("e"), 4),
    ],
)
def test_own_error_is_its_line_and_its_code(error: SnapshipError, code: int) -> None:
    failure = failure_of(error, "check")
    assert failure.line == f"Error: {error}"
    assert failure.exit_code == code


def test_click_error_is_a_line_with_a_hint_and_never_code_1() -> None:
    context = click.Context(click.Command("predict"), info_name="predict")
    failure = failure_of(click.UsageError("Missing argument 'BUNDLE'.", context), "predict")
    assert failure.line == "Error: Missing argument 'BUNDLE'. Run: predict --help"
    assert failure.exit_code == 2
    assert failure_of(click.ClickException("no"), "predict").exit_code == 2


def test_interrupt_and_closed_pipe_have_the_shells_codes() -> None:
    assert failure_of(KeyboardInterrupt(), "train").exit_code == 130
    assert failure_of(click.Abort(), "train").line == "Interrupted."
    closed = failure_of(BrokenPipeError(), "predict")
    assert (closed.line, closed.exit_code) == ("", 141)


def test_unexpected_error_asks_for_a_report() -> None:
    failure = failure_of(KeyError("x\ny"), "train")
    assert failure.exit_code == 70
    assert "internal error, KeyError" in failure.line
    assert "SNAPSHIP_DEBUG=1" in failure.line
    assert "\n" not in failure.line


@pytest.mark.parametrize(
    ("module", "command", "extra"),
    [
        ("tensorflow.python", "train", "train"),
        ("tensorflow", "export", "export"),
        ("tf2onnx", "export", "export"),
        ("onnxruntime", "predict", "onnx"),
        ("onnxruntime", "check", "export"),
        ("starlette.requests", "serve", "serverless"),
        ("uvicorn", "", "serverless"),
        ("keras", "demo", "train"),
    ],
)
def test_missing_package_names_the_extra_of_the_command(
    monkeypatch: pytest.MonkeyPatch, module: str, command: str, extra: str
) -> None:
    monkeypatch.setattr(Package, "installed", property(lambda self: False))
    failure = failure_of(ModuleNotFoundError("no", name=module), command)
    assert failure.exit_code == 4
    assert f"pip install 'snapship[{extra}]'" in failure.line


def test_missing_base_package_is_an_environment_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Package, "installed", property(lambda self: False))
    failure = failure_of(ModuleNotFoundError("no", name="PIL"), "predict")
    assert failure.exit_code == 4
    assert "Pillow" in failure.line


def test_import_error_of_an_installed_or_unknown_package_is_internal() -> None:
    assert failure_of(ModuleNotFoundError("no", name="numpy.nonsense"), "predict").exit_code == 70
    assert failure_of(ModuleNotFoundError("no", name="nonsense"), "predict").exit_code == 70
    assert failure_of(ImportError("cannot import name"), "predict").exit_code == 70


def test_one_line_escapes_what_a_terminal_would_act_on() -> None:
    assert one_line("a\n  b\x1b[31m\udcff") == "a b\\x1b[31m\\udcff"


def test_endless_line_loses_its_middle() -> None:
    line = one_line(f"A name {'x' * 5000} is too long.")
    assert len(line) < 2100
    assert line.startswith("A name x")
    assert line.endswith("x is too long.")


def test_full_disk_is_no_internal_error() -> None:
    failure = failure_of(OSError(errno.ENOSPC, "No space left on device", "a.tmp"), "export")
    assert failure.exit_code == 2
    assert "Received: a.tmp (No space left on device)" in failure.line
    assert failure_of(OSError(errno.EINVAL, "Invalid argument"), "export").exit_code == 70


def test_traceback_is_shown_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert debug_text(ValueError("x")) == ""
    monkeypatch.setenv("SNAPSHIP_DEBUG", "1")
    assert "ValueError: x" in debug_text(ValueError("x"))
    monkeypatch.setenv("SNAPSHIP_DEBUG", "0")
    assert debug_text(ValueError("x")) == ""
