"""Images that are decoded while something else happens: the same table, and no work that nobody waits for."""

import hashlib
import threading

import numpy as np
import pytest

from edge_runtime import InputSpec
from edge_runtime.common.errors import DataError
from edge_runtime.dataset import ImageSet, Item
from exporter.source.decoding_ahead import DecodingAhead
from exporter.source.images import decode_table

SPEC = InputSpec(6, 5, 3, fit="stretch")


def image_set(count: int, read: object = None) -> ImageSet:
    rng = np.random.default_rng(0)
    content = {str(index): rng.integers(0, 256, (12, 10, 3), dtype=np.uint8) for index in range(count)}
    items = tuple(
        Item(ref, 0, "val", hashlib.sha256(array.tobytes()).hexdigest()) for ref, array in content.items()
    )
    return ImageSet("made", ("a",), items, read or (lambda item: content[item.ref]))  # type: ignore[arg-type]


def test_the_table_is_the_one_of_decode_table_and_only_the_caller_hears_of_it() -> None:
    images, told = image_set(20), list[tuple[str, int, int, int]]()
    table = DecodingAhead(images, SPEC).result(
        lambda step, done, total: told.append((step, done, total, threading.get_ident()))
    )
    np.testing.assert_array_equal(table.pixels, decode_table(images, SPEC).pixels)
    assert told[-1] == ("decoding", 20, 20, threading.get_ident())
    assert {thread for *_, thread in told} == {threading.get_ident()}


def test_what_cannot_be_decoded_is_told_when_the_table_is_asked_for() -> None:
    ahead = DecodingAhead(image_set(3, lambda item: b"no image"), SPEC)
    with pytest.raises(DataError):
        ahead.result()


def test_closing_decodes_no_more() -> None:
    read, made, ready = list[str](), list[DecodingAhead](), threading.Event()

    def slow(item: Item) -> np.ndarray:
        read.append(item.ref)
        assert ready.wait(10)
        assert made[0]._stopped.wait(10)
        return np.zeros((12, 10, 3), dtype=np.uint8)

    made.append(DecodingAhead(image_set(500, slow), SPEC))
    ready.set()
    made[0].close()
    assert len(read) < 250
