"""A film of one picture, for Chromium's fake camera."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.browsers.protocol import MissingError


def film_of(picture: Path, out: Path, width: int = 640, height: int = 480) -> Path:
    """Writes one frame of Motion JPEG, which the fake camera repeats.

    Args:
        picture: Any image that ffmpeg reads.
        out: A file that ends in ``.mjpeg``.
        width: Of the film.
        height: Of the film.

    Returns:
        ``out``.

    Raises:
        MissingError: ffmpeg is not installed.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise MissingError("ffmpeg is not installed")
    subprocess.run(
        [program, "-loglevel", "error", "-y", "-i", str(picture), "-frames:v", "1",
         "-vf", f"scale={width}:{height},format=yuvj420p", "-c:v", "mjpeg", "-q:v", "1", str(out)],
        check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return out
