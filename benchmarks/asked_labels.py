"""How many labels a verdict needs if only differing photos are labelled, and whether it is that of all labels.

Random halves of scored photos: each half is judged once by all of its labels, and once by the labels of the photos
on which the models differ, asked in random order until the verdict stands. Scores come from a file (truth, fp32 and
int8 of 1,000 ImageNet photos) and, with ``--bundle``, from a bundle's int8 artifacts on its run's val images.
The second table says how many photos pass without a single label: the disagreement is binomial, the sum is exact.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from benchmarks.options import parser
from benchmarks.result import Column, Figure, Result, as_text, command_line, now, write_result
from edge_runtime.common.arrays import IntArray
from exporter.common.backend import load_keras
from exporter.statistics.gate import DEFAULT_MARGIN, decide
from exporter.unlabelled.differing import Photo
from exporter.unlabelled.tally import tally

MODULE = "benchmarks.asked_labels"
HALVES = 200
MOST_LABELS = 0.03
"""Share of the labels that may be asked for, in the mean."""

DISAGREEMENT = (0.005, 0.010, 0.013)
CHANCE = 0.8
_MOST_IMAGES = 3_000

METHOD = """Random halves of labelled photos. The labelled verdict is the gate's on all labels of a half. The asked
one labels only photos on which the two models differ, one after another in random order, and stops when every way to
label the rest gives the same verdict; what is still open when all are labelled is inconclusive. *Labels* are the
answers until then, as a share of all photos of the half."""

SILENT_METHOD = """Photos that pass at a margin of 2 points without any label in at least 80 % of all samples, by how
often the artifact's answer differs. Binomial, summed exactly; the number from which on the chance stays at 80 %."""


@dataclass(frozen=True)
class Half:
    """One half of the photos, judged both ways.

    Attributes:
        labelled: The verdict of all labels.
        asked: The verdict of the answers.
        answers: How many were needed.
        images: Photos of the half.
    """

    labelled: str
    asked: str
    answers: int
    images: int


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Judges the halves, computes the table, writes both results.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = parser(MODULE, __doc__ or "")
    made.add_argument("--scores", type=Path, help="imagenet-scores.npz: truth, fp32 and int8")
    made.add_argument("--bundle", type=Path, help="a bundle whose run holds labelled images")
    options = made.parse_args(arguments)
    if options.scores is None and options.bundle is None:
        made.error("--scores or --bundle is needed")
    results = [halves_result(options), silent_result(options)]
    for result in results:
        write_result(result, options.results)
    return results


def judged_half(truth: IntArray, full: IntArray, artifact: IntArray, order: IntArray) -> Half:
    """Judges photos by all labels, and by those of differing photos until the verdict stands.

    Args:
        truth: True classes, int64 ``[n]``.
        full: The full model's answers.
        artifact: The artifact's.
        order: The rows in the order in which differing ones are asked about.
    """
    n = len(truth)
    lost = int(np.sum((full == truth) & (artifact != truth)))
    won = int(np.sum((full != truth) & (artifact == truth)))
    photos = [
        Photo(
            str(row), str(row), frozenset((str(row),)), np.array([row]), (int(full[row]), int(artifact[row]))
        )
        for row in order
        if full[row] != artifact[row]
    ]
    answers: dict[str, int] = {}
    found = tally(full, artifact, photos, answers, margin=DEFAULT_MARGIN)
    for photo in photos:
        if found.verdict != "inconclusive":
            break
        answers[photo.sha256] = int(truth[int(photo.sha256)])
        found = tally(full, artifact, photos, answers, margin=DEFAULT_MARGIN)
    return Half(decide(lost, won, n, DEFAULT_MARGIN), found.verdict, len(answers), n)


def halves(truth: IntArray, full: IntArray, artifact: IntArray, count: int, seed: int) -> list[Half]:
    """Judges random halves.

    Args:
        truth: True classes, int64 ``[n]``.
        full: The full model's answers.
        artifact: The artifact's.
        count: How many halves.
        seed: Of the halves and the orders.
    """
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        rows = random.permutation(len(truth))[: len(truth) // 2]
        found.append(judged_half(truth[rows], full[rows], artifact[rows], random.permutation(len(rows))))
    return found


def read_scores(path: Path) -> tuple[IntArray, IntArray, IntArray]:
    """Truth and answers of the score file.

    Args:
        path: ``imagenet-scores.npz``.
    """
    with np.load(path) as stored:
        truth = stored["truth"].astype(np.int64)
        return truth, stored["fp32"].argmax(axis=1), stored["int8"].argmax(axis=1)


def _pairs(options: argparse.Namespace) -> Iterator[tuple[str, tuple[IntArray, IntArray, IntArray]]]:
    if options.scores is not None:
        yield "ImageNet, int8", read_scores(options.scores)
    if options.bundle is not None:
        from exporter.check_subject import subject_of
        from exporter.config.check_config import CheckConfig
        from exporter.judge.run_artifacts import running
        from exporter.source.images import decode_table

        subject = subject_of(CheckConfig(options.bundle), lambda step, done, total: None)
        kept = [one for one in subject.candidates if one.name in ("tflite-int8", "onnx-int8")]
        with decode_table(subject.images, subject.full.input) as table:
            full = subject.full.scorer(table.pixels)
            with running(
                kept, table, full.shape[1], threads=1, progress=lambda step, done, total: None
            ) as ran:
                for name, scores in ran.scores.items():
                    yield (
                        f"{subject.name}, {name}",
                        (table.truth, full.argmax(axis=1), scores.argmax(axis=1)),
                    )


def halves_result(options: argparse.Namespace) -> Result:
    """The result ``asked-labels``.

    Args:
        options: What the command line said.
    """
    count = 20 if options.quick else HALVES
    rows: list[tuple[str | int | float, ...]] = []
    figures: list[Figure] = []
    for name, pair in _pairs(options):
        found = halves(*pair, count, options.seed)
        same = sum(one.asked == one.labelled for one in found)
        shares = [one.answers / one.images for one in found]
        decided = sum(one.labelled != "inconclusive" for one in found)
        rows.append(
            (name, found[0].images, same, decided, float(np.mean(shares)), max(one.answers for one in found))
        )
        limited = name.startswith("ImageNet") or name.endswith("tflite-int8")
        figures += [
            Figure(f"{name}: asked verdict is the labelled one", same / count, least=1.0),
            Figure(f"{name}: labels, mean", float(np.mean(shares)), most=MOST_LABELS if limited else None),
        ]
    return Result(
        name="asked-labels", group="asked-labels", title="Labels only where the models differ", method=METHOD,
        command=command_line(MODULE), created=now(), quick=options.quick, machine=machine(load_keras()),
        settings={"halves": count, "margin": DEFAULT_MARGIN, "seed": options.seed},
        columns=(Column("photos"), Column("in a half", "count"), Column("same verdict", "count"),
                 Column("decided", "count"), Column("labels, mean", "percent"), Column("labels, most", "count")),
        rows=tuple(rows), figures=tuple(figures),
    )  # fmt: skip


def silent_photos(
    disagreements: Sequence[float], most: int = _MOST_IMAGES, margin: float = DEFAULT_MARGIN
) -> list[int | None]:
    """From how many photos on, in steps of ten, an artifact passes without any label in at least 80 % of all samples.

    Args:
        disagreements: How often its answer differs from the full model's.
        most: Largest number of photos to try.
        margin: Largest drop that passes.

    Returns:
        For each disagreement; None where the largest number is too few.
    """
    from scipy.stats import binom

    # The chance is a saw, so the last number that is too few counts.
    too_few = dict.fromkeys(disagreements, 0)
    lost = -1
    for n in range(100, most + 1, 10):
        # All differing photos lost is the worst case. More photos never allow fewer of them.
        while decide(lost + 1, 0, n, margin) == "pass":
            lost += 1
        too_few |= {share: n for share in disagreements if binom.cdf(lost, n, share) < CHANCE}
    return [None if n >= most - most // 5 else n + 10 for n in too_few.values()]


def silent_result(options: argparse.Namespace) -> Result:
    """The result ``asked-silent``.

    Args:
        options: What the command line said.
    """
    shares, most = (DISAGREEMENT[:1], 500) if options.quick else (DISAGREEMENT, _MOST_IMAGES)
    return Result(
        name="asked-silent", group="asked-silent", title="Photos for a pass without labels", method=SILENT_METHOD,
        command=command_line(MODULE), created=now(), quick=options.quick, machine=machine(load_keras()),
        settings={"margin": DEFAULT_MARGIN, "chance": CHANCE},
        columns=(Column("disagreement", "percent"), Column("photos", "count")),
        rows=tuple(zip(shares, silent_photos(shares, most), strict=True)), figures=(),
    )  # fmt: skip


if __name__ == "__main__":
    for one in main():
        print(f"\n{as_text(one)}")
