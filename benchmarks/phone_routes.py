"""Whether each way from a photo to a model gives the runtime's answer, per browser engine.

The same int8 file and the same photos: the app of `snapship phone`, the ways that web pages use, and MediaPipe with
its own resize. Every answer is compared with that of `snapship predict`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.browsers.protocol import Browser
from benchmarks.phone_app import browsers_of, phone_app, phone_facts, phone_parser, version_of
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from edge_runtime import Classifier

MODULE = "benchmarks.phone_routes"
CLIENT = Path(__file__).with_name("phone_mediapipe.py")

WAYS = {
    "exact": "the app",
    "canvas": "`createImageBitmap` without profile, `drawImage` 'high'",
    "element": "`<img>`, `drawImage`",
    "bitmap": "`createImageBitmap` with `resizeWidth`, 'high'",
}
"""The ways of ``browsers/pages/routes.mjs``, in the words of the table."""

MEDIAPIPE = "MediaPipe, its own resize"

METHOD = """MobileNetV2 with the published ImageNet weights as `tflite-int8`, {photos} photos, all through LiteRT.js
or MediaPipe on the same file. *Same class*: photos with the best class of `snapship predict`; *largest difference*:
of any score of any photo, from 0 to 1. The ways differ in how they decode and resize only."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = phone_parser(MODULE, __doc__ or "")
    made.add_argument(
        "--mediapipe", type=Path, default=Path(sys.prefix) / "acceptance/mediapipe/bin/python",
        help="a Python that has MediaPipe (default: that of make acceptance; left out where it is not)",
    )  # fmt: skip
    options = made.parse_args(arguments)
    found: dict[tuple[str, str], np.ndarray[Any, Any]] = {}
    browsers = []
    with tempfile.TemporaryDirectory() as name:
        bundle, site, photos = phone_app(made, options, Path(name))
        with Classifier.open(bundle, "tflite-int8") as classifier:
            expected = np.stack([classifier.scores(photo) for photo in photos])

        def measure(browser: Browser) -> None:
            browsers.append(version_of(browser))
            with browser.page() as tab:
                tab.open(site.url + "bench/routes.html")
                tab.until("Boolean(globalThis.bench)")
                tab.value("bench.open()")
                # A few at a time: the answer is text, and a thousand scores each.
                for start in range(0, len(photos), 10):
                    urls = [f"/photos/{photo.name}" for photo in photos[start : start + 10]]
                    for way, scores in tab.call("(urls) => bench.routes(urls)", urls).items():
                        before = found.get((way, browser.name))
                        rows = np.array(scores)
                        found[way, browser.name] = rows if before is None else np.vstack([before, rows])

        missing = browsers_of(options, measure)
        if options.mediapipe.is_file():
            scores = _mediapipe(options.mediapipe, next(bundle.glob("*.tflite")), photos, expected.shape[1])
            found["mediapipe", "-"] = scores
        site.close()
    if missing:
        print(f"left out: {'; '.join(missing)}", file=sys.stderr)
    result = _result(options, command_line(MODULE, arguments), browsers, expected, found)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def _mediapipe(python: Path, model: Path, photos: list[Path], classes: int) -> np.ndarray[Any, Any]:
    # It logs its use to play.googleapis.com and has no switch: its messages go nowhere.
    environment = {**os.environ, "PYTHONPATH": "", "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        [str(python), str(CLIENT), str(model), *map(str, photos)], capture_output=True, text=True,
        env=environment, check=True,
    )  # fmt: skip
    scores = np.zeros((len(photos), classes))
    for row, answer in zip(scores, json.loads(done.stdout), strict=True):
        for index, score in answer:
            row[index] = score
    return scores


def _result(
    options: Any, command: str, browsers: list[str], expected: np.ndarray[Any, Any],
    found: dict[tuple[str, str], np.ndarray[Any, Any]],
) -> Result:  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    order = [*WAYS, "mediapipe"]
    for (way, browser), scores in sorted(found.items(), key=lambda entry: order.index(entry[0][0])):
        same = float(np.mean(scores.argmax(axis=1) == expected.argmax(axis=1)))
        most = float(np.abs(scores - expected).max())
        rows.append((WAYS.get(way, MEDIAPIPE), browser, len(expected), same, f"{most:.1g}"))
        if way == "exact":
            figures.append(Figure(f"{browser}: photos with the same class, the app", same, least=1.0))
    return Result(
        name="phone-routes",
        group="phone-routes",
        title="Ways from a photo to a phone's answer",
        method=METHOD.format(photos=len(expected)),
        command=command,
        created=now(),
        quick=options.quick,
        machine=phone_facts(browsers),
        settings={"photos": len(expected), "browsers": options.browsers},
        columns=(
            Column("way"), Column("engine"), Column("photos", "count"), Column("same class", "percent"),
            Column("largest difference"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


if __name__ == "__main__":
    main()
