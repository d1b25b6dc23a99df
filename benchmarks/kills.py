"""Kills ``snapship export`` and ``snapship package`` at random moments, and examines what they leave.

::

    python -m benchmarks.kills --kills 60

After each kill the old or the new output must exist, complete. After one more run that finishes, nothing else
may remain: not beside the outputs, not in the cache, not among the temporary files. Every kind of output is
killed equally often: a bundle, a zipped bundle, a zip for Lambda and a build context, each replaced again and
again by one of another name.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.golden import verify_files

OUTPUTS = ("out.bundle", "out.zip", "lambda.zip", "context")


def command(output: str, name: str) -> list[str]:
    """What makes an output.

    Args:
        output: One of :data:`OUTPUTS`.
        name: Of the bundle that is exported or packaged.
    """
    if output in ("out.bundle", "out.zip"):
        words = ["export", "run", "--out", output, "--name", name, "--artifacts", "tflite-fp32", "--no-check"]
    else:
        words = ["package", f"{name}.bundle", "--image" if output == "context" else "--out", output]
    return [sys.executable, "-m", "snapship", *words, "--overwrite"]


def found(place: Path, output: str) -> str:
    """The name inside an output, which must be whole.

    Args:
        place: The folder of all outputs.
        output: One of :data:`OUTPUTS`.
    """
    path = place / output
    if output in ("out.bundle", "out.zip"):
        bundle = Bundle.open(path)
        verify_files(bundle)
        return bundle.manifest.name
    if output == "lambda.zip":
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            data = archive.read("snapship-package.json")
    else:
        assert (path / "Dockerfile").is_file()
        data = (path / "task" / "snapship-package.json").read_bytes()
        verify_files(Bundle.open(path / "task" / "bundle"))
    return str(json.loads(data)["bundle"])


def whole(place: Path, environ: Mapping[str, str], output: str, name: str) -> float:
    """Makes an output without a kill; returns the seconds that it took."""
    start = time.monotonic()
    subprocess.run(command(output, name), cwd=place, env=environ, check=True, capture_output=True)
    return time.monotonic() - start


def litter(place: Path) -> list[str]:
    """What is left over, of all kinds."""
    kept = {*OUTPUTS, "run", "old.bundle", "new.bundle", "cache", "tmp"}
    beside = [path.name for path in place.iterdir() if path.name not in kept]
    inside = [path.name for path in place.rglob(".snapship-*")]
    return sorted({*beside, *inside, *(path.name for path in (place / "tmp").iterdir())})


def main(argv: Sequence[str] | None = None) -> int:
    """Kills, prints what it saw, and returns 1 if an output was neither the old nor the new one.

    Args:
        argv: Command line arguments; None takes the process's.
    """
    made = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    made.add_argument("--kills", type=int, default=60)
    made.add_argument("--seed", type=int, default=0)
    options = made.parse_args(argv)
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "tmp").mkdir()
        root = str(Path(__file__).resolve().parent.parent)
        environ = {
            **os.environ,
            "TMPDIR": str(place / "tmp"),
            "XDG_CACHE_HOME": str(place / "cache"),
            "PYTHONPATH": root,
        }
        train = [sys.executable, "-m", "snapship", "train", "digits", "--model", "small_cnn", "--epochs", "1"]
        train += ["--out", "run"]
        subprocess.run(train, cwd=place, env=environ, check=True, capture_output=True)
        for name in ("old", "new"):
            whole(place, environ, "out.bundle", name)
            shutil.move(place / "out.bundle", place / f"{name}.bundle")
        seconds = {output: min(whole(place, environ, output, "old") for _ in range(2)) for output in OUTPUTS}
        print({output: round(took, 1) for output, took in seconds.items()}, flush=True)
        seen: Counter[str] = Counter()
        kills = 0
        while kills < options.kills:
            output = OUTPUTS[kills % len(OUTPUTS)]
            before = found(place, output)
            wanted = "new" if before == "old" else "old"
            # Half of them near the end, where the output is replaced.
            share = chance.uniform(0, 1.1) if kills // len(OUTPUTS) % 2 else chance.uniform(0.8, 1.1)
            process = subprocess.Popen(
                command(output, wanted), cwd=place, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )  # fmt: skip
            start = time.monotonic()
            try:
                process.wait(share * seconds[output])
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            after = found(place, output)
            assert after in (before, wanted)
            end = "ended" if process.returncode == 0 else "killed"
            if end == "ended":
                # Others use the machine too: the next one is killed by what this one took.
                seconds[output] = time.monotonic() - start
            else:
                kills += 1
            seen[f"{output} {end}, {'new' if after == wanted else 'old'}"] += 1
            left = litter(place)
            seen["kills that left something"] += bool(left) and end == "killed"
            print(kills, output, f"{share:.2f}", end, "new" if after == wanted else "old", left, flush=True)
        for output in OUTPUTS:
            whole(place, environ, output, "old")
        for line, count in sorted(seen.items()):
            print(f"{count:4} {line}")
        left = litter(place)
        print("litter after one more run of each:", left or "none")
        return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
