"""A set larger than the memory that the process may take is decoded, looked over and read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import hashlib, io, resource, sys
import numpy as np
from PIL import Image
from edge_runtime.dataset import ImageSet, Item
from edge_runtime.image.input_spec import InputSpec
from trainer.core.cache import cached_pixels
from trainer.data_checks import data_warnings, check_data

COUNT, SIDE, SPARE = 600, 512, 250_000_000

def content(item):
    patches = np.random.default_rng(int(item.ref) // 2).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(patches).save(buffer, "PNG")
    return buffer.getvalue()

items = tuple(
    Item(str(place), place % 2, "val" if place % 5 == 0 else "train", hashlib.sha256(b"%d" % place).hexdigest())
    for place in range(COUNT)
)
images = ImageSet("many", ("a", "b"), items, content)
# Threads' stacks and libraries are there before the limit is set.
check_data(ImageSet("few", ("a", "b"), items[:20], content))
with open("/proc/self/status") as file:
    used = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + SPARE, used + SPARE))
if sys.argv[2] == "hold":
    from edge_runtime.dataset import decode_all
    held = [pixels for _, pixels in decode_all(images, InputSpec(SIDE, SIDE))]
else:
    pixels = cached_pixels(images, InputSpec(SIDE, SIDE), sys.argv[1])
    assert pixels.array.nbytes > 1.5 * SPARE, pixels.array.nbytes
    lines = data_warnings(images, pixels)
    assert any("also in train" in line for line in lines), lines
    assert sum(int(pixels.array[place].sum()) > 0 for place in range(COUNT)) == COUNT
print("done")
"""


def run(cache: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(cache), what],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's private memory alone")
def test_set_larger_than_memory_is_decoded_and_looked_over(tmp_path: Path) -> None:
    done = run(tmp_path, "stream")
    assert done.stdout == "done\n", done.stderr[-2000:]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's private memory alone")
def test_the_limit_is_one(tmp_path: Path) -> None:
    assert "MemoryError" in run(tmp_path, "hold").stderr
