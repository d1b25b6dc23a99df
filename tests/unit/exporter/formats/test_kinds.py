from __future__ import annotations

import pytest

from edge_runtime.common.errors import UnknownNameError, UsageError
from exporter.formats.kinds import ALIASES, KINDS, Kind, parse_kinds, resolve


def names(*asked: str) -> list[str]:
    return [kind.name for kind in parse_kinds(asked)]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("w8a8", "tflite-int8"),
        ("static_wi8_ai8", "tflite-int8"),
        ("dynamic_wi8_afp32", "tflite-dynamic"),
        ("static_wi8_ai16", "tflite-int16x8"),
        ("float16", "tflite-fp16"),
        ("tf_saved_model", "saved-model"),
        ("TFLite-Micro", "c-array"),
        ("onnx", "onnx-fp32"),
        ("tflite_int8", "tflite-int8"),
    ],
)
def test_kind_in_the_spelling_that_users_know(asked: str, meant: str) -> None:
    assert names(asked) == [meant]


def test_kinds_come_once_and_in_the_order_of_tables() -> None:
    assert names("onnx", "int8", "w8a8", "tflite-fp32") == ["tflite-fp32", "tflite-int8", "onnx-fp32"]


def test_all_is_what_needs_no_further_extra() -> None:
    assert names("all") == [name for name in KINDS if name != "coreml"]
    assert names("all", "coreml") == list(KINDS)


def test_every_alias_means_a_kind_and_hides_none() -> None:
    assert set(ALIASES.values()) <= set(KINDS)
    assert not set(ALIASES) & {*KINDS, "all"}
    assert all(alias == alias.lower() and "_" not in alias for alias in ALIASES)


def test_unknown_kind_lists_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match=r"'int9'.*tflite-int8.*c-array.*all"):
        parse_kinds(["int9"])
    with pytest.raises(UsageError, match="none"):
        parse_kinds([])


def test_files_have_different_names() -> None:
    files = [kind.file("flowers") for kind in KINDS.values()]
    assert len(set(files)) == len(files)
    assert "flowers_saved_model/saved_model.pb" in files
    assert all(file.startswith("flowers") for file in files)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_what_a_row_names_exists(kind: Kind) -> None:
    for target in filter(None, (kind.make, kind.graph, kind.metadata, kind.load)):
        assert callable(resolve(target))
    assert bool(kind.make) != bool(kind.graph)
    attributes = {"model", "name", "labels", "input", "frozen", "calibration"}
    assert set(kind.made_of) <= attributes | set(KINDS)
    assert not kind.wraps or kind.wraps in kind.made_of
