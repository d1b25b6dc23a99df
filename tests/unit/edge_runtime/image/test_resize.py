"""The resize: rows before columns, on every Pillow, compiled or not."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.image import photo_memory, resize
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.resize_and_crop import fit, fit_pixels

_native = pytest.importorskip(
    "edge_runtime._native", reason="not compiled here: no C compiler at installation"
)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def rows_then_columns(picture: Image.Image, size: resize.Size, box: resize.Box) -> resize.UInt8:
    """What Pillow before 13 does in one call: one pass, rounded, then the other."""
    left, top, right, bottom = box
    wide = picture.resize(
        (size[0], picture.height), Image.Resampling.BILINEAR, box=(left, 0, right, picture.height)
    )
    return np.asarray(wide.resize(size, Image.Resampling.BILINEAR, box=(0, top, size[0], bottom)))


def compiled(picture: Image.Image, size: resize.Size, box: resize.Box, *, plain: bool) -> resize.UInt8:
    padded = np.dstack([np.asarray(picture), np.zeros((picture.height, picture.width), np.uint8)])
    out = np.full((size[1], size[0], 3), 77, np.uint8)
    _native.resize(np.ascontiguousarray(padded), picture.size, out, size, box, plain)
    return out


@pytest.mark.parametrize("plain", [False, True], ids=["vectors", "plain"])
@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    to=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    part=st.tuples(*[st.floats(0, 1)] * 4),
    whole=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_compiled_resize_is_pillow_s_bit_for_bit(
    plain: bool,
    size: resize.Size,
    to: resize.Size,
    part: tuple[float, float, float, float],
    whole: bool,
    seed: int,
) -> None:
    picture = noise(*size, seed)
    (left, right), (top, bottom) = sorted(part[:2]), sorted(part[2:])
    box: resize.Box = (0, 0, *size)
    if not whole:
        box = (
            left * (size[0] - 1),
            top * (size[1] - 1),
            1 + right * (size[0] - 1),
            1 + bottom * (size[1] - 1),
        )
    expected = rows_then_columns(picture, to, box)
    np.testing.assert_array_equal(compiled(picture, to, box, plain=plain), expected)
    np.testing.assert_array_equal(np.asarray(resize.by_pillow(picture, to, box)), expected)


@pytest.mark.parametrize("size", [(3000, 7), (7, 3000), (65_535, 1), (1, 65_535), (1200, 900)])
@pytest.mark.parametrize("to", [(1, 1), (5, 3), (64, 64)])
def test_extreme_sides(size: resize.Size, to: resize.Size) -> None:
    white = Image.new("RGB", size, (255, 254, 1))
    box = (0, 0, *size)
    for picture in (white, noise(*size)):
        expected = np.asarray(resize.by_pillow(picture, to, box))
        for plain in (False, True):
            np.testing.assert_array_equal(compiled(picture, to, box, plain=plain), expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (((0, 4), (2, 2), (0, 0, 1, 1)), "sides"),
        (((4, 70_000), (2, 2), (0, 0, 1, 1)), "sides"),
        (((4, 4), (2, 0), (0, 0, 1, 1)), "sides"),
        (((4, 4), (2, 2), (0, 0, 5, 4)), "box"),
        (((4, 4), (2, 2), (-1, 0, 4, 4)), "box"),
        (((4, 4), (2, 2), (3, 0, 3, 4)), "box"),
        (((4, 4), (2, 2), (float("nan"), 0, 4, 4)), "box"),
        (((4, 5), (2, 2), (0, 0, 4, 4)), "picture must have four bytes"),
        (((4, 4), (2, 3), (0, 0, 4, 4)), "result must have three bytes"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_read(
    words: tuple[resize.Size, resize.Size, resize.Box], message: str
) -> None:
    size, to, box = words
    with pytest.raises(ValueError, match=message):
        _native.resize(bytes(64), size, bytearray(12), to, box)


def test_a_capsule_of_other_pixels_is_refused() -> None:
    for picture, size in ((Image.new("L", (4, 4)), (4, 4)), (Image.new("RGB", (4, 4)), (4, 5))):
        with pytest.raises(ValueError, match="Arrow"):
            _native.resize(picture.__arrow_c_array__()[1], size, bytearray(12), (2, 2), (0, 0, 4, 4))
    with pytest.raises(TypeError):
        _native.resize(object(), (4, 4), bytearray(12), (2, 2), (0, 0, 4, 4))
    with pytest.raises((BufferError, ValueError)):
        _native.resize(np.zeros((8, 8, 4), np.uint8)[::2, ::2], (4, 4), bytearray(12), (2, 2), (0, 0, 4, 4))


def test_it_is_used_where_it_was_compiled() -> None:
    assert resize.usable()
    assert resize.compiled(noise(40, 30), (8, 8), (0, 0, 40, 30)) is not None


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK"])
def test_other_modes_are_pillow_s(mode: str) -> None:
    assert resize.compiled(Image.new(mode, (40, 30)), (8, 8), (0, 0, 40, 30)) is None


def test_a_picture_in_several_pieces_is_pillow_s() -> None:
    picture = noise(2600, 2600)
    spec = InputSpec(height=32, width=32)
    np.testing.assert_array_equal(fit_pixels(picture, spec), np.asarray(fit(picture, spec)))


def test_a_resize_that_rounds_differently_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    real = resize.resized
    resize.usable.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(resize, "resized", lambda *words: real(*words) ^ 1)
        assert not resize.usable()
        assert resize.compiled(noise(40, 30), (8, 8), (0, 0, 40, 30)) is None
    resize.usable.cache_clear()


def test_without_the_compiled_part_pillow_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = InputSpec(height=24, width=24, fit="crop")
    picture = noise(60, 90)
    expected = fit_pixels(picture, spec)
    monkeypatch.setattr(resize, "usable", lambda: False)
    np.testing.assert_array_equal(fit_pixels(picture, spec), expected)


def test_a_tall_picture_is_resized_channel_by_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise(40, 300)
    expected = np.asarray(resize.by_pillow(picture, (32, 20), (0, 0, 40, 300)))
    monkeypatch.setattr(resize, "_LARGE_BETWEEN", 1000)
    asked: list[str] = []
    real = Image.Image.getchannel
    monkeypatch.setattr(Image.Image, "getchannel", lambda *words: asked.append("") or real(*words))
    np.testing.assert_array_equal(np.asarray(resize.by_pillow(picture, (32, 20), (0, 0, 40, 300))), expected)
    assert len(asked) == 3


@pytest.mark.parametrize("usable", [True, False])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((97, 61), "7684d4"),
        # Taller: Pillow 13 would take the columns first, and earlier ones not.
        ((61, 97), "5a666a"),
    ],
)
def test_pixels_do_not_depend_on_pillow_s_version(
    size: resize.Size, expected: str, usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    values = np.stack(
        [rows * columns * 37 % 256, (rows * rows + columns) * 11 % 256, columns * 255 // size[0]], axis=2
    )
    picture = Image.fromarray(values.astype(np.uint8))
    if not usable:
        monkeypatch.setattr(resize, "usable", lambda: False)
    found = fit_pixels(picture, InputSpec(height=40, width=40))
    assert hashlib.sha256(found.tobytes()).hexdigest()[:6] == expected


@pytest.mark.skipif(not resize.usable(), reason="needs the compiled part")
def test_a_picture_in_pieces_is_copied_and_resized_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2100, 2101, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    assert resize.memory(picture) is None
    part = (0.0, 0.0, 2101.0, 2100.0)
    expected = np.asarray(resize.by_pillow(picture, (23, 17), part))
    found = resize.compiled(picture, (23, 17), part)
    assert found is not None
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.asarray(picture), noise)

    def none_left(size: tuple[int, int]) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(photo_memory, "rows_of", none_left)
        assert resize.compiled(picture, (23, 17), part) is None
    monkeypatch.setattr(photo_memory, "usable", lambda: False)
    assert resize.compiled(picture, (23, 17), part) is None
