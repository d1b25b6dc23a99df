"""What is known of models before they are built, and weights files before they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.common.errors import UnknownNameError, UsageError
from trainer import models
from trainer.models.weights import check_weights_file


def test_names_are_sorted_and_have_facts() -> None:
    assert list(models.names()) == sorted(models.names())
    assert {"lenet5", "mobilenet_v2", "resnet50", "small_cnn"} <= set(models.names())
    # Of a feature_extractor the SavedModel decides.
    assert [name for name in models.names() if not models.info(name).parameters] == ["feature_extractor"]
    assert models.info("feature_extractor").file_mb is None
    assert models.info("small_cnn").parameters == 121_930
    assert models.info("small_cnn").file_mb == 0.5
    with pytest.raises(UnknownNameError, match=r"Use one of: .*mobilenet_v2, .*small_cnn"):
        models.info("vgg")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.weights.h5", None, "existing .h5 file"),
        ("empty.h5", b"", "0 bytes of another format"),
        ("text.h5", b"not weights", "11 bytes of another format"),
        ("model.keras", b"\x89HDF\r\n\x1a\n rest", "another suffix"),
    ],
)
def test_what_is_no_weights_file_is_refused(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        check_weights_file(tmp_path / name)
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folder_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Received: the folder"):
        check_weights_file(tmp_path)
