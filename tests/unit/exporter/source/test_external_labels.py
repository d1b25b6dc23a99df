"""Class names that model files carry, for data that has only some of the classes or other names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from edge_runtime.dataset import ImageSet, Item
from exporter.source.external import labels_of_files
from exporter.source.loaded_model import LoadedModel, image_of, scores_of


def model(name: str, *labels: str, classes: int = 3) -> LoadedModel:
    path = Path(name)
    return LoadedModel(
        path, "onnxruntime", "0..255", image_of(path, [1, 8, 8, 3])[0], scores_of(path, [1, classes]), np.ravel,
        labels=labels,
    )  # fmt: skip


def images(*labels: str, used: int | None = None) -> ImageSet:
    items = tuple(Item(f"{place}.png", place, "val", f"{place:064}") for place in range(used or len(labels)))
    return ImageSet("photos", labels, items, lambda item: b"")


DATA = images("ash", "birch", "oak")


def test_reference_comes_before_candidate() -> None:
    both = model("one.onnx", "oak", "birch", "ash"), model("two.tflite", "oak", "birch", "ash")
    assert labels_of_files(*both, DATA) == (
        ("oak", "birch", "ash"),
        ("the class names are those in one.onnx",),
    )
    found, notes = labels_of_files(model("one.onnx"), both[1], DATA)
    assert found == ("oak", "birch", "ash")
    assert notes == ("the class names are those in two.tflite",)


def test_files_without_labels_say_nothing() -> None:
    assert labels_of_files(model("one.onnx"), model("two.onnx"), DATA) == ((), ())


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("ash", "birch"), ("ash", "birch", "elm")])
def test_other_names_are_left_out_and_said(labels: tuple[str, ...]) -> None:
    found, notes = labels_of_files(model("one.onnx", *labels), model("two.onnx"), DATA)
    assert found == ()
    assert "one.onnx are not used" in notes[0]


def test_data_may_hold_fewer_classes_than_the_file_names() -> None:
    found, _ = labels_of_files(
        model("one.onnx", "oak", "elm", "ash"), model("two.onnx"), images("ash", "oak")
    )
    assert found == ("oak", "elm", "ash")


def test_doubled_names_are_told_apart_as_in_the_data() -> None:
    cranes = images("crane", "crane (1)", "oak")
    found, _ = labels_of_files(model("one.onnx", "crane", "crane", "oak"), model("two.onnx"), cranes)
    assert found == ("crane", "crane (1)", "oak")


def test_files_that_contradict_each_other() -> None:
    one, two = model("one.onnx", "oak", "birch", "ash"), model("two.onnx", "oak", "ash", "birch")
    with pytest.raises(
        UsageError, match=r"output 1 is 'birch' in one\.onnx and 'ash' in two\.onnx"
    ) as caught:
        labels_of_files(one, two, DATA)
    assert "\n" not in str(caught.value)
    # Both files may have the same name.
    same = model("a/x.onnx", "oak", "birch", "ash"), model("b/x.onnx", "oak", "ash", "birch")
    with pytest.raises(UsageError, match=r"a/x\.onnx and 'ash' in b/x\.onnx"):
        labels_of_files(*same, DATA)


def test_white_space_around_names_is_no_difference() -> None:
    found, _ = labels_of_files(model("one.onnx", "oak ", "\ufeffbirch", "ash\u00a0"), model("two.onnx"), DATA)
    assert found == ("oak", "birch", "ash")
