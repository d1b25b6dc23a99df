"""Memory of training on many photos: the command's private memory on many and on few made photos.

`snapship train` runs twice, with the same settings: on a few hundred photos, whose memory is
TensorFlow's own and the program's, and on many. Photos, weights and caches are made in a temporary
folder: for 100,000 photos at 224 it takes 24 GB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import machine
from benchmarks.options import parser
from benchmarks.result import Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import TINY_WIDTH, tiny_weights
from trainer.core.backend import load_keras

MODULE = "benchmarks.training_memory"
FEW = 200
"""Photos of the run that shows what TensorFlow and the program take themselves."""

MOST_GB = 2.0
"""What many photos may take beyond that."""

CLASSES = 5
_SAMPLE_S = 0.05

METHOD = """`snapship train` on made photos at {size}: the head for an epoch, then the last {unfreeze} layers of a
narrow MobileNetV2 for an epoch, in batches of {batch}. *Private memory*: the largest anonymous resident memory of
the process (`RssAnon`), read 20 times a second; mapped files, which the system drops when it needs their pages, are
listed apart. *Files*: pixels and activations, which are mapped from disk."""


@dataclass(frozen=True)
class Peak:
    """Largest memory of a process in bytes: private, and mapped from files."""

    private: int
    mapped: int
    seconds: float


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "")
    made.add_argument("--photos", type=int, default=100_000, help="number of photos (default 100,000)")
    made.add_argument("--size", type=int, default=224, help="side in pixels (default 224)")
    made.add_argument("--unfreeze", type=int, default=20, help="layers to fine-tune (default 20)")
    made.add_argument("--batch-size", type=int, default=64, help="images per batch (default 64)")
    made.add_argument("--folder", type=Path, help="where the temporary folder is made")
    options = made.parse_args(arguments)
    if options.quick:
        options.photos, options.size = 2 * FEW, 32
    if options.photos <= FEW:
        made.error(f"--photos must be more than {FEW}")
    if not Path("/proc/self/status").is_file():
        made.error("it needs /proc, which only Linux has")
    keras = load_keras()
    peaks = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        weights = tiny_weights(keras, Path(place))
        for count in (FEW, options.photos):
            peaks[count] = _train(count, options, Path(place), weights)
            print(f"{count:,} photos: {peaks[count]}", file=sys.stderr)
    few, many = peaks[FEW], peaks[options.photos]
    result = Result(
        name="training-memory",
        group="training-memory",
        title="Memory of training",
        method=METHOD.format(size=options.size, unfreeze=options.unfreeze, batch=options.batch_size),
        command=command_line(MODULE, arguments),
        created=now(),
        quick=options.quick,
        machine=machine(keras),
        settings={"photos": options.photos, "size": options.size, "seed": options.seed},
        columns=(
            Column("photos", "count"), Column("private memory, GB", "ratio"), Column("mapped files, GB", "ratio"),
            Column("s", "seconds"),
        ),
        rows=tuple(
            (count, peak.private / 1e9, peak.mapped / 1e9, peak.seconds) for count, peak in peaks.items()
        ),
        figures=(
            Figure(f"private memory, {options.photos:,} photos - {FEW} photos, GB",
                   max(1e-3, (many.private - few.private) / 1e9), most=MOST_GB),
            Figure(f"private memory, {options.photos:,} photos / {FEW} photos", many.private / few.private),
        ),
    )  # fmt: skip
    print(f"wrote {write_result(result, options.results)}: {result.figures[0].value:.3f} GB", file=sys.stderr)
    return result


def _train(count: int, options: argparse.Namespace, place: Path, weights: Path) -> Peak:
    """Trains on so many photos in a process of its own, and watches its memory."""
    photos = place / f"photos-{count}"
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(_write_photo, photos, options.size), range(count)))
    words = [
        "train", photos, "--out", place / "run", "--overwrite", "--weights", weights, "--width", TINY_WIDTH,
        "--size", options.size, "--epochs", 1, "--fine-tune-epochs", 1, "--unfreeze", options.unfreeze,
        "--views", 1, "--batch-size", options.batch_size, "--seed", options.seed,
    ]  # fmt: skip
    command = [sys.executable, "-m", "snapship", *map(str, words)]
    started = time.monotonic()
    private = mapped = 0
    # The caches belong to the temporary folder as well.
    environment = {**os.environ, "XDG_CACHE_HOME": str(place / "cache")}
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        while process.poll() is None:
            anonymous, files = _resident(process.pid)
            private, mapped = max(private, anonymous), max(mapped, files)
            time.sleep(_SAMPLE_S)
    if process.returncode:
        raise SystemExit((place / "log").read_text("utf-8", "replace")[-2000:])
    return Peak(private, mapped, time.monotonic() - started)


def _write_photo(folder: Path, size: int, index: int) -> None:
    """Writes a smooth photo of its own; every fifth is val."""
    random = np.random.default_rng(index)
    side = "val" if index // CLASSES % 5 == 0 else "train"
    path = folder / side / f"class_{index % CLASSES}" / f"{index:06}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = Image.fromarray(random.integers(0, 256, (7, 7, 3), dtype=np.uint8))
    coarse.resize((size, size), Image.Resampling.BICUBIC).save(path, quality=80)


def _resident(process: int) -> tuple[int, int]:
    """Resident bytes of a process: private, and mapped from files; 0 where it has just ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text("utf-8").splitlines()
    except OSError:
        return 0, 0
    sizes = {name: int(value.split()[0]) * 1024 for name, _, value in (line.partition(":") for line in lines)
             if name in ("RssAnon", "RssFile")}  # fmt: skip
    return sizes.get("RssAnon", 0), sizes.get("RssFile", 0)


if __name__ == "__main__":
    main()
