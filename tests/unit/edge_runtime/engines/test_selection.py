"""Which interpreter reads which file, and what is said when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from edge_runtime.bundle.manifest import Dtype, Format, TensorSpec
from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError, UnknownNameError, UsageError
from edge_runtime.engines import ENGINES, available, open_engine, open_reference, usable
from edge_runtime.engines.base import check_image_input, check_score_output


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.engines.selection.available", lambda engine: False)


def test_unknown_engine_lists_the_known_ones() -> None:
    for call in (
        lambda: usable("tflite", "tensorrt"),
        lambda: open_engine(b"", "tflite", "m.tflite", engine="tensorrt"),
    ):
        with pytest.raises(UnknownNameError, match="auto, litert, tflite-runtime, onnxruntime"):
            call()


def test_engine_of_another_format_is_refused() -> None:
    with pytest.raises(UsageError, match="Use: litert"):
        open_engine(b"", "tflite", "m.tflite", engine="onnxruntime")
    assert not usable("tflite", "onnxruntime")


@pytest.mark.parametrize("threads", [0, 257])
def test_threads_are_some(threads: int) -> None:
    with pytest.raises(UsageError, match=rf"threads must be 1..256. Received: {threads}"):
        open_engine(b"", "tflite", "m.tflite", threads=threads)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("format", "cure"), [("tflite", "pip install 'snapship'"), ("onnx", r"pip install 'snapship\[onnx\]'")]
)
def test_missing_interpreter_names_the_pip_command(format: Format, cure: str) -> None:
    assert not usable(format)
    with pytest.raises(EnvironmentMissingError, match=cure):
        open_engine(b"", format, f"m.{format}")


def test_every_format_has_an_engine() -> None:
    assert {entry.format for entry in ENGINES.values()} == {"tflite", "onnx"}


@pytest.mark.parametrize("format", ["tflite", "onnx"])
@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 4096, b"\x1c\0\0\0TFL3" + b"\xff" * 64])
@pytest.mark.parametrize("as_path", [True, False])
def test_file_that_is_no_model_is_a_one_line_error(
    tmp_path: Path, format: Format, content: bytes, as_path: bool
) -> None:
    if not usable(format):
        pytest.skip(f"no engine for {format} is installed")
    path = tmp_path / f"m.{format}"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=f"m.{format}") as caught:
        open_engine(path if as_path else content, format, f"m.{format}")
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


def tensor(
    shape: tuple[int | str, ...],
    dtype: Dtype = "float32",
    scale: float | None = None,
    zero: int | None = None,
) -> TensorSpec:
    return TensorSpec("t", dtype, shape, scale, zero)


@pytest.mark.parametrize(
    ("check", "good", "bad", "words"),
    [
        (check_image_input, tensor((1, 8, 8, 3)), tensor((1, 3, 8, 8)), "one image"),
        (check_image_input, tensor(("batch", 8, 8, 1)), tensor((1, "h", 8, 1)), "one image"),
        (check_image_input, tensor((1, 8, 8, 3), "uint8", 1.0, 0), tensor((1, 64)), "one image"),
        (
            check_image_input,
            tensor((1, 8, 8, 3), "uint8", 1.0, 0),
            tensor((1, 8, 8, 3), "uint8", 0.0078, 128),
            "raw pixels",
        ),
        (check_score_output, tensor((1, 5)), tensor((1, 5), "uint8", 1 / 256, 0), "float32 scores"),
        (check_score_output, tensor(("batch", 5)), tensor((1, 1, 5)), "float32 scores"),
        (check_score_output, tensor((1, 5)), tensor((1, "classes")), "float32 scores"),
    ],
)
def test_tensors_must_be_pixels_in_and_scores_out(
    check: Callable[[TensorSpec, str], None], good: TensorSpec, bad: TensorSpec, words: str
) -> None:
    check(good, "m.tflite")
    with pytest.raises(ModelFileError, match=words):
        check(bad, "m.tflite")


def test_precision_decides_where_an_engine_runs_float_files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.engines.selection.available", lambda engine: engine == "tflite-runtime")
    assert usable("tflite")
    assert [usable("tflite", precision=name) for name in ("fp32", "fp16", "int8", "dynamic")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not usable("tflite", "litert", "fp32")


@pytest.mark.usefixtures("nothing_installed")
def test_missing_engine_that_was_named_is_the_one_in_the_message() -> None:
    with pytest.raises(EnvironmentMissingError, match=r"m.tflite on tflite-runtime .* 'numpy<2'"):
        open_engine(b"", "tflite", "m.tflite", engine="tflite-runtime")


def test_engine_for_an_older_numpy_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    here = ENGINES["tflite-runtime"]
    # A module that is there stands for the package; only NumPy's version differs.
    for limit, expected in ((1, False), (99, True)):
        monkeypatch.setitem(ENGINES, "tflite-runtime", replace(here, needs="numpy", numpy_below=limit))
        assert available("tflite-runtime") is expected
    monkeypatch.setitem(ENGINES, "tflite-runtime", replace(here, needs="numpy", numpy_below=1))
    with pytest.raises(EnvironmentMissingError, match=r"needs NumPy below 1. Received: NumPy"):
        open_engine(b"", "tflite", "m.tflite", engine="tflite-runtime")


def test_microcontroller_engine_runs_only_if_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.engines.selection.available", lambda engine: engine == "tflite-micro")
    assert not usable("tflite")
    assert not usable("c-array")
    assert usable("c-array", "tflite-micro")
    assert [usable("tflite", "tflite-micro", name) for name in ("int8", "int16x8", "fp32", "fp16", "dynamic")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    with pytest.raises(EnvironmentMissingError, match="ai-edge-litert"):
        open_engine(b"", "tflite", "m.tflite")
    with pytest.raises(UsageError, match="Pass --engine tflite-micro, or export"):
        open_engine(b"", "c-array", "m.h")
    with pytest.raises(UsageError, match=r"engine litert for m.h \(c-array\). Use: tflite-micro"):
        open_engine(b"", "c-array", "m.h", engine="litert")


@pytest.mark.usefixtures("nothing_installed")
def test_missing_microcontroller_engine_names_its_pip_command() -> None:
    with pytest.raises(
        EnvironmentMissingError, match=r"m.h on tflite-micro .* Run: pip install tflite-micro"
    ):
        open_engine(b"", "c-array", "m.h", engine="tflite-micro")


def test_only_engines_with_other_kernels_have_a_reference(digits_bundle: Path) -> None:
    assert [name for name, entry in ENGINES.items() if entry.reference] == ["tflite-micro"]
    model = digits_bundle / "digits_int8.tflite"
    assert open_reference("litert", model, "m.tflite") is None
    for source in (model, model.read_bytes()):
        reference = open_reference("tflite-micro", source, "m.tflite")
        assert reference is not None
        assert reference.run(np.zeros((16, 16, 1), np.uint8)).sum() == pytest.approx(1.0)
        reference.close()
    with pytest.raises(ModelFileError, match="a header without one"):
        open_reference("tflite-micro", b"int x;", "m.h")
