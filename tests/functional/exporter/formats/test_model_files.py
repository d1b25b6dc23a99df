"""An .onnx file with its weights in other files is all of them: counted, hashed, and never outside its folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.common.errors import ModelFileError
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.half_precision import half_magnitude
from exporter.formats.model_files import external_files, parse_onnx
from exporter.formats.onnx_run import parsed
from exporter.source.external import external_candidate, look_at, prepared

SPEC = InputSpec(height=16, width=16, channels=3, fit="stretch")


def write(folder: Path, location: str = "m.onnx.data", *, seed: int = 0, wide: int = 16) -> Path:
    """A classifier as PyTorch saves one: channels first, weights beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    weights = [
        numpy_helper.from_array(rng.normal(size=(wide, 3, 3, 3)).astype(np.float32), "w"),
        numpy_helper.from_array(rng.normal(size=(5, wide)).astype(np.float32), "d"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "d"], ["g"], transB=1),
        helper.make_node("Softmax", ["g"], ["y"]),
    ]
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])
    graph = helper.make_graph(nodes, "g", [taken], [given], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(
        model, folder / "m.onnx", save_as_external_data=True, location=Path(location).name, size_threshold=0
    )
    if Path(location).name != location:
        shutil.move(folder / Path(location).name, folder / location)
        relocate(folder / "m.onnx", location)
    return folder / "m.onnx"


def relocate(path: Path, location: str, **more: str) -> None:
    """Changes where the file says that its weights are."""
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
            elif entry.key in more:
                entry.value = more[entry.key]
    path.write_bytes(model.SerializeToString())


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("location", ["m.onnx.data", "weights/part.bin", "a b ü.bin"])
def test_all_its_files_are_counted_and_hashed(tmp_path: Path, location: str) -> None:
    one, two, again = (
        look_at(write(tmp_path / name, location, seed=seed)) for name, seed in (("a", 0), ("b", 1), ("c", 0))
    )
    assert one.bytes == size(tmp_path / "a") > 2000
    # The graphs alone are equal.
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.sha256 != two.sha256
    assert one.sha256 == again.sha256
    assert external_candidate(prepared(one, SPEC)).bytes == one.bytes


def test_weights_in_several_files_are_each_counted_once(tmp_path: Path) -> None:
    path = write(tmp_path)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=0)
    (tmp_path / "m.onnx.data").unlink()
    found = look_at(path)
    assert [file.name for file in found.files] == ["m.onnx", "d", "w"]
    assert found.bytes == size(tmp_path)
    before = found.sha256
    (tmp_path / "d").write_bytes(bytes(len((tmp_path / "d").read_bytes())))
    assert look_at(path).sha256 != before


def test_weights_of_nodes_and_subgraphs_are_found(tmp_path: Path) -> None:
    def far(name: str) -> Any:
        tensor = numpy_helper.from_array(np.ones(4, np.float32), name)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=f"{name}.bin")
        (tmp_path / f"{name}.bin").write_bytes(bytes(16))
        return tensor

    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["k"], value=far("inner"))], "then",
        [], [helper.make_tensor_value_info("k", TensorProto.FLOAT, [4])],
    )  # fmt: skip
    nodes = [
        helper.make_node("Constant", [], ["n"], value=far("node")),
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [], [], [far("weight")]))
    names = [file.name for file in external_files(model, tmp_path / "m.onnx")]
    assert names == ["inner.bin", "node.bin", "weight.bin"]


def test_size_of_huge_weights_is_taken_without_reading_them(tmp_path: Path) -> None:
    path = write(tmp_path)
    with open(tmp_path / "m.onnx.data", "r+b") as file:
        # Sparse: nothing is written, and nobody could parse it as one file.
        file.truncate(3 << 30)
    assert look_at(path).bytes == path.stat().st_size + (3 << 30)


@pytest.mark.parametrize("location", ["../away.bin", "sub/../../away.bin"])
def test_place_outside_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    path = write(tmp_path / "m")
    shutil.move(tmp_path / "m" / "m.onnx.data", tmp_path / "away.bin")
    (tmp_path / "m" / "sub").mkdir()
    relocate(path, location)
    with pytest.raises(ModelFileError, match=r"weights must lie in its folder.*outside of it"):
        look_at(path)


def test_whole_path_and_link_that_lead_outside_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m")
    away = shutil.move(tmp_path / "m" / "m.onnx.data", tmp_path / "away.bin")
    relocate(path, str(away))
    with pytest.raises(ModelFileError, match="outside of it"):
        look_at(path)
    (tmp_path / "m" / "link.bin").symlink_to(away)
    relocate(path, "link.bin")
    with pytest.raises(ModelFileError, match="outside of it"):
        look_at(path)


def test_links_as_in_the_cache_of_hugging_face_are_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "made")
    blobs, shown = tmp_path / "blobs", tmp_path / "snapshots" / "1"
    blobs.mkdir()
    shown.mkdir(parents=True)
    plain = look_at(path)
    for name in ("m.onnx", "m.onnx.data"):
        shutil.copy(tmp_path / "made" / name, blobs / f"blob of {name}")
        (shown / name).symlink_to(f"../../blobs/blob of {name}")
    linked = look_at(shown / "m.onnx")
    assert (linked.bytes, linked.sha256) == (plain.bytes, plain.sha256)
    # And looks inside of it, which onnx itself refuses.
    weights = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in parsed(shown / "m.onnx").graph.initializer
    }
    wanted = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    assert {name: values.tobytes() for name, values in weights.items()} == {
        name: values.tobytes() for name, values in wanted.items()
    }
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    seen = half_magnitude(shown / "m.onnx", "onnx", "m", pixels, linked.feed, widths="any")
    assert seen is not None
    assert seen.magnitude > 1.0


@pytest.mark.parametrize("what", ["missing", "short", "folder"])
def test_weights_that_are_not_there_are_named(tmp_path: Path, what: str) -> None:
    path = write(tmp_path)
    data = tmp_path / "m.onnx.data"
    data.unlink()
    if what == "short":
        data.write_bytes(b"abc")
    elif what == "folder":
        data.mkdir()
    wanted = "must be whole" if what == "short" else "without 'm.onnx.data'"
    with pytest.raises(ModelFileError, match=wanted) as caught:
        look_at(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("more", [{"offset": "-1"}, {"length": "many"}])
def test_place_that_says_nothing_is_refused(tmp_path: Path, more: dict[str, str]) -> None:
    path = write(tmp_path)
    relocate(path, "m.onnx.data", **more)
    with pytest.raises(ModelFileError, match="must say where its weights are"):
        look_at(path)


def test_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07\x12\xff no model")
    for look in (parse_onnx, look_at, parsed):
        with pytest.raises(ModelFileError, match=r"\.onnx file must"):
            look(tmp_path / "m.onnx")
