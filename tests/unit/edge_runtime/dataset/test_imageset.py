"""Relabelling, dropping what does not decode, and the order of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import class_order, decode_all, distinct_labels, open_dataset
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels

WriteClasses = Callable[[Path, Mapping[str, int]], Path]
SPEC = InputSpec(height=4, width=5)


def test_relabelled_takes_the_models_order(tmp_path: Path, write_classes: WriteClasses) -> None:
    images = open_dataset(write_classes(tmp_path, {"cat": 2, "dog": 2}))
    other = images.relabelled(("dog", "cow", "cat"))
    assert other.labels == ("dog", "cow", "cat")
    assert [item.label for item in other.items] == [2, 2, 0, 0]
    assert other.counts()["cow"] == {"train": 0, "val": 0}
    assert images.relabelled(("cat", "dog")) is images
    assert other.sha256 == images.sha256


def test_class_that_the_model_lacks_is_named(tmp_path: Path, write_classes: WriteClasses) -> None:
    images = open_dataset(write_classes(tmp_path, {"cat": 2, "dog": 2, "cow": 2}))
    with pytest.raises(DataError, match=r"Received: cow, dog in .*, the model knows bird, cat"):
        images.relabelled(("bird", "cat"))


def test_pixels_are_those_of_the_one_preprocessing(tmp_path: Path, write_classes: WriteClasses) -> None:
    images = open_dataset(write_classes(tmp_path, {"cat": 30, "dog": 30}))
    decoded = list(decode_all(images, SPEC, workers=3))
    assert [item for item, _ in decoded] == list(images.items)
    for item, result in decoded:
        np.testing.assert_array_equal(result, pixels(tmp_path / item.ref, SPEC))


def test_decoding_may_stop_early(tmp_path: Path, write_classes: WriteClasses) -> None:
    images = open_dataset(write_classes(tmp_path, {"cat": 30, "dog": 30}))
    stream = decode_all(images, SPEC, workers=2)
    assert next(stream)[0] == images.items[0]
    del stream


def test_what_does_not_decode_is_skipped_with_the_reason(tmp_path: Path, write_classes: WriteClasses) -> None:
    write_classes(tmp_path, {"cat": 20, "dog": 21})
    (tmp_path / "cat" / "3.png").write_text("not a picture")
    (tmp_path / "dog" / "5.png").unlink()
    images = open_dataset(tmp_path)
    (tmp_path / "dog" / "6.png").unlink()
    failures = {item.ref: why for item, why in decode_all(images, SPEC) if isinstance(why, str)}
    assert set(failures) == {"cat/3.png", "dog/6.png"}
    left = images.without(failures)
    assert len(left) == len(images) - 2
    assert left.skipped[0].startswith("cat/3.png: ")


@pytest.mark.parametrize(("count", "most"), [(6, 1), (10, 1), (39, 1), (40, 2), (100, 5)])
def test_more_than_a_twentieth_unreadable_is_refused_but_not_one_alone(
    tmp_path: Path, write_classes: WriteClasses, count: int, most: int
) -> None:
    images = open_dataset(write_classes(tmp_path, {"cat": count - 3, "dog": 3}))
    refs = [item.ref for item in images.items if item.ref.startswith("cat")]
    assert len(images.without(dict.fromkeys(refs[:most], "x"))) == count - most
    with pytest.raises(DataError, match=rf"At most 5%.*{most + 1} of {count}.*the first is cat/0.png: x"):
        images.without(dict.fromkeys(refs[: most + 1], "x"))


def test_class_that_does_not_decode_at_all_is_refused(tmp_path: Path, write_classes: WriteClasses) -> None:
    images = open_dataset(write_classes(tmp_path, {"cat": 20, "dog": 1}))
    with pytest.raises(DataError, match="none for 'dog'"):
        images.without({"dog/0.png": "broken"})


def test_hash_knows_content_label_and_split(tmp_path: Path, write_classes: WriteClasses) -> None:
    images = open_dataset(write_classes(tmp_path, {"cat": 5, "dog": 5}))
    before = images.sha256
    (tmp_path / "cat" / "0.png").rename(tmp_path / "dog" / "moved.png")
    assert open_dataset(tmp_path).sha256 != before


def test_class_order() -> None:
    assert class_order(["b", "a", "b"]) == ("a", "b")
    assert class_order(["10", "9", "01"]) == ("01", "9", "10")
    assert class_order(["10", "9", "x"]) == ("10", "9", "x")
    assert distinct_labels(("crane", "x", "crane")) == ("crane", "x", "crane (2)")
