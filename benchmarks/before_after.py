"""One model quantized in both formats, before and after repair, and judged against the full model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.onnx_kernels import FLOAT, FULL, SHIPS, UNSIGNED, Run, full_range, run_everywhere
from benchmarks.views import AS_IS
from edge_runtime.common.progress import no_progress
from edge_runtime.engines import open_engine
from exporter.config.export_config import ExportConfig
from exporter.convert.builder import Builder
from exporter.convert.image_sets import Tables, image_sets
from exporter.formats.kinds import KINDS, parse_kinds
from exporter.quantize.bias import corrected
from exporter.repair.artifact_repair import ArtifactRepair
from exporter.source.full_model import find_source, load_source
from exporter.source.scoring import engine_scorer, full_scorer, latencies_ms
from exporter.statistics.comparison import Comparison, compare

FORMATS = ("tflite", "onnx")


@dataclass(frozen=True)
class Made:
    """One artifact as measured.

    Attributes:
        comparison: It against the full model.
        agreement_alone: Its agreement on the photos as they are, 0..1.
        size: Its size by its fp32 file's.
        latency: Its latency by its fp32 file's.
        repairs: The repair steps that were kept.
    """

    comparison: Comparison
    agreement_alone: float
    size: float
    latency: float
    repairs: str


@dataclass(frozen=True)
class Part:
    """One model quantized and judged.

    Attributes:
        reference: The full model's scores, float32 ``[n, classes]``.
        truth: True class indices, ``[n]``.
        alone: Which of the images are photos as they are, bool ``[n]``.
        labels: Class names.
        margin: That of the gate.
        scores: Those of the int8 artifacts, by format and ``before`` or ``after``.
        sizes: Their sizes by the fp32 file's.
        latencies: Their latencies by the fp32 file's.
        repairs: The repair steps that were kept.
        kernels: The .onnx files on both kinds of CPU.
    """

    reference: Any
    truth: Any
    alone: Any
    labels: tuple[str, ...]
    margin: float
    scores: dict[tuple[str, str], Any]
    sizes: dict[tuple[str, str], float]
    latencies: dict[tuple[str, str], float]
    repairs: dict[tuple[str, str], str]
    kernels: dict[str, Run]


def pooled(parts: Sequence[Part]) -> dict[tuple[str, str], Made]:
    """All judged images of one target together, by format and ``before`` or ``after``.

    Args:
        parts: At least one; sizes and latencies are their means.
    """

    def whole(values: Iterable[Any]) -> Any:
        return np.concatenate(list(values))

    reference, truth = whole(part.reference for part in parts), whole(part.truth for part in parts)
    alone = whole(part.alone for part in parts)
    made = {}
    for key in parts[0].scores:
        scores = whole(part.scores[key] for part in parts)
        same = scores.argmax(axis=1) == reference.argmax(axis=1)
        made[key] = Made(
            comparison=compare(reference, scores, truth, parts[0].labels, margin=parts[0].margin),
            agreement_alone=float(same[alone].mean()),
            size=float(np.mean([part.sizes[key] for part in parts])),
            latency=float(np.mean([part.latencies[key] for part in parts])),
            repairs="; ".join(dict.fromkeys(part.repairs[key] for part in parts)),
        )
    return made


def measure(config: ExportConfig, folder: Path) -> Part:
    """Quantizes and repairs one model, in both formats.

    Args:
        config: What is exported; nothing is written to its ``out``.
        folder: Where the artifacts are written; made.
    """
    folder.mkdir()
    source = find_source(config.source, labels=config.labels, fit=config.fit)
    sets = image_sets(config, source)
    model = load_source(source)
    labels = source.labels or (() if sets.judging is None else sets.judging.labels)
    with ExitStack() as stack:
        tables = Tables(sets, labels, model, config.calibration, stack, no_progress)
        judging = tables.judging
        if judging is None:
            raise ValueError(f"The data must have images that judge. Received: {config.data}.")
        builder = Builder(model, "model", labels, tables.calibrating, folder, no_progress)
        builder.make(parse_kinds(config.artifacts))
        files = {kind.name: path.read_bytes() for kind, path in builder.files.items()}
        part = Part(
            reference=full_scorer(model)(judging.pixels),
            truth=np.array(judging.truth),
            alone=np.array([AS_IS in Path(item.ref).parts for item in judging.images.items]),
            labels=labels, margin=config.margin, scores={}, sizes={}, latencies={}, repairs={}, kernels={},
        )  # fmt: skip
        repair = ArtifactRepair(config, model, labels, builder, tables, no_progress)
        repair.run()
        reports = repair.reports()
        after = {kind.name: path.read_bytes() for kind, path in builder.files.items()}
        for format in FORMATS:
            report = reports.get(f"{format}-int8")
            kept = [] if report is None else [step.name for step in report.kept]
            part.repairs[format, "before"] = ""
            part.repairs[format, "after"] = ", ".join(kept) or ("none needed" if report is None else "none")
            made = {"before": files[f"{format}-int8"], "after": after[f"{format}-int8"]}
            _judge(part, format, files[f"{format}-fp32"], made, judging.pixels)
        wide = builder.graph("onnx-int8").widened()
        onnx_files = {
            FLOAT: files["onnx-fp32"],
            SHIPS: after["onnx-int8"],
            UNSIGNED: corrected(wide, wide.input_means(builder.calibration)).quantized(),
            FULL: full_range(wide.quantized()),
        }
        part.kernels.update(run_everywhere(onnx_files, np.asarray(judging.pixels)))
        return part


def _judge(part: Part, format: str, fp32: bytes, made: Mapping[str, bytes], pixels: Any) -> None:
    """Adds the int8 files of a format, next to its fp32 file."""
    with ExitStack() as stack:
        engines = {}
        for when, data in {"fp32": fp32, **made}.items():
            engines[when] = open_engine(data, KINDS[f"{format}-int8"].format, f"{format} {when}", threads=1)
            stack.callback(engines[when].close)
        latency = latencies_ms(engines, pixels)
        for when, data in made.items():
            key = format, when
            part.scores[key] = engine_scorer(engines[when], part.reference.shape[1])(pixels)
            part.sizes[key] = len(data) / len(fp32)
            part.latencies[key] = latency[when] / latency["fp32"]
