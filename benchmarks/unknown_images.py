"""Which score tells unknown things from known ones: the share refused by each, at 95 % of val images kept.

::

    python -m benchmarks.unknown_images flowers.bundle --known flowers --without daisy \\
        --unknown "ImageNet photos=imagenet-sample" --unknown "CIFAR photos=cifar10-subset.zip" --unknown digits=digits

Every score gets the same: parameters from up to 500 train images, evenly over the classes, and the threshold from val
images as an export chooses it. The features are read from the bundle's file, in memory, whether or not it has that
output. A table in Markdown goes to stdout; with ``--json`` the same as JSON.

Shares refused come with the exact (Clopper-Pearson) interval of 95 % for the images of that population. The share
kept is measured on halves of the val images: one half gives the threshold, the other is counted; mean and standard
deviation over 200 random halves.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.unknown_scores import CANDIDATES, Seen, Values
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import SnapshipError
from edge_runtime.dataset import open_dataset
from edge_runtime.engines import Engine, open_engine
from edge_runtime.engines.base import FEATURES
from edge_runtime.image.preprocess import pixels
from edge_runtime.statistics.binomial import lower_rate, upper_rate
from exporter.formats.extra_output import with_features
from exporter.rules.known import KEPT, MAX_IMAGES
from exporter.source.images import balanced
from exporter.statistics.conformal import conformal_threshold

HALVES = 200
"""Random halves of the val images that measure the share kept."""

_TAIL = 0.025
"""On either side of the interval of 95 %."""


def seen_by(engine: Engine, images: Iterable[Any], spec: Any) -> Seen:
    """Scores and features of images.

    Args:
        engine: A file with a features output.
        images: What :func:`~edge_runtime.image.preprocess.pixels` takes.
        spec: The model's input.
    """
    rows = [engine.run_with(pixels(image, spec), FEATURES) for image in images]
    return Seen(np.stack([scores for scores, _ in rows]), np.stack([features for _, features in rows]))


def unknown_images(data: str, most: int, without: Sequence[str]) -> list[Any]:
    """Images of a population: of a folder without subfolders, else of any labelled data.

    Args:
        data: The folder or other data.
        most: Number of images, evenly spread.
        without: Classes to leave out: those whose name, or whose file's name, contains one of these.
    """
    folder = Path(data)
    flat = folder.is_dir() and not any(path.is_dir() for path in folder.iterdir())
    if flat:
        kinds = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
        files: list[Any] = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in kinds]
        found = [path for path in files if not any(word in path.name for word in without)]
    else:
        images = open_dataset(data)
        kept = [
            item for item in images.items if not any(word in images.labels[item.label] for word in without)
        ]
        found = [images.read(item) for item in _spread(kept, most)]
    return [_coloured(image) for image in _spread(found, most)]


def _spread(entries: list[Any], most: int) -> list[Any]:
    places = np.unique(np.linspace(0, len(entries) - 1, min(most, len(entries))).astype(np.int64))
    return [entries[place] for place in places]


def _coloured(image: Any) -> Any:
    """Gray arrays as three equal channels: an InputSpec with colour refuses gray arrays."""
    gray = isinstance(image, np.ndarray) and (image.ndim == 2 or image.shape[2] == 1)
    return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2) if gray else image


def kept_share(values: Values) -> tuple[float, float]:
    """Share of val images kept by thresholds from other val images.

    Args:
        values: How known each looks, ``[n]``.

    Returns:
        Mean and standard deviation over :data:`HALVES` random halves.
    """
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(HALVES):
        order = rng.permutation(len(values))
        half = len(values) // 2
        threshold = conformal_threshold(values[order[:half]], KEPT)
        shares.append(float((values[order[half:]] >= (-math.inf if threshold is None else threshold)).mean()))
    return float(np.mean(shares)), float(np.std(shares))


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs all candidates on all populations."""
    bundle = Bundle.open(arguments.bundle)
    artifact, spec = bundle.artifact(arguments.artifact), bundle.manifest.input
    model = bundle.model(artifact)
    data = model if isinstance(model, bytes) else model.read_bytes()
    if all(entry.name != FEATURES for entry in artifact.outputs):
        data = with_features(data, artifact.format, artifact.kind)
    engine = open_engine(data, artifact.format, artifact.kind)
    known = open_dataset(arguments.known).relabelled(bundle.manifest.labels)
    train = balanced(known.only("train"), arguments.fit)
    fit = seen_by(engine, (train.read(item) for item in train.items), spec)
    truth = np.array([item.label for item in train.items])
    judged = known.only("val")
    val = seen_by(engine, (judged.read(item) for item in _spread(list(judged.items), arguments.most)), spec)
    unknown = {}
    for named in arguments.unknown:
        name, _, place = named.partition("=")
        unknown[name] = seen_by(engine, unknown_images(place, arguments.most, arguments.without), spec)
    rows = []
    for name, prepare in CANDIDATES.items():
        score = prepare(fit, truth, val)
        values = score(val)
        threshold = conformal_threshold(values, KEPT)
        if threshold is None:
            raise SystemExit(f"{len(values)} val images are too few for a threshold")
        start = time.process_time()
        score(Seen(val.scores[:50], val.features[:50]))
        row: dict[str, Any] = {
            "score": name,
            "ms": 1e3 * (time.process_time() - start) / min(50, len(values)),
        }
        row["kept"], row["kept_sd"] = kept_share(values)
        for population, seen in unknown.items():
            refused, n = int((score(seen) < threshold).sum()), len(seen.scores)
            row[population] = [refused, n, lower_rate(refused, n, _TAIL), upper_rate(refused, n, _TAIL)]
        rows.append(row)
    return {
        "bundle": Path(arguments.bundle).name,
        "artifact": artifact.kind,
        "train_images": len(fit.scores),
        "val_images": len(val.scores),
        "populations": list(unknown),
        "rows": rows,
    }


def shown(result: dict[str, Any]) -> str:
    """The result as a Markdown table."""
    populations = result["populations"]
    lines = [
        f"{result['artifact']} of {result['bundle']}: {result['train_images']} train images, {result['val_images']} "
        f"val images, {100 * KEPT:g} % kept.",
        "",
        "| score | kept, halves | " + " | ".join(f"{name} refused" for name in populations) + " |",
        "|---|---|" + "---|" * len(populations),
    ]
    for row in result["rows"]:
        cells = []
        for name in populations:
            refused, n, low, high = row[name]
            cells.append(f"{100 * refused / n:.1f} % ({100 * low:.1f} to {100 * high:.1f})")
        kept = f"{100 * row['kept']:.1f} ± {100 * row['kept_sd']:.1f} %"
        lines.append(f"| {row['score']} | {kept} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--artifact", default="tflite-fp32", help="the kind to read features from")
    parser.add_argument("--known", required=True, help="the model's data, with a train and a val side")
    parser.add_argument("--unknown", action="append", required=True, metavar="NAME=DATA")
    parser.add_argument(
        "--without", action="append", default=[], help="classes to leave out of the unknown images"
    )
    parser.add_argument("--fit", type=int, default=MAX_IMAGES, help="train images for parameters")
    parser.add_argument("--most", type=int, default=1000, help="images of each population")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        result = measured(arguments)
    except SnapshipError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(result, indent=2) if arguments.json else shown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
