"""What int8 costs, and what repair recovers: accuracy, size and latency against fp32.

Each target is converted once and goes through the steps of `snapship export`, once for TFLite and once for
ONNX: quantize, then repair if close-ups of calibration images require it. Each target writes a result.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.before_after import FORMATS, measure, pooled
from benchmarks.machine import machine
from benchmarks.onnx_kernels import COLUMNS, kernel_rows
from benchmarks.onnx_kernels import METHOD as KERNELS_METHOD
from benchmarks.options import parser
from benchmarks.planted import planted
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import TINY_WIDTH, tiny_photos, tiny_weights
from benchmarks.views import in_views
from exporter.common.backend import load_keras
from exporter.config.export_config import ExportConfig
from exporter.source.full_model import find_source, load_source
from trainer import TrainConfig, models, train

MODULE = "benchmarks.quantization"


@dataclass(frozen=True)
class Target:
    """A model, and the limits for its int8 artifacts after repair.

    Attributes:
        title: What it is.
        agreement: Agreement below which it is repaired, and lower limit afterwards.
        delta: Least top-1 difference to the full model, in points.
        kl: Most floored KL divergence in nats, None for no demand.
    """

    title: str
    agreement: float
    delta: float
    kl: float | None = None


TARGETS: dict[str, Target] = {
    "imagenet": Target("MobileNetV2 at 224, ImageNet", 0.975, -0.5),
    "flowers": Target("MobileNetV2 at 160, flowers", 0.985, -0.5, 0.006),
    "planted": Target("the same with planted outliers", 0.975, -1.0),
}

FOLDS = 5
"""Parts of the ImageNet sample: of 250 photos, 200 calibrate, as many as by default."""

SIZE = 0.31
"""Most that an int8 artifact may weigh, in sizes of its fp32 file."""

LATENCY = 0.65
"""Most that it may take, in latencies of its fp32 file, on a CPU with VNNI."""

METHOD = """Both formats are quantized from the float file that was converted once. *Before* is that artifact, *after*
the result of repair (the same if none was needed). Both are compared with the full model in Keras on images that
neither calibrated nor judged a repair step, in ten views each: the image, its middle 95, 90, 85 and 80 %, and these
mirrored; *photos alone* is the agreement without the other nine. *Size* and *latency* are ratios to the fp32 file of
the same format; latencies are medians of one image at a time on one thread, the artifacts alternating. *ImageNet*: a
sample of its photos in five parts; each part judges what the other four calibrated, and the answers are pooled.
*Flowers*: fine-tuned as `benchmarks.accuracy --only flowers-160` does. *Planted*: the flowers model with two channels
scaled up 300 times and their readers scaled down 300 times (`benchmarks.planted`)."""

# As benchmarks.accuracy's flowers-160.
_TRAINING: dict[str, Any] = {
    "model": "mobilenet_v2", "size": 160, "epochs": 10, "fine_tune_epochs": 10, "unfreeze": 44, "views": 6,
    "patience": 10, "learning_rate": 2e-4,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Measures the chosen targets and writes a result of each.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "")
    made.add_argument("--data", type=Path, help="folder that holds flowers/ and imagenet-sample/")
    made.add_argument("--imagenet-weights", type=Path, help="MobileNetV2 weights file with its head")
    made.add_argument(
        "--weights", type=Path, help="MobileNetV2 weights file without its head, to train the flowers"
    )
    made.add_argument("--run", type=Path, help="a finished flowers run instead of training one")
    made.add_argument(
        "--only", default=",".join(TARGETS), help=f"some of {', '.join(TARGETS)}, separated by commas"
    )
    options = made.parse_args(arguments)
    names = [name for name in options.only.split(",") if name]
    if unknown := [name for name in names if name not in TARGETS]:
        made.error(f"--only must be some of {', '.join(TARGETS)}. Received: {unknown[0]}.")
    if not options.quick:
        if options.data is None:
            made.error("--data is needed, but for --quick")
        if "imagenet" in names and options.imagenet_weights is None:
            made.error("--imagenet-weights is needed for imagenet")
        if {"flowers", "planted"} & set(names) and options.run is None and options.weights is None:
            made.error("--weights or --run is needed for flowers and planted")
    keras = load_keras()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        sources = _Sources(keras, options, place)
        for name in names:
            for result in _target(keras, name, sources, options, place, command_line(MODULE, arguments)):
                print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
                results.append(result)
    return results


class _Sources:
    """Where each target's model and images are; what must be trained is trained once."""

    def __init__(self, keras: Any, options: Any, place: Path) -> None:
        self._keras, self._options, self._place = keras, options, place
        self._run: Path | None = options.run
        if options.quick:
            self._photos = tiny_photos(place / "photos")

    def configs(self, name: str) -> list[ExportConfig]:
        """What would be exported; of several, each judges on other photos."""
        target = TARGETS[name]
        if name == "flowers":
            configs = [ExportConfig(source=self.run, out="unused", data=self._flowers_in_views)]
        elif name == "planted":
            configs = [self._planted()]
        else:
            configs = self._imagenet()
        kinds = tuple(f"{format}-{precision}" for format in FORMATS for precision in ("fp32", "int8"))
        return [replace(config, artifacts=kinds, agreement=target.agreement) for config in configs]

    @property
    def run(self) -> Path:
        if self._run is None:
            options, place = self._options, self._place
            training: dict[str, Any] = {**_TRAINING, "weights": options.weights}
            if options.quick:
                training = {
                    "model": "mobilenet_v2", "size": 32, "epochs": 1, "fine_tune_epochs": 0, "width": TINY_WIDTH,
                    "weights": tiny_weights(self._keras, place),
                }  # fmt: skip
            self._run = train(
                TrainConfig(
                    data=self._flowers,
                    out=place / "run",
                    seed=options.seed,
                    cache_dir=place / "cache",
                    **training,
                )
            ).path
        return self._run

    @property
    def _flowers(self) -> Path:
        return self._photos if self._options.quick else self._options.data / "flowers"

    @cached_property
    def _flowers_in_views(self) -> Path:
        return in_views(self._flowers, self._place / "flowers", lambda _, split: split == "train")

    def _planted(self) -> ExportConfig:
        source = find_source(self.run)
        full, labels = self._place / "planted.keras", self._place / "labels.txt"
        planted(load_source(source).keras).save(full)
        labels.write_text("".join(f"{label}\n" for label in source.labels or ()), "utf-8")
        return ExportConfig(
            source=full, out="unused", data=self._flowers_in_views, labels=labels, fit=source.fit
        )

    def _imagenet(self) -> list[ExportConfig]:
        options, full = self._options, self._place / "imagenet.keras"
        common: dict[str, Any] = {"source": full, "out": "unused", "fit": "crop"}
        if options.quick:
            build: dict[str, Any] = {
                "input_shape": (32, 32, 3),
                "classes": 3,
                "weights": None,
                "width": TINY_WIDTH,
            }
            photos = self._photos
        else:
            photos = options.data / "imagenet-sample"
            build = {"input_shape": (224, 224, 3), "classes": 1000, "weights": options.imagenet_weights}
            common["labels"] = photos / "labels.txt"
        models.build("mobilenet_v2", **build).save(full)
        # Two show that folds are pooled.
        return [
            ExportConfig(data=in_views(photos, self._place / f"fold-{fold}", _calibrates(fold)), **common)
            for fold in range(2 if options.quick else FOLDS)
        ]


def _calibrates(fold: int) -> Callable[[int, str], bool]:
    return lambda place, split: place % FOLDS != fold


def _target(
    keras: Any, name: str, sources: _Sources, options: Any, place: Path, command: str
) -> tuple[Result, Result]:
    target, facts = TARGETS[name], machine(keras)
    parts = [measure(config, place / f"{name}-{part}") for part, config in enumerate(sources.configs(name))]
    found = pooled(parts)
    truth, reference = (
        np.concatenate([getattr(part, what) for part in parts]) for what in ("truth", "reference")
    )
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    for format in FORMATS:
        for when in ("before", "after"):
            one = found[format, when]
            result = one.comparison
            rows.append((
                target.title, f"{format}-int8", when, 100.0 * result.delta, result.agreement, one.agreement_alone,
                result.kl, one.size, one.latency, one.repairs,
            ))  # fmt: skip
        about = f"{name}, {format}-int8 after"
        figures += [
            Figure(f"{about}: top-1 delta in points", 100.0 * result.delta, least=target.delta),
            Figure(f"{about}: agreement", result.agreement, least=target.agreement),
            Figure(f"{about}: size by fp32's", one.size, most=SIZE),
            Figure(f"{about}: latency by fp32's", one.latency, most=LATENCY),
        ]
        if target.kl is not None:
            figures.append(Figure(f"{about}: floored KL", result.kl, most=target.kl))
    judged = Result(
        name=f"quantization-{name}",
        group="quantization",
        title="int8 and repair",
        method=METHOD,
        command=command,
        created=now(),
        quick=options.quick,
        machine=facts,
        settings={
            "target": name, "views": len(truth), "photos": sum(int(part.alone.sum()) for part in parts),
            "full top-1": float((reference.argmax(axis=1) == truth).mean()), "seed": options.seed,
            "training": None if options.run or name == "imagenet" else _TRAINING,
        },
        columns=(
            Column("model"), Column("artifact"), Column("repair"), Column("top-1 delta", "points"),
            Column("agreement", "percent"), Column("photos alone", "percent"), Column("floored KL", "nats"),
            Column("size", "ratio"),
            Column("latency", "ratio"), Column("steps kept"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip
    kernel_table, kernel_figures = kernel_rows(
        target.title, [part.kernels for part in parts], [part.truth for part in parts], parts[0].labels,
        parts[0].margin,
    )  # fmt: skip
    return judged, msgspec.structs.replace(
        judged, name=f"onnx-kernels-{name}", group="onnx-kernels", title="int8 .onnx on two kinds of CPU",
        method=KERNELS_METHOD, columns=COLUMNS, rows=tuple(kernel_table), figures=tuple(kernel_figures),
    )  # fmt: skip


if __name__ == "__main__":
    main()
