"""Whether a bundle's cascade runs when the user names nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact, Cascade
from edge_runtime.common.errors import GateFailedError
from edge_runtime.engines.selection import choose


@pytest.fixture
def bundle_of(
    make_bundle: Callable[..., Path], make_artifact: Callable[..., Artifact]
) -> Callable[..., Bundle]:
    def opened(int8: str, fp32: str, cascade: str) -> Bundle:
        entries = (make_artifact("tflite-int8", verdict=int8), make_artifact("tflite-fp32", verdict=fp32))
        both = Cascade("tflite-cascade", "tflite-int8", "tflite-fp32", 0.1, 0.2, verdict=cascade)  # type: ignore[arg-type]
        return Bundle.open(make_bundle(artifacts=entries, cascade=both))

    return opened


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (("pass", "pass", "pass"), "tflite-int8"),
        (("fail", "pass", "pass"), "tflite-cascade"),
        (("inconclusive", "pass", "pass"), "tflite-cascade"),
        (("fail", "pass", "inconclusive"), "tflite-fp32"),
        (("unchecked", "unchecked", "unchecked"), "tflite-fp32"),
        (("fail", "fail", "fail"), None),
    ],
)
def test_cascade_comes_before_float_files_where_int8_did_not_pass(
    bundle_of: Callable[..., Bundle],
    monkeypatch: pytest.MonkeyPatch,
    verdicts: tuple[str, str, str],
    expected: str | None,
) -> None:
    monkeypatch.setattr("edge_runtime.engines.selection.available", lambda engine: engine == "litert")
    bundle = bundle_of(*verdicts)
    if expected is None:
        with pytest.raises(GateFailedError, match="tflite-cascade"):
            choose(bundle, None)
    else:
        assert choose(bundle, None).kind == expected


def test_engine_without_int8_kernels_does_not_run_it(
    bundle_of: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.engines.selection.available", lambda engine: engine == "tflite-runtime")
    assert choose(bundle_of("fail", "pass", "pass"), None).kind == "tflite-fp32"


def test_failed_cascade_is_refused_by_name_unless_allowed(bundle_of: Callable[..., Bundle]) -> None:
    bundle = bundle_of("pass", "pass", "fail")
    with pytest.raises(GateFailedError, match="tflite-cascade with verdict fail"):
        choose(bundle, "tflite-cascade")
    assert choose(bundle, "tflite-cascade", allow_failed=True).kind == "tflite-cascade"
