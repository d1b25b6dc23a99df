"""Time and memory of planning a million photos with `snapship score`, and of going on with the plan.

The photos are a list of paths, without files; what classifies is left out, so that what remains is the plan, the
shards and the files of rows. The second run finds half of the parts and writes the others.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.edge_model import facts
from benchmarks.options import ENVIRONMENT, ROOT, parser
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from edge_runtime.common.errors import ImageError
from edge_runtime.output.records import row
from edge_runtime.score.parts import Rows
from edge_runtime.score.photos import Photo
from edge_runtime.score.scorer import Scorer
from edge_runtime.score.scoring import ScoreConfig, score

MODULE = "benchmarks.score_plan"
BUNDLE = ROOT / "tests" / "data" / "digits.bundle"

METHOD = """A list of {photos} paths; the workers write a row for each without reading it. Each run is a process of its
own, with one worker. *Goes on*: half of the parts are there. Memory is the largest of the command itself, resident."""


class Stub(Scorer):
    """Has an answer for every photo, at once."""

    def rows(self, photos: Sequence[Photo]) -> Rows:
        """See the base class."""
        error = ImageError("not read")
        return [row(photo.name, error, 5) for photo in photos]


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "")
    made.add_argument("--photos", type=int, default=1_000_000, help="photos (default 1,000,000)")
    options = made.parse_args(arguments)
    if options.quick:
        options.photos = 3_000
    machine = facts()
    rows: list[tuple[Cell, ...]] = []
    seconds = peak = 0.0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with (place / "all.txt").open("w") as listing:
            listing.writelines(
                f"/photos/{index // 1000:04d}/photo-{index:08d}.jpg\n" for index in range(options.photos)
            )
        for way in ("new", "goes on"):
            found = _run(place)
            rows.append((way, found["seconds"], found["bytes"] / 1e6))
            seconds, peak = seconds + found["seconds"], max(peak, found["bytes"])
            for part in sorted((place / "out").glob("part-*"))[1::2]:
                part.unlink()
    result = Result(
        name="score-plan",
        group="score-plan",
        title="The plan of a million photos",
        method=METHOD.format(photos=f"{options.photos:,}"),
        command=command_line(MODULE, arguments),
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"photos": options.photos},
        columns=(Column("run"), Column("s", "seconds"), Column("MB", "rate")),
        rows=tuple(rows),
        figures=(
            Figure("minutes of both runs", seconds / 60.0),
            Figure("memory of the command, MB", peak / 1e6),
        ),
    )  # fmt: skip
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def _run(place: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "--run", str(place)],
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _score(place: Path) -> None:
    started = time.perf_counter()
    config = ScoreConfig(BUNDLE, [str(place / "all.txt")], str(place / "out"), workers=1)
    score(config, open_scorer=Stub.open)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": time.perf_counter() - started, "bytes": peak}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        _score(Path(sys.argv[2]))
        os._exit(0)
    main()
