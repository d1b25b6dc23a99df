"""A single sigmoid is told how it becomes two classes; a sigmoid for each class is not taken for logits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError
from edge_runtime.common.native_output import quiet
from edge_runtime.image.input_spec import InputSpec
from exporter.common.backend import load_keras
from exporter.formats.sigmoid_outputs import end_of, refuse_sigmoids
from exporter.source.external import look_at, prepared
from exporter.source.full_model import find_source, load_source

SIZE = 12
SPEC = InputSpec(height=SIZE, width=SIZE, channels=3, fit="stretch")
FORMS = ("keras", "saved", "tflite", "onnx")


def build(outputs: int, activation: str | None, bias: float = 0.0) -> Any:
    keras = load_keras()
    keras.utils.set_random_seed(3)
    image = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    spread = keras.initializers.RandomNormal(0.0, 0.5)
    sure = keras.initializers.Constant([(-1) ** place * bias for place in range(outputs)])
    scores = keras.layers.Dense(
        outputs, activation=activation, kernel_initializer=spread, bias_initializer=sure
    )(x)
    return keras.Model(image, scores)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Path]]:
    """Writes a model as each kind of file, once."""
    done: dict[tuple[Any, ...], dict[str, Path]] = {}

    def write(outputs: int, activation: str | None, bias: float = 0.0) -> dict[str, Path]:
        key = (outputs, activation, bias)
        if key not in done:
            folder, model = tmp_path_factory.mktemp("files"), build(*key)
            done[key] = {"keras": folder / "m.keras", "saved": folder / "m", "tflite": folder / "m.tflite"}
            done[key]["onnx"] = folder / "m.onnx"
            with quiet():
                model.save(done[key]["keras"])
                model.export(done[key]["saved"], verbose=False)
                model.export(done[key]["tflite"], format="litert", verbose=False)
                model.export(done[key]["onnx"], format="onnx", verbose=False)
        return done[key]

    return write


@pytest.mark.parametrize("form", FORMS)
def test_single_output_is_told_how_it_becomes_two_classes(
    form: str, made: Callable[..., dict[str, Path]]
) -> None:
    with pytest.raises(ModelFileError, match=r"single sigmoid.*Concatenate\(\)\(\[1 - p, p\]\)") as caught:
        look_at(made(1, "sigmoid")[form])
    assert "\n" not in str(caught.value)


def test_code_of_the_message_makes_a_source(
    made: Callable[..., dict[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keras = load_keras()
    path = made(1, "sigmoid")["keras"]
    with pytest.raises(ModelFileError) as caught:
        load_source(find_source(path))
    code = re.search(r"(p = .*\.save\('two\.keras'\))", str(caught.value))
    assert code is not None
    exec(code.group(1), {"model": keras.models.load_model(path), "keras": keras})
    full = load_source(find_source(tmp_path / "two.keras"))
    image = np.full((1, SIZE, SIZE, 3), 90, np.float32)
    scores = full.call(image).numpy()[0]
    single = float(keras.models.load_model(path)(image)[0, 0])
    assert np.allclose(scores, [1 - single, single], atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("outputs", [2, 5])
def test_sigmoid_for_each_class_is_refused_and_not_taken_for_logits(
    outputs: int, form: str, made: Callable[..., dict[str, Path]]
) -> None:
    with pytest.raises(ModelFileError, match=rf"{outputs} outputs, .*several labels per image.*softmax"):
        prepared(look_at(made(outputs, "sigmoid")[form]), SPEC)


@pytest.mark.parametrize("form", ["keras", "tflite", "onnx"])
def test_two_sure_sigmoids_that_sum_to_one_are_seen_by_the_last_operation(
    form: str, made: Callable[..., dict[str, Path]]
) -> None:
    files = made(2, "sigmoid", 20.0)
    with pytest.raises(ModelFileError, match="2 outputs, each of them a sigmoid"):
        prepared(look_at(files[form]), SPEC)
    with pytest.raises(ModelFileError, match="each of them a sigmoid"):
        load_source(find_source(files["keras"]))


@pytest.mark.parametrize("form", FORMS)
def test_logits_and_scores_are_what_they_were(form: str, made: Callable[..., dict[str, Path]]) -> None:
    assert prepared(look_at(made(3, None)[form]), SPEC).softmax
    assert not prepared(look_at(made(3, "softmax")[form]), SPEC).softmax


def test_source_of_sigmoids_is_refused(made: Callable[..., dict[str, Path]]) -> None:
    for form in ("keras", "saved"):
        with pytest.raises(ModelFileError, match="several labels per image"):
            load_source(find_source(made(5, "sigmoid")[form]))
    with pytest.raises(ModelFileError, match="End the model with a softmax layer"):
        load_source(find_source(made(3, None)["keras"]))


def test_logits_that_lie_between_0_and_1_are_told_by_the_last_operation() -> None:
    inside = np.array([[0.2, 0.9], [0.4, 0.1]], np.float32)
    refuse_sigmoids(inside, False, end_of("Gemm"), Path("x.onnx"))
    for end in (end_of("Clip"), "unknown"):
        with pytest.raises(ModelFileError, match=r"which lie in 0\.\.1, with sums of 0\.5 to 1\.1"):
            refuse_sigmoids(inside, False, end, Path("x.onnx"))  # type: ignore[arg-type]
    refuse_sigmoids(inside - 1, False, end_of("Clip"), Path("x.onnx"))
