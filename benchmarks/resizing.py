"""What the wrong resize costs a model trained elsewhere: the same photos, antialiased and plain.

MobileNetV2 with the published ImageNet weights, exported as usual; every photo goes through both resizes and is
compared one by one.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np

from benchmarks.machine import machine
from benchmarks.options import check_photos, parser
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from benchmarks.tiny import TINY_WIDTH, tiny_photos
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.arrays import IntArray
from edge_runtime.dataset import ImageSet, open_dataset
from edge_runtime.engines import open_engine
from edge_runtime.image.input_spec import Fit, InputSpec, Resize
from exporter import ExportConfig, export
from exporter.common.backend import load_keras
from exporter.reference.resize_choice import ResizesCompared
from exporter.source.images import decode_table
from exporter.source.scoring import engine_scorer
from trainer import models

MODULE = "benchmarks.resizing"
KINDS = ("tflite-fp32", "tflite-int8")

METHOD = """MobileNetV2 with the published ImageNet weights, exported with `--resize plain`; int8 is calibrated on
photos of the same set, without their labels. Every photo goes through both resizes: *lost* counts photos that are
classified correctly only when antialiased, *won* those only when plain; *p* is the two-sided exact sign test,
*answers changed* the share of photos with another answer. Both are decoded in the same way; only the resize
differs."""


@dataclass(frozen=True)
class _Row:
    fit: Fit
    kind: str
    antialiased: float
    plain: float
    compared: ResizesCompared


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "")
    made.add_argument(
        "--data", type=Path, help="labelled ImageNet photos, such as a folder with an index.csv"
    )
    made.add_argument(
        "--labels", type=Path, help="the 1000 class names, one a line; default: DATA/labels.txt"
    )
    made.add_argument("--weights", type=Path, help="MobileNetV2 weights file with its head")
    options = made.parse_args(arguments)
    check_photos(made, options)
    keras = load_keras()
    with tempfile.TemporaryDirectory() as folder:
        rows = _measured(options, Path(folder))
    result = Result(
        name="resizing",
        group="resizing",
        title="The resize of a model trained elsewhere",
        method=METHOD,
        command=command_line(MODULE, arguments),
        created=now(),
        quick=options.quick,
        machine=machine(keras),
        settings={"photos": rows[0].compared.images, "size": 32 if options.quick else 224},
        columns=(
            Column("fit"), Column("artifact"), Column("photos", "count"), Column("top-1 antialiased", "percent"),
            Column("top-1 plain", "percent"), Column("lost", "count"), Column("won", "count"), Column("p"),
            Column("answers changed", "percent"),
        ),
        rows=tuple(_cells(row) for row in rows),
        figures=tuple(
            Figure(f"{row.fit}, {row.kind}: right plain by right antialiased", row.plain / row.antialiased, least=1.0)
            for row in rows
        ),
    )  # fmt: skip
    print(f"wrote {write_result(result, options.results)}", file=sys.stderr)
    for row in rows:
        print(f"{row.fit}, {row.kind}: {row.compared.note('MobileNetV2', 'Pass')}")
    return result


def _cells(row: _Row) -> tuple[Cell, ...]:
    found = row.compared
    return (
        row.fit, row.kind, found.images, row.antialiased, row.plain, found.lost, found.gained, f"{found.p_value:.2g}",
        found.changed / found.images,
    )  # fmt: skip


def _measured(options: Any, place: Path) -> list[_Row]:
    photos = tiny_photos(place / "photos") if options.quick else options.data
    full = place / "mobilenet_v2.keras"
    if options.quick:
        models.build("mobilenet_v2", input_shape=(32, 32, 3), classes=3, weights=None, width=TINY_WIDTH).save(
            full
        )
    else:
        models.build("mobilenet_v2", input_shape=(224, 224, 3), classes=1000, weights=options.weights).save(
            full
        )
    labels = None if options.quick else options.labels or photos / "labels.txt"
    images = open_dataset(photos)
    rows = []
    for fit in get_args(Fit):
        bundle = export(
            ExportConfig(
                source=full, out=place / f"{fit}.bundle", artifacts=KINDS, data=photos, labels=labels, fit=fit,
                resize="plain", check=False, golden=0,
            )
        )  # fmt: skip
        named = images.relabelled(bundle.manifest.labels)
        spec = bundle.manifest.input
        scores = {
            resize: _answers(bundle, named, msgspec.structs.replace(spec, resize=resize))
            for resize in get_args(Resize)
        }
        for kind in KINDS:
            (before, truth), (after, _) = scores["antialiased"][kind], scores["plain"][kind]
            compared = ResizesCompared(
                "antialiased", len(truth), int(np.sum(before != after)),
                gained=int(np.sum((after == truth) & (before != truth))),
                lost=int(np.sum((after != truth) & (before == truth))),
            )  # fmt: skip
            rows.append(
                _Row(fit, kind, float(np.mean(before == truth)), float(np.mean(after == truth)), compared)
            )
    return rows


def _answers(bundle: Bundle, images: ImageSet, spec: InputSpec) -> dict[str, tuple[IntArray, IntArray]]:
    """What each artifact answers, and what is right."""
    found = {}
    with decode_table(images, spec) as table:
        for entry in bundle.manifest.artifacts:
            engine = open_engine(bundle.model(entry), entry.format, entry.file)
            try:
                scores = engine_scorer(engine, len(bundle.manifest.labels))(table.pixels)
            finally:
                engine.close()
            found[entry.kind] = scores.argmax(axis=1), table.truth
    return found


if __name__ == "__main__":
    main()
