"""Metadata in the tiny golden models: read back, and no score changed."""

from __future__ import annotations

import ast
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.common.errors import BundleError, ModelFileError
from edge_runtime.engines import open_engine
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.onnx_metadata import onnx_labels, with_onnx_metadata
from exporter.formats.tflite_metadata import read_tflite_metadata, tflite_labels, with_tflite_metadata
from exporter.formats.tflite_metadata_tables import COLOR_SPACES, split

LABELS = ("zero", "it's one", "zwei", 'the "third"', "vier \U0001f600", "crane", "crane", "7", "8", "9")
GRAY = InputSpec(16, 16, 1)
TFLITE = ("digits_fp32.tflite", "digits_int8.tflite")
ABOUT = {"name": "digits", "description": "Digits 0 to 9", "labels": LABELS, "input": GRAY}
ONNX_ABOUT = {**ABOUT, "kind": "onnx-fp32"}

Read = Callable[[str], bytes]


@pytest.fixture
def read(digits_bundle: Path) -> Read:
    return lambda name: (digits_bundle / name).read_bytes()


def scores(data: bytes, format: str) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1), dtype=np.uint8)
    engine = open_engine(data, format, "model")  # type: ignore[arg-type]
    return np.stack([engine.run(image) for image in pixels])


@pytest.mark.parametrize("name", TFLITE)
def test_tflite_scores_stay_and_metadata_is_read_back(read: Read, name: str) -> None:
    bare = read(name)
    described = with_tflite_metadata(bare, **ABOUT)  # type: ignore[arg-type]
    assert (scores(described, "tflite") == scores(bare, "tflite")).all()
    found = read_tflite_metadata(described)
    assert found is not None
    assert (found["name"], found["description"]) == ("digits", "Digits 0 to 9")
    assert tflite_labels(described) == LABELS
    (image,) = found["subgraphs"][0]["inputs"]
    assert image["content"]["image"]["color_space"] == COLOR_SPACES["GRAYSCALE"] == 2
    assert image["process_units"] == [{"normalization": {"mean": [0.0], "std": [1.0]}}]
    assert image["stats"] == {"min": [0.0], "max": [255.0]}
    assert found["author"].startswith("snapship ")


def test_labels_are_read_from_files_of_both_kinds(read: Read) -> None:
    assert tflite_labels(with_tflite_metadata(read(TFLITE[1]), **ABOUT)) == LABELS  # type: ignore[arg-type]
    assert tflite_labels(schema_only(read(TFLITE[1]))) == ()
    proto = onnx.load_model_from_string(with_onnx_metadata(read("digits_fp32.onnx"), **ONNX_ABOUT))  # type: ignore[arg-type]
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    assert onnx_labels(properties) == LABELS
    assert onnx_labels({"names": properties["names"]}) == LABELS


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('["a", "b"]', ("a", "b")), ("['a', 'b']", ("a", "b")), ("{0: 'a', 1: 'b'}", ("a", "b")),
        ('{"1": "b", "0": "a"}', ("a", "b")), ("('a', 'b')", ("a", "b")), ("{1: 'a', 2: 'b'}", ()),
        ("{'a', 'b'}", ()), ("[1, 2]", ()), ('["a", ""]', ()), ('["a", "b\\nc"]', ()), ("a, b", ()), ("", ()),
        ("[" * 100_000, ()), ("__import__('os').getcwd()", ()), ("{}", ()), ("[]", ()), ("\0", ()),
    ],
)  # fmt: skip
def test_labels_of_other_tools_are_read_or_left_out(text: str, labels: tuple[str, ...]) -> None:
    assert onnx_labels({"labels": text}) == labels
    assert onnx_labels({"names": text}) == labels


def test_damaged_labels_are_left_out(read: Read) -> None:
    whole = with_tflite_metadata(read(TFLITE[1]), **ABOUT)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    for _ in range(40):
        data = bytearray(whole)
        data[rng.integers(8, len(data))] ^= 0xFF
        assert set(tflite_labels(bytes(data))) <= {*LABELS} or len(tflite_labels(bytes(data))) == len(LABELS)


def schema_only(data: bytes) -> bytes:
    """The model without appended files."""
    return split(data)[0]


def test_tflite_without_metadata_says_nothing(read: Read) -> None:
    model = schema.ModelT.InitFromPackedBuf(read(TFLITE[0]), 0)
    if any(entry.name == b"TFLITE_METADATA" for entry in model.metadata or []):
        pytest.skip("the golden models carry metadata now")
    assert read_tflite_metadata(read(TFLITE[0])) is None


@pytest.mark.parametrize("name", TFLITE)
def test_tflite_metadata_twice_is_metadata_once(read: Read, name: str) -> None:
    once = with_tflite_metadata(read(name), **ABOUT)  # type: ignore[arg-type]
    other = with_tflite_metadata(once, **{**ABOUT, "labels": LABELS[::-1]})  # type: ignore[arg-type]
    assert with_tflite_metadata(read(name), **ABOUT) == once  # type: ignore[arg-type]
    assert with_tflite_metadata(once, **ABOUT) == once  # type: ignore[arg-type]
    assert with_tflite_metadata(other, **ABOUT) == once  # type: ignore[arg-type]
    assert tflite_labels(other) == LABELS[::-1]


def test_labels_are_a_stored_zip_entry(read: Read) -> None:
    described = with_tflite_metadata(read(TFLITE[1]), **ABOUT)  # type: ignore[arg-type]
    with zipfile.ZipFile(io.BytesIO(described)) as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert archive.read(entry).decode().split("\n") == [*LABELS, ""]


@pytest.mark.parametrize("name", TFLITE)
def test_tflite_weights_lie_on_16_bytes(read: Read, name: str) -> None:
    described = with_tflite_metadata(read(name), **ABOUT)  # type: ignore[arg-type]
    start = np.frombuffer(described, dtype=np.uint8).ctypes.data
    model = schema.Model.GetRootAs(described, 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    places = [buffer.DataAsNumpy().ctypes.data - start for buffer in buffers if buffer.DataLength()]
    assert len(places) > 5
    assert [place % 16 for place in places] == [0] * len(places)


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"labels": LABELS[:9]}, BundleError, "9 labels, 10 outputs"),
        ({"labels": (*LABELS[:9], "two\nlines")}, BundleError, "one line"),
        ({"input": InputSpec(16, 16, 3)}, ModelFileError, r"\[16, 16, 3\]"),
    ],
)
def test_metadata_that_does_not_fit_is_refused(
    read: Read, changed: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        with_tflite_metadata(read(TFLITE[0]), **{**ABOUT, **changed})  # type: ignore[arg-type]
    with pytest.raises(error, match=words):
        with_onnx_metadata(read("digits_fp32.onnx"), **{**ONNX_ABOUT, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize("keep", [0, 3, 200])
def test_damaged_file_is_refused(read: Read, keep: int) -> None:
    for write, about, name in (
        (with_tflite_metadata, ABOUT, TFLITE[0]),
        (with_onnx_metadata, ONNX_ABOUT, "digits_fp32.onnx"),
    ):
        with pytest.raises(ModelFileError, match="Received"):
            write(read(name)[:keep], **about)  # type: ignore[operator]


def test_damaged_metadata_is_refused(read: Read) -> None:
    described = with_tflite_metadata(read(TFLITE[0]), **ABOUT)  # type: ignore[arg-type]
    with pytest.raises(ModelFileError, match="schema"):
        read_tflite_metadata(described.replace(b"M001", b"M999"))


def test_onnx_properties_parse_in_each_reader_way(read: Read) -> None:
    bare = read("digits_fp32.onnx")
    described = with_onnx_metadata(bare, **ONNX_ABOUT)  # type: ignore[arg-type]
    assert (scores(described, "onnx") == scores(bare, "onnx")).all()
    proto = onnx.load_from_string(described)
    about = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(about["labels"]) == list(LABELS) == ast.literal_eval(about["labels"])
    assert ast.literal_eval(about["names"]) == dict(enumerate(LABELS))
    assert ast.literal_eval(about["imgsz"]) == [16, 16]
    assert (about["channels"], about["color_space"], about["layout"]) == ("1", "GRAYSCALE", "NHWC")
    assert json.loads(about["preprocess"])["resize"] == "antialiased-bilinear"
    assert "license" not in about
    assert (proto.producer_name, proto.doc_string) == ("snapship", "Digits 0 to 9")


def test_onnx_metadata_keeps_foreign_keys_and_caps_the_ir_version(read: Read) -> None:
    proto = onnx.load_from_string(read("digits_fp32.onnx"))
    proto.ir_version = 12
    onnx.helper.set_model_props(proto, {"stride": "1", "labels": "old"})
    once = with_onnx_metadata(proto.SerializeToString(), **ONNX_ABOUT)  # type: ignore[arg-type]
    found = onnx.load_from_string(once)
    assert found.ir_version == 10
    about = {entry.key: entry.value for entry in found.metadata_props}
    assert (about["stride"], json.loads(about["labels"])[0]) == ("1", "zero")
    assert with_onnx_metadata(once, **ONNX_ABOUT) == once  # type: ignore[arg-type]


def test_weights_that_look_like_a_zip_are_no_obstacle(read: Read) -> None:
    # The signature that ends a zip, in the last bytes of the file, where a zip is looked for.
    bare = read(TFLITE[0]) + b"PK\x05\x06" + bytes(18)
    assert with_tflite_metadata(bare, **ABOUT) == with_tflite_metadata(read(TFLITE[0]), **ABOUT)  # type: ignore[arg-type]
    broken = read(TFLITE[0]) + b"PK\x05\x06" + b"\xff" * 18
    assert with_tflite_metadata(broken, **ABOUT) == with_tflite_metadata(read(TFLITE[0]), **ABOUT)  # type: ignore[arg-type]
