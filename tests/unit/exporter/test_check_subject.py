"""Images that are decoded while a model loads: whoever does not need them stops it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from edge_runtime import InputSpec
from edge_runtime.common.errors import UsageError
from edge_runtime.common.progress import no_progress
from edge_runtime.dataset import ImageSet, Item
from exporter import unlabelled_check
from exporter.check_subject import Subject
from exporter.source.decoding_ahead import DecodingAhead

SPEC, OTHER = InputSpec(6, 5, 3, fit="stretch"), InputSpec(4, 4, 3, fit="stretch")


def subject(full: InputSpec, labels: tuple[str, ...] = ("a",)) -> Subject:
    pixels = np.zeros((12, 10, 3), dtype=np.uint8)
    items = tuple(Item(str(one), 0, "val", hashlib.sha256(bytes([one])).hexdigest()) for one in range(20))
    images = ImageSet("made", ("a",), items, lambda item: pixels)
    ready = cast(Any, SimpleNamespace(input=full))
    return Subject("made", [], ready, images, labels, cast(Any, None), ahead=DecodingAhead(images, SPEC))


def stopped(one: Subject) -> bool:
    assert one.ahead is not None
    return one.ahead._stopped.is_set()


@pytest.mark.parametrize("spec", [SPEC, OTHER])
def test_images_are_decoded_for_the_full_model(spec: InputSpec) -> None:
    one = subject(spec)
    assert one.decoded(no_progress).pixels.shape == (20, *spec.shape)
    assert stopped(one)


def test_a_check_that_is_refused_decodes_no_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    one = subject(SPEC, ("(neither)",))
    monkeypatch.setattr(unlabelled_check, "subject_of", lambda *_, **__: one)
    with pytest.raises(UsageError, match="class names other than"):
        unlabelled_check.check_unlabelled("x.bundle", data=tmp_path, answers=tmp_path / "answers.csv")
    assert stopped(one)
