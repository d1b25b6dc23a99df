"""Which artifact runs when the user names none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import Classifier, selftest
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.errors import EnvironmentMissingError, GateFailedError, UnknownNameError, UsageError
from edge_runtime.engines.selection import choose

ArtifactMaker = Callable[..., Artifact]
Opener = Callable[..., Bundle]


@pytest.fixture
def bundle_of(make_bundle: Callable[..., Path], make_artifact: ArtifactMaker) -> Opener:
    def opened(**verdicts: str) -> Bundle:
        entries = [
            make_artifact(kind.replace("_", "-"), verdict=verdict) for kind, verdict in verdicts.items()
        ]
        return Bundle.open(make_bundle(artifacts=entries))

    return opened


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretends that only the named engines are installed."""

    def only(*names: str) -> None:
        monkeypatch.setattr("edge_runtime.engines.selection.available", lambda engine: engine in names)

    only("litert", "onnxruntime")
    return only


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ({"tflite_fp32": "pass", "tflite_int8": "pass", "onnx_fp32": "pass"}, "tflite-int8"),
        ({"onnx_fp32": "pass", "tflite_fp32": "pass", "tflite_fp16": "pass"}, "tflite-fp16"),
        ({"tflite_int8": "fail", "tflite_fp32": "pass"}, "tflite-fp32"),
        ({"tflite_int8": "unchecked", "tflite_fp32": "unchecked"}, "tflite-fp32"),
        ({"tflite_int8": "pass", "tflite_fp32": "unchecked"}, "tflite-int8"),
        ({"tflite_int8": "inconclusive", "onnx_fp32": "unchecked"}, "onnx-fp32"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_best_one_is_chosen(bundle_of: Opener, verdicts: dict[str, str], expected: str) -> None:
    assert choose(bundle_of(**verdicts), None).kind == expected


@pytest.mark.usefixtures("installed")
def test_failed_artifact_is_refused_unless_allowed(bundle_of: Opener) -> None:
    bundle = bundle_of(tflite_int8="fail", tflite_fp32="fail")
    for kind in (None, "tflite-int8"):
        with pytest.raises(GateFailedError, match="tflite-int8") as caught:
            choose(bundle, kind)
        assert "--allow-failed" in str(caught.value)
    assert choose(bundle, "tflite-int8", allow_failed=True).kind == "tflite-int8"
    assert choose(bundle, None, allow_failed=True).kind == "tflite-fp32"


def test_artifact_without_an_installed_engine_is_passed_over(
    bundle_of: Opener, installed: Callable[..., None]
) -> None:
    bundle = bundle_of(tflite_int8="pass", onnx_fp32="unchecked")
    installed("onnxruntime")
    assert choose(bundle, None).kind == "onnx-fp32"
    installed()
    with pytest.raises(EnvironmentMissingError, match="pip install"):
        choose(bundle, None)


@pytest.mark.usefixtures("installed")
def test_engine_narrows_the_choice(bundle_of: Opener) -> None:
    bundle = bundle_of(tflite_int8="pass", onnx_fp32="unchecked")
    assert choose(bundle, None, engine="onnxruntime").kind == "onnx-fp32"
    with pytest.raises(UsageError, match="artifacts tflite-fp32"):
        choose(_only_tflite(bundle), None, engine="onnxruntime")


@pytest.mark.usefixtures("installed")
def test_unknown_names_list_the_known_ones(bundle_of: Opener) -> None:
    bundle = bundle_of(tflite_fp32="pass")
    with pytest.raises(UnknownNameError, match="tflite-fp32"):
        choose(bundle, "nonsense")
    with pytest.raises(UnknownNameError, match="auto, litert, tflite-runtime, onnxruntime"):
        choose(bundle, None, engine="nonsense")


def _only_tflite(bundle: Bundle) -> Bundle:
    import msgspec

    entries = tuple(
        msgspec.structs.replace(entry, kind="tflite-fp32", format="tflite")
        for entry in bundle.manifest.artifacts[:1]
    )
    return Bundle(bundle.location, msgspec.structs.replace(bundle.manifest, artifacts=entries), bundle._store)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ({"tflite_int16x8": "pass", "tflite_dynamic": "pass", "onnx_fp32": "pass"}, "onnx-fp32"),
        ({"tflite_int16x8": "pass", "tflite_dynamic": "pass"}, "tflite-dynamic"),
        ({"onnx_fp16": "pass", "onnx_int8": "pass"}, "onnx-int8"),
        ({"tflite_dynamic": "unchecked", "onnx_fp16": "unchecked"}, "onnx-fp16"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_slow_artifacts_come_last(bundle_of: Opener, verdicts: dict[str, str], expected: str) -> None:
    assert choose(bundle_of(**verdicts), None).kind == expected


@pytest.mark.usefixtures("installed")
def test_artifacts_without_an_engine_are_never_chosen(
    make_bundle: Callable[..., Path], make_artifact: ArtifactMaker
) -> None:
    server = make_artifact("saved-model", format="saved-model", file="m_saved_model/saved_model.pb")
    mixed = Bundle.open(make_bundle("a", artifacts=[server, make_artifact("onnx-fp32", verdict="fail")]))
    with pytest.raises(GateFailedError, match="onnx-fp32"):
        choose(mixed, None)
    assert choose(mixed, None, allow_failed=True).kind == "onnx-fp32"
    alone = Bundle.open(make_bundle("b", artifacts=[server]))
    for engine in ("auto", "litert"):
        with pytest.raises(UsageError, match="a saved-model artifact"):
            choose(alone, None, engine=engine)
    with pytest.raises(UsageError, match="a saved-model artifact"):
        Classifier.open(alone.location, "saved-model")
    assert selftest(alone).skipped == ("saved-model",)


def test_c_header_is_chosen_only_for_a_microcontroller_engine(
    make_bundle: Callable[..., Path], make_artifact: ArtifactMaker, installed: Callable[..., None]
) -> None:
    installed("litert", "tflite-micro")
    header = make_artifact("c-array", format="c-array", precision="int8", file="m_int8.h")
    alone = Bundle.open(make_bundle("a", artifacts=[header]))
    with pytest.raises(UsageError, match="a c-array artifact"):
        choose(alone, None)
    assert choose(alone, None, engine="tflite-micro").kind == "c-array"
    mixed = Bundle.open(make_bundle("b", artifacts=[header, make_artifact("tflite-fp16", verdict="pass")]))
    assert choose(mixed, None).kind == "tflite-fp16"
