"""The plain resize: its definition, in C and NumPy to the same bits, by every way from an image to pixels."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.image import fast_jpeg, preprocess, resize_and_crop
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import pixels
from edge_runtime.image.resize import Size
from edge_runtime.image.resize_and_crop import Part, by_picture, by_rows, kept_part

try:
    from edge_runtime import _native
except ImportError:
    _native = None  # type: ignore[assignment]

needs_native = pytest.mark.skipif(_native is None, reason="not compiled here: no C compiler at installation")


def noise(size: Size, mode: str = "RGB", seed: int = 0) -> Image.Image:
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    # Black and white: between neighbours, as much lies as can.
    return Image.fromarray(np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), shape)).copy()


def defined(picture: Image.Image, size: Size, part: Part) -> np.ndarray:
    """The resize by its definition, float64 and not rounded."""

    def weights(length: int, count: int) -> np.ndarray:
        place = np.clip((np.arange(count) + 0.5) * length / count - 0.5, 0, length - 1)
        return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(length)))

    seen = np.asarray(picture.crop(part)).astype(np.float64)
    across, down = weights(part[2] - part[0], size[0]), weights(part[3] - part[1], size[1])
    return np.moveaxis(np.tensordot(across, np.tensordot(down, seen, (1, 0)), (1, 1)), 0, 1)


@pytest.fixture(params=["compiled", "numpy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "compiled" and _native is None:
        pytest.skip("not compiled here: no C compiler at installation")
    if request.param == "numpy":
        monkeypatch.setattr(resize_and_crop, "usable", lambda: False)
    return str(request.param)


sizes = st.tuples(st.integers(1, 150), st.integers(1, 150))


@needs_native
@pytest.mark.parametrize("mode", ["RGB", "L"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=sizes, to=st.tuples(st.integers(1, 70), st.integers(1, 70)), part=st.tuples(*[st.floats(0, 1)] * 4),
    seed=st.integers(0, 2**32 - 1), strip=st.sampled_from([1, 500, 10**6]),
)  # fmt: skip
def test_c_and_numpy_give_the_same_bits_and_what_is_defined(
    mode: str, size: Size, to: Size, part: tuple[float, float, float, float], seed: int, strip: int
) -> None:
    picture = noise(size, mode, seed)
    (left, right), (top, bottom) = sorted(part[:2]), sorted(part[2:])
    box = (
        round(left * (size[0] - 1)), round(top * (size[1] - 1)),
        1 + round(right * (size[0] - 1)), 1 + round(bottom * (size[1] - 1)),
    )  # fmt: skip
    compiled = by_picture(picture, to, box)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(resize_and_crop, "_STRIP_PIXELS", strip)
        patched.setattr(resize_and_crop, "usable", lambda: False)
        by_numpy = by_picture(picture, to, box)
    np.testing.assert_array_equal(compiled, by_numpy)
    # Half a level of rounding, and weights in parts of 2048 along both sides.
    assert np.abs(compiled - defined(picture, to, box)).max() <= 0.5 + 2 * 255 / 4096 + 1e-9


def test_it_reads_four_pixels_and_no_more(way: str) -> None:
    """Shrunk by four: the average of the middle two by two; an antialiased filter reads all sixteen."""
    array = np.full((8, 8), 255, np.uint8)
    array[1:3, 1:3] = [[0, 10], [20, 30]]
    assert by_picture(Image.fromarray(array), (2, 2), (0, 0, 8, 8))[0, 0] == 15
    array[0, :] = array[3, :] = 7
    assert by_picture(Image.fromarray(array), (2, 2), (0, 0, 8, 8))[0, 0] == 15


@pytest.mark.parametrize("size", [(3000, 7), (7, 3000), (65_535, 1), (1, 65_535), (1200, 900)])
@pytest.mark.parametrize("to", [(1, 1), (5, 3), (64, 64)])
def test_extreme_sides(way: str, size: Size, to: Size) -> None:
    part = (0, 0, *size)
    assert (by_picture(Image.new("RGB", size, (255, 254, 1)), to, part) == (255, 254, 1)).all()
    picture = noise(size, "L")
    assert np.abs(by_picture(picture, to, part) - defined(picture, to, part)).max() <= 0.63


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pictures_that_pillow_does_not_hold_in_one_piece(mode: str) -> None:
    whole, part = noise((2600, 2600), mode), (300, 0, 2600, 2300)
    lent = Image.frombuffer("L", (70, 50), bytes(range(250)) * 14, "raw", "L", 0, 1)
    for picture, box in ((whole, part), (lent, (0, 0, 70, 50))):
        found = by_picture(picture, (32, 24), box)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(resize_and_crop, "usable", lambda: False)
            np.testing.assert_array_equal(by_picture(picture, (32, 24), box), found)
        assert np.abs(found - defined(picture, (32, 24), box)).max() <= 0.63


def test_rows_of_a_decoder_give_the_same(way: str) -> None:
    picture = noise((70, 50))
    rows = np.dstack([np.asarray(picture), np.full((50, 70), 99, np.uint8)])
    found = by_rows(np.ascontiguousarray(rows), (24, 31), (3, 2, 64, 50))
    np.testing.assert_array_equal(found, by_picture(picture, (24, 31), (3, 2, 64, 50)))
    assert not found.flags.writeable


@needs_native
def test_it_is_used_where_it_was_compiled_and_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resize_and_crop.usable()
    real = resize_and_crop._by_native
    resize_and_crop.usable.cache_clear()

    def off_by_one(picture: Image.Image, out: resize_and_crop.UInt8, *taps: resize_and_crop.Taps) -> bool:
        done = real(picture, out, *taps)
        out[-1, -1] ^= 1
        return done

    with monkeypatch.context() as patched:
        patched.setattr(resize_and_crop, "_by_native", off_by_one)
        assert not resize_and_crop.usable()
    resize_and_crop.usable.cache_clear()


TAPS = np.array([[0, 5], [2, 0]], np.int32)


@needs_native
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (0, 4)}, "sides"),
        ({"size": (4, 70_000)}, "sides"),
        ({"each": 3}, "sides"),
        ({"source": bytes(63)}, "picture must have four bytes"),
        ({"source": Image.new("L", (4, 4)).__arrow_c_array__()[1]}, "Arrow array is not four bytes"),
        ({"source": Image.new("RGB", (4, 4)).__arrow_c_array__()[1], "each": 1, "out": bytearray(4)}, "not one byte"),
        ({"out": bytearray(13)}, "result"),
        ({"across": np.array([[4, 0], [0, 0]], np.int32)}, "taps"),
        ({"across": np.array([[3, 1], [0, 0]], np.int32)}, "taps"),
        ({"across": np.array([[-1, 0], [0, 0]], np.int32)}, "taps"),
        ({"down": np.array([[0, 2049], [0, 0]], np.int32)}, "taps"),
        ({"down": np.array([[0, -1], [0, 0]], np.int32)}, "taps"),
        ({"down": np.empty((0, 2), np.int32)}, "taps"),
        ({"down": bytes(12)}, "taps"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_read(
    change: dict[str, object], message: str
) -> None:
    given = {
        "source": bytes(64),
        "size": (4, 4),
        "each": 4,
        "out": bytearray(12),
        "across": TAPS,
        "down": TAPS,
    }
    _native.bilinear(*given.values())
    with pytest.raises(ValueError, match=message):
        _native.bilinear(*{**given, **change}.values())


# Of Keras' crop_to_aspect_ratio: whole pixels, rounded down. Width x height of the picture, height x width to.
@pytest.mark.parametrize(
    ("size", "to", "part"),
    [
        ((500, 375), (224, 224), (62, 0, 437, 375)),
        ((375, 500), (224, 224), (0, 62, 375, 437)),
        ((333, 500), (160, 96), (16, 0, 316, 500)),
        ((10, 1), (7, 2), (4, 0, 5, 1)),
        ((1, 10), (1, 3), (0, 4, 1, 5)),
        ((64, 64), (32, 32), (0, 0, 64, 64)),
    ],
)
def test_crop_keeps_whole_pixels(size: Size, to: Size, part: Part) -> None:
    assert kept_part(size, InputSpec(*to, fit="crop", resize="plain")) == part
    assert kept_part(size, InputSpec(*to, resize="plain")) == (0, 0, *size)


def encoded(picture: Image.Image, format: str) -> bytes:
    stored = io.BytesIO()
    picture.save(stored, format)
    return stored.getvalue()


@pytest.fixture(params=["short", "long", "large"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Straight from a plain JPEG's bytes; through Pillow; channel by channel."""
    next(fast_jpeg._first, None)
    if request.param != "short":
        monkeypatch.setattr(preprocess, "plain_pixels", lambda *words: None)
    if request.param == "large":
        monkeypatch.setattr(preprocess, "LARGE_PIXELS", 1000)
    return str(request.param)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "pillow"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_no_short_cut_changes_a_pixel(
    way: str, road: str, format: str, fast: bool, channels: int, fit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setattr(fast_jpeg, "usable", lambda: False)
    spec = InputSpec(24, 17, channels, fit, "plain")  # type: ignore[arg-type]
    data = encoded(noise((301, 203)), format)
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB" if channels == 3 else "L")
    expected = defined(picture, (17, 24), kept_part(picture.size, spec)).reshape(spec.shape)
    found = pixels(data, spec)
    assert found.shape == spec.shape
    assert np.abs(found - expected).max() <= 0.63
    # An antialiased one is far away, so that this can tell.
    assert np.abs(pixels(data, InputSpec(24, 17, channels, fit)) - expected).max() > 60  # type: ignore[arg-type]


def test_a_picture_of_the_model_s_size_is_left_as_it_is(way: str) -> None:
    picture = noise((40, 30))
    for fit in ("stretch", "crop"):
        spec = InputSpec(30, 40, 3, fit, "plain")  # type: ignore[arg-type]
        np.testing.assert_array_equal(pixels(picture, spec), np.asarray(picture))


@pytest.mark.parametrize(
    ("size", "channels", "expected"),
    [((97, 61), 3, "36be5d"), ((61, 97), 3, "b8d4a1"), ((30, 20), 1, "c059e0")],
)
def test_pixels_are_the_same_for_good(way: str, size: Size, channels: int, expected: str) -> None:
    """Bundles keep hashes of these pixels."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    values = np.stack(
        [rows * columns * 37 % 256, (rows * rows + columns) * 11 % 256, columns * 255 // size[0]], 2
    )
    found = pixels(values.astype(np.uint8), InputSpec(40, 40, channels, "crop", "plain"))
    assert hashlib.sha256(found.tobytes()).hexdigest()[:6] == expected
