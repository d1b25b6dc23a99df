"""A pytest plugin: the fixture ``snapship_check``, the gate in three lines of a user's own test.

Every pytest run in an environment with snapship loads this file, so it imports no other package
of snapship; it is not in ``exporter``, whose import loads numpy.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

import pytest

if TYPE_CHECKING:
    from exporter import CheckConfig, CheckReport

_REPORT_OPTION = "--snapship-report"
_NAME_LENGTH = 120
_FILES = (".tflite", ".onnx", ".keras", ".h5")

Inconclusive: TypeAlias = Literal["error", "fail", "pass", "skip"]
"""Effect of an inconclusive verdict on the test."""


class Check(Protocol):
    """The type of the fixture ``snapship_check``."""

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
        inconclusive: Inconclusive = "error",
        sequential: bool = False,
        seed: int | None = None,
    ) -> CheckReport:
        """Checks a bundle like ``snapship check``, and fails the test if the check fails.

        Args:
            bundle: A bundle, or a model file with ``reference`` and ``data``. Relative paths
                start at the working directory.
            data: Labelled images; None for the val images of the bundle's run.
            reference: The full model; None for the one that was exported.
            margin: Largest top-1 drop that passes, as a fraction of 1.
            agreement: Smallest share of images on which both models agree; None for no limit.
            worst_class: Largest top-1 drop of any class; None for no limit.
            resize: How images are resized for a model file; None for its bundle's way, else
                ``antialiased``.
            input_range: Pixel range that a model file expects: ``0..255``, ``0..1``, ``-1..1`` or
                ``imagenet``; None for ``0..255``.
            reference_range: Pixel range that its reference expects; None for the same.
            split: Which images of ``data`` to use.
            threads: Threads per inference.
            missing_classes: Whether a class without images is an error.
            weak_reference: Whether a full model no better than guessing is an error.
            inconclusive: Effect of an inconclusive verdict on the test: ``error`` and ``fail`` fail it
                with different messages, ``skip`` skips it, ``pass`` ignores it.
            sequential: Whether to take the images one by one in a random order, and stop as soon as it may;
                ``--snapship-report`` asks for all of them.
            seed: Seed of that order; None is 0.

        Returns:
            The report, for further asserts.
        """
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--snapship-report``."""
    group = parser.getgroup("snapship", "snapship: model checks")
    group.addoption(
        _REPORT_OPTION,
        metavar="DIR",
        help="Write the report of each snapship_check to DIR/TEST.html.",
    )


@pytest.fixture
def snapship_check(request: pytest.FixtureRequest) -> Check:
    """Compares a bundle's artifacts with the full model; fails the test if one is worse."""
    folder: str | None = request.config.getoption(_REPORT_OPTION)
    calls = 0

    def check(
        bundle: str | os.PathLike[str],
        data: str | os.PathLike[str] | None = None,
        *,
        inconclusive: Inconclusive = "error",
        **options: Any,
    ) -> CheckReport:
        nonlocal calls
        calls += 1
        if inconclusive not in get_args(Inconclusive):
            pytest.fail(
                f"inconclusive must be one of {', '.join(get_args(Inconclusive))}. Received: {inconclusive!r}.",
                pytrace=False,
            )
        message, skips = "", False
        # pytest.fail is called outside the handlers, so that a test report shows no traceback of snapship.
        from edge_runtime.common.atomic_file import check_file, write_whole
        from edge_runtime.common.errors import InconclusiveError, SnapshipError
        from exporter.checking import run_check

        try:
            # Only the page shows slow diagnostics: without one, the verdict is enough.
            page = folder is not None
            file = Path(folder or "", _report_name(request.node.nodeid, calls))
            if page:
                check_file(file, _REPORT_OPTION)
            found = run_check(_config(bundle, data, quick=not page, **options), page=page)
            if page and found.page is not None:
                write_whole(file, found.page, _REPORT_OPTION)
            found.report.raise_for_verdict("error" if inconclusive == "skip" else inconclusive)
        except SnapshipError as error:
            message = str(error)
            skips = inconclusive == "skip" and isinstance(error, InconclusiveError)
        if skips:
            pytest.skip(message)
        if message:
            pytest.fail(message, pytrace=False)
        return found.report

    return check


def _config(
    bundle: str | os.PathLike[str], data: str | os.PathLike[str] | None, **options: Any
) -> CheckConfig:
    """What to check: a bundle, or a model file against a reference."""
    from edge_runtime.common.errors import UsageError
    from exporter import CheckConfig

    if Path(bundle).suffix.lower() not in _FILES and not (Path(bundle) / "saved_model.pb").is_file():
        return CheckConfig(bundle, data, **options)
    if options.get("reference") is None or data is None:
        raise UsageError(
            f"A model file must be checked against a reference on data. Received: {os.fspath(bundle)} alone. "
            "Pass reference= and data=."
        )
    return CheckConfig(data=data, candidate=bundle, **options)


def _report_name(test: str, call: int) -> str:
    name = re.sub(r"[^\w.-]+", "-", test).strip("-.")[-_NAME_LENGTH:]
    return f"{name}{'' if call == 1 else f'-{call}'}.html"
