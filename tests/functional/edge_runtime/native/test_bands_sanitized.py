"""Bands of rows under the address and undefined-behaviour sanitizers: no byte outside what was pushed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from core_hosts import FLAGS, HERE, LIBRARY, Host, Job, needs

FOUND = "ERROR: AddressSanitizer"


def sanitized(folder: Path, broken: tuple[str, str, str] | None = None) -> Path:
    """The program for tests, with one file changed if so asked."""
    needs("gcc")
    sources = list(LIBRARY)
    if broken is not None:
        name, right, wrong = broken
        (path,) = [path for path in LIBRARY if path.name == name]
        text = path.read_text()
        assert text.count(right) == 1
        (folder / name).write_text(text.replace(right, wrong))
        sources[sources.index(path)] = folder / name
    program = folder / "core-sanitized"
    flags = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    done = subprocess.run(
        ["gcc", *FLAGS, *flags, *map(str, sources), str(HERE / "host_program.c"), "-o", str(program), "-lm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "cannot find" in done.stderr:
        pytest.skip("needs the compiler's sanitizers")
    assert done.returncode == 0, done.stderr
    return program


def jobs(count: int) -> list[Job]:
    """Resizes of all kinds in odd bands, some of which do not fit, and the core's other calls."""
    random = np.random.default_rng(4)
    found = []
    for _ in range(count):
        width, height, to_width, to_height = (int(side) for side in random.choice([1, 2, 3, 7, 40, 131], 4))
        channels, plain, portable = random.choice([1, 3]), int(random.random() < 0.4), random.integers(2)
        left, top = random.random() * (width - 1), random.random() * (height - 1)
        part = [(0, 0, width, height), (left, top, width, height), (left, top, left + 1, top + 1)]
        box = part[random.integers(3)]
        if plain:
            left, top = int(left), int(top)
            box = [(0, 0, width, height), (left, top, width, height)][random.integers(2)]
        if random.random() < 0.1:
            # Refused before a row is read.
            box = (*box[:3], random.choice([-1.0, 0.0, height + 1.0, np.inf, np.nan]))
        fits = 0 <= box[1] < box[3] <= height
        numbers = (width, height, *map(float, box), to_width, to_height, channels, plain, portable)
        band = random.choice([1, 2, 3, 5, 1000])
        rows = random.bytes(width * height * (4 if channels == 3 else 1)) if fits else b""
        found.append(Job(" ".join(map(str, ("resize", *numbers, band))), rows))
    for size in (0, 1, 63, 64, 65, 200):
        rgba = random.bytes(4 * size)
        found += [Job(f"pixels {size} {channels}", rgba) for channels in (1, 3)]
        found += [Job(f"opaque {size}", rgba), Job(f"sha256 {4 * size} 13", rgba)]
    for size, most in ((1, 1), (5, 1), (5, 5), (5, 9), (40, 39)):
        found.append(Job(f"best {size} {most}", random.random(size).astype(np.float32).tobytes()))
    return found


def test_bands_stay_within_their_memory(tmp_path: Path) -> None:
    work = jobs(1500)
    by_bands = Host((str(sanitized(tmp_path)),)).run(work)
    at_once = [
        Job(job.line.rsplit(" ", 1)[0] + " 1000", job.data) if job.line.startswith("resize") else job
        for job in work
    ]
    assert by_bands == Host((str(tmp_path / "core-sanitized"),)).run(at_once)
    assert 50 < by_bands.count(None) < 300


@pytest.mark.parametrize(
    "broken",
    [
        # More rows than the picture has; what comes after its last row.
        ("resizer.c", "if (count < 0 || count > resizer->resize.in_height - first)", "if (count < 0)"),
        # The row before a band, read in front of it.
        ("bilinear.c", "tap.first < first ? bilinear->kept :", ""),
        # The next row, read behind a band.
        ("bilinear.c", "if (last >= end)", "if (tap.first >= end)"),
        ("resample.c", "next < to && next < end; next++", "next < to && next <= end; next++"),
    ],
    ids=["one more row", "before a band", "behind a band", "behind a band, antialiased"],
)
def test_a_row_too_far_would_be_seen(broken: tuple[str, str, str], tmp_path: Path) -> None:
    program = sanitized(tmp_path, broken)
    with pytest.raises(AssertionError) as failed:
        Host((str(program),)).run(jobs(200))
    assert FOUND in str(failed.value) or "took rows" in str(failed.value)
