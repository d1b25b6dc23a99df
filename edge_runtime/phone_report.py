"""Phone reports: what an app of ``snapship phone`` says after it replayed the golden examples on a phone.

A report is a claim of the phone that wrote it, and is not signed. Reading checks that it is complete
and does not contradict itself.
"""

# No "from __future__ import annotations": msgspec would compile each again.
import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.errors import DataError, reason_of
from edge_runtime.common.text import quoted, shortened
from edge_runtime.golden import golden_index, read_golden

MAX_BYTES = 5_000_000
"""Limit of a report; one of six examples has 3 kB."""

_Sha256: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Positive: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
_Stage = Literal["file", "decode", "pixels", "scores"]
_Decoder = Literal["browser", "own"]


class ReportedApp(Strict, frozen=True):
    """Which app replayed.

    Attributes:
        name: The bundle's name.
        version: Hash over all files of the app.
        artifact: The kind inside.
        artifact_sha256: Hash of the model file.
        golden_sha256: Hash of the app's ``golden.json``.
    """

    name: str
    version: _Sha256
    artifact: str
    artifact_sha256: _Sha256
    golden_sha256: _Sha256


class ReportedDevice(Strict, frozen=True):
    """What the browser tells of the phone; nothing that identifies its owner.

    Attributes:
        user_agent: The browser's own description.
        platform: As the browser names it.
        screen: Width and height in CSS pixels.
        memory_gb: None where the browser does not tell.
        cores: None where the browser does not tell.
        secure_context: Whether camera and installation were allowed.
    """

    user_agent: str
    platform: str
    screen: tuple[_Positive, _Positive]
    memory_gb: _Positive | None
    cores: _Positive | None
    secure_context: bool


class ReportedEngine(Strict, frozen=True):
    """The engine in the app."""

    name: str
    version: str
    build: str


class ReportedExample(Strict, frozen=True):
    """One golden example on the phone.

    Attributes:
        file: Its path in the bundle.
        failed: The first stage that differs; None when all agree.
        max_abs_dp: Largest score difference; None when no scores were made.
        tolerance: The largest allowed difference.
        detail: Description of the difference; empty when all agree.
    """

    file: str
    failed: _Stage | None
    max_abs_dp: _Positive | None
    tolerance: _Positive
    detail: str

    def __post_init__(self) -> None:
        if self.failed is None and (self.max_abs_dp is None or self.max_abs_dp > self.tolerance):
            raise ValueError(
                f"an example that agrees has max_abs_dp up to {self.tolerance:g}. Received: {self.max_abs_dp}"
            )


class FirstTry(Strict, frozen=True):
    """The replay with the browser's decoder, where the app then changed to its own."""

    decoder: _Decoder
    failed: _Stage
    file: str
    differing: Annotated[int, msgspec.Meta(ge=1)]


class ReportedTimes(Strict, frozen=True):
    """Milliseconds of loading the engine and the model, and of the replay."""

    load: _Positive
    replay: _Positive


class PhoneReport(Strict, frozen=True):
    """One report.

    Attributes:
        schema_version: 1.
        made_by: ``snapship phone``.
        created: When, in UTC.
        app: The app.
        device: The phone.
        engine: The engine.
        decoder: What decoded the images: the browser, or the app's own JPEG decoder.
        passed: Whether no example differs.
        examples: All golden examples.
        first_try: The replay before the app changed its decoder; None when it did not.
        ms: Times, without a claim.
    """

    schema_version: Literal[1]
    made_by: Literal["snapship phone"]
    created: Annotated[datetime, msgspec.Meta(tz=True)]
    app: ReportedApp
    device: ReportedDevice
    engine: ReportedEngine
    decoder: _Decoder
    passed: bool
    examples: Annotated[tuple[ReportedExample, ...], msgspec.Meta(min_length=1)]
    first_try: FirstTry | None
    ms: ReportedTimes

    def __post_init__(self) -> None:
        if self.passed != (self.first_difference is None):
            raise ValueError(f"passed must say whether no example differs. Received: {self.passed}")

    @property
    def first_difference(self) -> ReportedExample | None:
        """The first example that differs."""
        return next((example for example in self.examples if example.failed is not None), None)

    @property
    def max_abs_dp(self) -> float | None:
        """The largest score difference of all examples; None when none has scores."""
        found = [example.max_abs_dp for example in self.examples if example.max_abs_dp is not None]
        return max(found, default=None)


def read_phone_report(file: Path) -> PhoneReport:
    """Reads a report and checks it.

    Args:
        file: As the app shared it.

    Raises:
        DataError: It cannot be read, is too large, or is not a valid report.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DataError(
            f"A phone report must be a readable file. Received: {file} ({reason_of(error)}). Check the path."
        ) from error
    if len(data) > MAX_BYTES:
        raise DataError(
            f"A phone report must have at most {MAX_BYTES:,} bytes. Received: {file}, which is larger. "
            "Pass the file that the app shared."
        )
    try:
        return msgspec.json.decode(data, type=PhoneReport)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DataError(
            f"A phone report must be the whole file that an app of snapship phone shared. "
            f"Received: {file} ({shortened(error, 200)}). Share it again from the phone."
        ) from error


def check_report_of(bundle: Bundle, report: PhoneReport, file: Path) -> None:
    """Checks that a report is about a bundle: its artifact, and all its golden examples.

    Args:
        bundle: The bundle that the app was made from, or the one inside the app.
        report: The report.
        file: Its file, for messages.

    Raises:
        DataError: The report is about another artifact, model file or set of golden examples.
    """
    artifact = next((one for one in bundle.manifest.artifacts if one.kind == report.app.artifact), None)
    golden = read_golden(bundle)
    reference = bundle.manifest.golden
    assert reference is not None
    kind = report.app.artifact
    reduced = hashlib.sha256(golden_index(golden, kind)).hexdigest()
    expected = sorted((example.file, golden.tolerance.get(kind, 0.0)) for example in golden.examples)
    if artifact is None:
        kinds = ", ".join(one.kind for one in bundle.manifest.artifacts)
        other = f"{quoted(kind)}, which is none of {kinds}"
    elif report.app.artifact_sha256 != artifact.sha256:
        other = f"{artifact.kind} with sha256 {report.app.artifact_sha256[:12]}..., bundle {artifact.sha256[:12]}..."
    elif report.app.golden_sha256 not in (reference.sha256, reduced):
        other = f"golden examples with sha256 {report.app.golden_sha256[:12]}..., bundle {reduced[:12]}..."
    elif sorted((example.file, example.tolerance) for example in report.examples) != expected:
        files = [example.file for example in report.examples]
        other = f"{len(files)} examples, {quoted(files)}, bundle {len(expected)}, or other tolerances"
    else:
        return
    raise DataError(
        f"A phone report must be about the bundle. Received: {file} about {other} in {bundle.location}. "
        "Pass the bundle of that app, or open the new app on the phone and share its report."
    )
