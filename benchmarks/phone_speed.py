"""What exactness costs on a phone: an answer from a 12-megapixel JPEG, a warm start, and the app's size.

Every time is measured beside the bare engine's in the same browser, in turn; only the ratios mean something.

    a warm start          from the navigation until the app classifies: saved on the device, its golden examples
                          replayed by an earlier start; the files are read, verified and compiled, the page is made
    the engine's own load from the navigation of an empty page until LiteRT.js has loaded the same model in a
                          classic worker, as its README does it: module streamed, nothing verified

Both are fresh pages in turn, out of the same service worker and browser. Their ratio is the ratio of the fastest
rounds, as a loaded machine only ever makes a round slower; the page shows the medians beside them.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.browsers.protocol import Browser, Tab
from benchmarks.browsers.site import Site
from benchmarks.phone_app import browsers_of, large_photo, phone_app, phone_facts, phone_parser, version_of
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result

MODULE = "benchmarks.phone_speed"

ANSWERS = {
    "exact": "exact answer, the app",
    "full": "`createImageBitmap`, `drawImage`, `getImageData`, bare invoke",
    "small": "the same with a canvas of the model's size: other pixels",
    "invoke": "bare invoke",
}
STARTS = {"app": "warm start to ready, the app", "engine": "the engine's own load"}

MOST_ANSWER = 1.25
MOST_START = 1.3
MOST_BYTES = 3_500_000

METHOD = """MobileNetV2 as `tflite-int8`. Answers: one photo of {megapixels} megapixels, {rounds} rounds in one page and
one worker, in turn. Starts: {starts} rounds, in turn: the app is saved on the device and proven; ready means that it
classifies. The engine's own load is LiteRT.js in a worker of an empty page, its module streamed, the model
compiled, nothing verified; both come out of the same service worker. *Best*: the fastest round,
by which ratios are made. Size: each file compressed by gzip, as a static host sends it."""

READY = """new Promise((resolve) => {
  const root = document.documentElement;
  const look = () => {
    const {state} = root.dataset;
    if (state === 'ready' || state === 'failed') resolve([state, performance.now()]);
  };
  new MutationObserver(look).observe(root, {attributes: true});
  look();
})"""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = phone_parser(MODULE, __doc__ or "")
    made.add_argument("--rounds", type=int, default=9, help="rounds of answers (default 9)")
    made.add_argument("--starts", type=int, default=7, help="rounds of starts (default 7)")
    options = made.parse_args(arguments)
    size = (4000, 3000)
    if options.quick:
        options.rounds, options.starts, size = 1, 1, (400, 300)
    found: dict[tuple[str, str], list[float]] = {}
    browsers: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        _, site, photos = phone_app(made, options, Path(name))
        site.mounts["large"] = Path(name)
        large_photo(photos[0], Path(name) / "large.jpg", size)

        def measure(browser: Browser) -> None:
            browsers.append(version_of(browser))
            with browser.page() as tab:
                for way, times in _answers(tab, site, options.rounds).items():
                    found[way, browser.name] = times
            with browser.page() as tab:
                for way, times in _starts(tab, site, options.starts).items():
                    found[way, browser.name] = times

        missing = browsers_of(options, measure)
        sizes = _sizes(site.folder)
        site.close()
    if missing:
        print(f"left out: {'; '.join(missing)}", file=sys.stderr)
    settings = {
        "rounds": options.rounds, "starts": options.starts, "megapixels": size[0] * size[1] / 1e6,
    }  # fmt: skip
    result = _result(options.quick, settings, command_line(MODULE, arguments), browsers, found, sizes)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def _answers(tab: Tab, site: Site, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way to an answer."""
    tab.open(site.url + "bench/routes.html")
    tab.until("Boolean(globalThis.bench)")
    tab.value("bench.open()")
    found: dict[str, list[float]] = tab.call("(rounds) => bench.times('/large/large.jpg', rounds)", rounds)
    return found


def _starts(tab: Tab, site: Site, rounds: int) -> dict[str, list[float]]:
    """Milliseconds from navigation to ready, of the app and of the bare engine."""
    found: dict[str, list[float]] = {"app": [], "engine": []}
    tab.open(site.url)
    tab.value(READY)
    tab.until("document.documentElement.dataset.offline === 'ready'")
    # The first round warms up.
    for number in range(rounds + 1):
        tab.open(site.url)
        state, app = tab.value(READY)
        if state != "ready":
            raise ValueError(f"The app must start. Received: {tab.text('body')[:500]}")
        tab.open(site.url + "bench/engine.html")
        engine = tab.until("globalThis.readyAt")
        if number:
            found["app"].append(app)
            found["engine"].append(engine)
    return found


def _sizes(app: Path) -> dict[str, int]:
    """Compressed bytes of the app without its bundle, and of the model."""
    packed = {
        str(path.relative_to(app)): len(gzip.compress(path.read_bytes(), 6))
        for path in app.rglob("*")
        if path.is_file()
    }
    bundle = {path: size for path, size in packed.items() if path.startswith("bundle/")}
    model = sum(size for path, size in bundle.items() if path.endswith(".tflite"))
    return {
        "app": sum(packed.values()) - sum(bundle.values()),
        "bundle": sum(bundle.values()),
        "model": model,
    }


def _result(
    quick: bool, settings: dict[str, Any], command: str, browsers: list[str],
    found: dict[tuple[str, str], list[float]], sizes: dict[str, int],
) -> Result:  # fmt: skip
    best = {key: float(np.min(times)) for key, times in found.items()}
    against = {
        "exact": "full",
        "full": "full",
        "small": "full",
        "invoke": "full",
        "app": "engine",
        "engine": "engine",
    }
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    for (way, browser), times in found.items():
        ratio = best[way, browser] / best[against[way], browser]
        shown = {**ANSWERS, **STARTS}[way]
        rows.append((shown, browser, best[way, browser], float(np.median(times)), ratio))
        if way == "exact":
            figures.append(
                Figure(f"{browser}: exact answer by decode, read-out and invoke", ratio, most=MOST_ANSWER)
            )
        if way == "app":
            figures.append(Figure(f"{browser}: warm start by the engine's own load", ratio, most=MOST_START))
    figures += [
        Figure("the app without its bundle, compressed, MB", sizes["app"] / 1e6, most=MOST_BYTES / 1e6),
        Figure("its bundle, compressed, MB", sizes["bundle"] / 1e6),
    ]
    return Result(
        name="phone-speed",
        group="phone-speed",
        title="What exactness costs on a phone",
        method=METHOD.format(**settings | {"megapixels": f"{settings['megapixels']:g}"}),
        command=command,
        created=now(),
        quick=quick,
        machine=phone_facts(browsers),
        settings=settings,
        columns=(
            Column("way"), Column("engine"), Column("best ms", "ratio"), Column("median ms", "ratio"),
            Column("by the bare one's", "ratio"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


if __name__ == "__main__":
    main()
