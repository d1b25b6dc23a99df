"""The bad-image set: the right pixels or an ImageError, within time and memory, and never a crash."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import ImageError
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import FORMATS, MAX_PIXELS, pixels

HERE = Path(__file__).parent
MAX_MEGABYTES = 300
# A good image, decoded in the same process: a sixteenth of the pixels that an image may have.
REFERENCE_SIDE = 1768
# Times the processor time of a good image of the most pixels; best of three. 16-bit RGBA takes 2, a bomb minutes.
MAX_TIMES = 10
TRIES = 3


def _load() -> Any:
    spec = spec_from_file_location("bad_images", HERE / "bad_images.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bad_images = _load()


def decode_apart(paths: list[Path], *arguments: str) -> Iterator[dict[str, Any]]:
    """Decodes in a process of its own; one answer for each path, or the signal that ended it."""
    done = subprocess.run(
        [sys.executable, HERE / "image_worker.py", *arguments], input="\n".join(map(str, paths)) + "\n",
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (
        f"ended with {done.returncode} at {paths[len(lines)].name}: {done.stderr[-500:]}"
    )
    assert "Traceback" not in done.stderr
    yield from map(json.loads, lines)


@pytest.mark.parametrize("name", bad_images.GOOD)
def test_odd_image_shows_what_it_shows(name: str) -> None:
    make, show = bad_images.GOOD[name]
    expected = show()
    height, width = expected.shape[:2]
    found = pixels(make(), InputSpec(height=min(height, 8192), width=min(width, 8192)))
    if found.shape == expected.shape:
        # Two levels: what 8-bit YCbCr and a palette of 256 colours cost.
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 2
    else:
        assert abs(float(found.mean()) - float(expected.mean())) < 1


@pytest.mark.slow
def test_bad_images_end_in_time_and_memory(tmp_path: Path) -> None:
    sets = bad_images.BAD | bad_images.EITHER
    paths: list[Path] = []
    for name, make in sets.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(make())
    rows = (b"\0" + bytes(4 * REFERENCE_SIDE)) * REFERENCE_SIDE
    reference = tmp_path / "reference"
    reference.write_bytes(bad_images.png(REFERENCE_SIDE, REFERENCE_SIDE, 8, 6, rows))
    largest = MAX_PIXELS / REFERENCE_SIDE**2

    def times(answer: dict[str, Any]) -> float:
        return float(answer["seconds"] / (largest * answer["reference_seconds"]))

    problems = []
    for path, answer in zip(paths, decode_apart(paths, "fork", str(reference)), strict=True):
        text = answer["answer"]
        refused = text.startswith("ImageError: ") and "Received: " in text and "\n" not in text
        if not refused and (path.name in bad_images.BAD or text != "pixels"):
            problems.append(f"{path.name}: {text}")
        took = times(answer)
        for _ in range(TRIES - 1):
            if took > MAX_TIMES:
                took = min(took, times(next(decode_apart([path], "fork", str(reference)))))
        if took > MAX_TIMES or answer["megabytes"] > MAX_MEGABYTES:
            problems.append(f"{path.name}: {took:.1f} times a good image, {answer['megabytes']:.0f} MB")
    assert not problems, "\n".join(problems)


def test_damaged_images_are_pixels_or_an_image_error(tmp_path: Path) -> None:
    paths = []
    for name, data in bad_images.flipped(seed=5, count=1000):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    answers = list(decode_apart(paths))
    odd = [
        a["answer"] for a in answers if a["answer"] != "pixels" and not a["answer"].startswith("ImageError")
    ]
    assert not odd, odd[0]
    # Both happen, or the set tests nothing.
    assert 100 < sum(a["answer"] == "pixels" for a in answers) < 900


def test_limits_are_the_callers() -> None:
    data = bad_images.jpeg_with()
    spec = InputSpec(height=8, width=8)
    with pytest.raises(ImageError, match="at most 1,000 pixels"):
        pixels(data, spec, max_pixels=1000)
    with pytest.raises(ImageError, match="at most 100 bytes"):
        pixels(memoryview(data), spec, max_bytes=100)
    assert pixels(data, spec, max_pixels=48 * 32).shape == (8, 8, 3)


def test_formats_are_the_listed_ones() -> None:
    assert set(FORMATS) == {"JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM"}
