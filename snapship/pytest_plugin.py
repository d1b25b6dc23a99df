"""A pytest plugin: the fixture ``snapship_check``, the gate in three lines of a user's own test.

Every pytest run of an environment with snapship loads this file, so it imports no house;
that is also why it lives here and not in ``exporter``, whose import loads numpy.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

if TYPE_CHECKING:
    from exporter import CheckConfig, CheckReport

_REPORT_OPTION = "--snapship-report"
_NAME_LENGTH = 120
_FILES = (".tflite", ".onnx", ".keras", ".h5")


class Check(Protocol):
    """What the fixture ``snapship_check`` is."""

    def __call__(
        self,
        bundle: str | os.PathLike[str],
        data: str | os.PathLike[str] | None = None,
        *,
        reference: str | os.PathLike[str] | None = None,
        margin: float = 0.02,
        agreement: float | None = None,
        worst_class: float | None = None,
        resize: Literal["antialiased", "plain"] | None = None,
        input_range: str | None = None,
        reference_range: str | None = None,
        split: Literal["val", "train", "all"] = "val",
        threads: int = 1,
        missing_classes: Literal["error", "allow"] = "error",
        weak_reference: Literal["error", "allow"] = "error",
        inconclusive: Literal["error", "fail", "pass", "skip"] = "error",
    ) -> CheckReport:
        """Checks a bundle as ``snapship check`` does, and fails the test when it fails.

        Args:
            bundle: A bundle, or a model file with ``reference`` and ``data``. Relative paths
                start at the working directory, as everywhere.
            data: Labelled images; None takes the val images of the bundle's run.
            reference: The full model; None takes the one that was exported.
            margin: Largest top-1 drop that passes, in fractions of 1.
            agreement: Smallest share of images with the full model's answer; None asks nothing.
            worst_class: Largest drop of any one class; None asks nothing.
            resize: How pixels of another size are made for a model file; None is ``antialiased``, or what its
                bundle says.
            input_range: What a model file takes for a pixel: ``0..255``, ``0..1``, ``-1..1`` or
                ``imagenet``; None is ``0..255``.
            reference_range: The same for its reference; None is the same range.
            split: Which images of ``data`` judge.
            threads: Threads of one inference.
            missing_classes: What a class without images means.
            weak_reference: What a full model that is no better than guessing on the images means.
            inconclusive: What an inconclusive verdict means for the test: ``error`` and ``fail`` fail it,
                with another reason, ``skip`` skips it, ``pass`` goes on.

        Returns:
            The report, for asserts of the test's own.
        """
        ...


_MEANINGS = ("error", "fail", "pass", "skip")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--snapship-report``."""
    group = parser.getgroup("snapship", "snapship: model checks")
    group.addoption(
        _REPORT_OPTION,
        metavar="DIR",
        help="Write the report of every snapship_check to DIR, as TEST.html.",
    )


@pytest.fixture
def snapship_check(request: pytest.FixtureRequest) -> Check:
    """Compares a bundle's artifacts with the full model; fails the test when one is worse."""
    folder: str | None = request.config.getoption(_REPORT_OPTION)
    calls = 0

    def check(
        bundle: str | os.PathLike[str],
        data: str | os.PathLike[str] | None = None,
        *,
        inconclusive: Literal["error", "fail", "pass", "skip"] = "error",
        **options: Any,
    ) -> CheckReport:
        nonlocal calls
        calls += 1
        if inconclusive not in _MEANINGS:
            pytest.fail(
                f"inconclusive must be one of {', '.join(_MEANINGS)}. Received: {inconclusive!r}.",
                pytrace=False,
            )
        failed, skipped = "", ""
        # Failing outside of the handlers: the report of a test shows no traceback of snapship's.
        from edge_runtime.atomic_file import check_file, write_whole
        from edge_runtime.errors import InconclusiveError, SnapshipError
        from exporter.checking import check_with

        try:
            # Slow evidence is for readers of the page: without one, only the verdict.
            page = folder is not None
            file = Path(folder or "", _report_name(request.node.nodeid, calls))
            if page:
                check_file(file, _REPORT_OPTION)
            found = check_with(_config(bundle, data, quick=not page, **options), page=page)
            if page and found.page is not None:
                write_whole(file, found.page, _REPORT_OPTION)
            found.report.raise_for_verdict("error" if inconclusive == "skip" else inconclusive)
        except InconclusiveError as error:
            failed, skipped = (str(error), "") if inconclusive != "skip" else ("", str(error))
        except SnapshipError as error:
            failed = str(error)
        if failed:
            pytest.fail(failed, pytrace=False)
        if skipped:
            pytest.skip(skipped)
        return found.report

    return check


def _config(
    bundle: str | os.PathLike[str], data: str | os.PathLike[str] | None, **options: Any
) -> CheckConfig:
    """What to check: a bundle, or a model file that is judged against a reference."""
    from edge_runtime.errors import UsageError
    from exporter import CheckConfig

    if Path(bundle).suffix.lower() not in _FILES and not (Path(bundle) / "saved_model.pb").is_file():
        return CheckConfig(bundle, data, **options)
    if options.get("reference") is None or data is None:
        raise UsageError(
            f"A model file is judged against a reference on data. Received: {os.fspath(bundle)} alone. "
            "Pass reference= and data=."
        )
    return CheckConfig(data=data, candidate=bundle, **options)


def _report_name(test: str, call: int) -> str:
    name = re.sub(r"[^\w.-]+", "-", test).strip("-.")[-_NAME_LENGTH:]
    return f"{name}{'' if call == 1 else f'-{call}'}.html"
