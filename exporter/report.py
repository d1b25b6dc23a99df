"""``report.html``: what a check found, as one page that opens offline."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.errors import EnvironmentMissingError
from edge_runtime.preprocess import UInt8Array
from exporter.amounts import latency_text, size_text
from exporter.images import PixelTable
from exporter.judging import Judgement
from exporter.plots import interval_plot, size_latency_plot

_MOST_FLIPS = 24
_MOST_CLASSES = 40
_THUMBNAIL_PIXELS = 112


def render_report(name: str, found: Judgement, table: PixelTable) -> str:
    """Renders the page.

    Args:
        name: The bundle's name.
        found: What was judged.
        table: The images that it was judged on.

    Returns:
        HTML with everything inline.

    Raises:
        EnvironmentMissingError: Jinja2 or matplotlib is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Writing a report", "jinja2", "export") from error
    environment = Environment(
        loader=PackageLoader("exporter"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["points"] = lambda value: f"{100 * value:+.2f}"
    environment.filters["percent"] = lambda value: f"{100 * value:.2f} %"
    environment.filters["size"] = size_text
    environment.filters["latency"] = latency_text
    report = found.report
    flips, flipped = _flips(found, table)
    classes = _classes(found, table)
    return environment.get_template("report.html").render(
        name=name,
        report=report,
        intervals=interval_plot(report),
        costs=size_latency_plot(report),
        classes=classes[:_MOST_CLASSES],
        class_count=len(classes),
        flips=flips,
        flipped=flipped,
    )


def _classes(found: Judgement, table: PixelTable) -> list[dict[str, Any]]:
    """Per-class top-1 of the full model and each artifact, the classes that lost most first."""
    truth, labels = table.truth, table.images.labels
    right = {"full": found.reference.argmax(axis=1) == truth}
    right |= {name: scores.argmax(axis=1) == truth for name, scores in found.scores.items()}
    rows = []
    for index in np.unique(truth):
        chosen = truth == index
        full = float(right["full"][chosen].mean())
        shares = {name: float(hits[chosen].mean()) for name, hits in right.items() if name != "full"}
        worst = min(share - full for share in shares.values())
        rows.append(
            {"label": labels[index], "n": int(chosen.sum()), "full": full, "shares": shares, "worst": worst}
        )
    rows.sort(key=lambda row: (row["worst"], row["label"]))
    return rows


def _flips(found: Judgement, table: PixelTable) -> tuple[list[dict[str, Any]], int]:
    """Images whose answer changed, the surest wrong ones first, and how many there are."""
    truth, labels = table.truth, table.images.labels
    before = found.reference.argmax(axis=1)
    flips = []
    for name, scores in found.scores.items():
        after = scores.argmax(axis=1)
        for row in np.flatnonzero(after != before):
            was, now = int(before[row]), int(after[row])
            flips.append(
                {
                    "artifact": name,
                    "ref": table.images.items[row].ref,
                    "row": int(row),
                    "true": labels[truth[row]],
                    "was": labels[was],
                    "was_score": float(found.reference[row, was]),
                    "now": labels[now],
                    "now_score": float(scores[row, now]),
                    "kind": "won" if now == truth[row] else "lost" if was == truth[row] else "other",
                }
            )
    order = ("lost", "won", "other")
    flips.sort(key=lambda flip: (order.index(str(flip["kind"])), -float(str(flip["now_score"]))))
    shown = flips[:_MOST_FLIPS]
    for flip in shown:
        flip["picture"] = _thumbnail(table.pixels[int(str(flip["row"]))])
    return shown, len(flips)


def _thumbnail(pixels: UInt8Array) -> str:
    """What the model saw, as a data URL."""
    array = np.asarray(pixels)
    picture = Image.fromarray(array if array.shape[2] == 3 else array[:, :, 0])
    small = picture.width < _THUMBNAIL_PIXELS
    picture = picture.resize(
        (_THUMBNAIL_PIXELS, max(1, _THUMBNAIL_PIXELS * picture.height // picture.width)),
        Image.Resampling.NEAREST if small else Image.Resampling.BILINEAR,
    )
    stored = io.BytesIO()
    if picture.mode == "RGB":
        picture.save(stored, "JPEG", quality=80)
        return f"data:image/jpeg;base64,{base64.b64encode(stored.getvalue()).decode()}"
    picture.save(stored, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stored.getvalue()).decode()}"
